"""Tests of what texts may say of a run."""

import copy

from absl.testing import absltest

from fusion_jax.report import facts
from tests.report import parts, samples


class FactsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = parts.rich(samples.sample(missing=True))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def facts(self):
    return facts.of(self.summary)

  def test_sizes_are_the_summary_s(self):
    cohort, found = self.summary['cohort'], self.facts()
    self.assertEqual(
      (found.studies, found.patients), (cohort['studies'], cohort['patients'])
    )
    self.assertEqual(found.complete, self.summary['complete_cases']['studies'])
    self.assertEqual(
      found.events, sum(x['events'] for x in self.summary['folds'])
    )
    self.assertEqual((found.parts, found.folds, found.repeats), (2, 2, 1))

  def test_events_of_overlapping_parts_are_not_added(self):
    for fold in self.summary['folds']:
      fold['studies'] = cohort = self.summary['cohort']['studies']
    self.assertGreater(cohort, 0)
    self.assertIsNone(self.facts().events)

  def test_arms_by_what_they_are(self):
    found = self.facts()
    self.assertEqual(tuple(found.singles), samples.SINGLES)
    self.assertEqual(tuple(found.fusions), samples.FUSIONS)
    self.assertEqual((found.reference, found.named), ('', False))
    self.summary['evaluation']['reference'] = 'ehr'
    self.assertEqual(
      (self.facts().reference, self.facts().named), ('ehr', True)
    )
    self.summary['evaluation']['reference'] = facts.BEST_SINGLE
    for arm in ('ehr', 'ehr_trees'):
      self.summary['arms'][arm]['role'] = 'other'
    found = self.facts()
    self.assertEqual((found.reference, found.named), ('image', False))

  def test_seeds_are_the_most_of_any_arm(self):
    self.assertEqual(
      (self.facts().seeds, self.facts().seeds_differ), (1, False)
    )
    for fold in self.summary['arms']['joint']['folds']:
      fold['seeds'] = [0, 1, 2]
    self.assertEqual((self.facts().seeds, self.facts().seeds_differ), (3, True))
    for arm in self.summary['arms'].values():
      del arm['folds']
    self.assertEqual(self.facts().seeds, 0)

  def test_a_factor_is_one_of_shared_training_data(self):
    factor = {'value': 1.25, 'shared': True, 'reason': 'why'}
    self.summary['evaluation']['factor'] = factor
    self.assertEqual(self.facts().factor, 1.25)
    self.summary['evaluation']['factor'] = {'value': 1.0, 'shared': False}
    self.assertIsNone(self.facts().factor)

  def test_where_models_were_trained(self):
    found = self.facts()
    self.assertEqual((found.own, found.divided), (False, False))
    self.summary['run']['config_digest'] = 'abc'
    found = self.facts()
    self.assertEqual((found.own, found.divided), (True, True))
    self.summary['audits']['external'] = {'trained_on': 'elsewhere'}
    found = self.facts()
    self.assertEqual(found.trained_on, 'elsewhere')
    self.assertEqual((found.own, found.external, found.divided), (1, 1, 0))

  def test_audits_that_alarm_or_were_not_possible(self):
    found = self.facts()
    self.assertEqual(found.alarms, ['missingness'])
    self.assertEqual(found.not_possible, ['time'])
    self.assertCountEqual(
      found.audits, ['missingness', 'row order', 'duplicates']
    )

  def test_the_slope_is_told_where_it_is_the_cause(self):
    for arm, causes in (('joint', ['slope']), ('ehr', ['brier'])):
      self.summary['arms'][arm]['probabilities'] = {
        'miscalibrated': True,
        'slope': 3.9,
        'causes': causes,
      }
    self.assertEqual(self.facts().miscalibrated, {'joint': 3.9, 'ehr': None})

  def test_a_metric_without_a_value_is_not_defined(self):
    for arm in self.summary['arms'].values():
      arm['metrics']['odd'] = {'estimate': None}
    self.assertIn('odd', self.facts().metrics)
    self.assertNotIn('odd', self.facts().defined)
    self.assertIn('auroc', self.facts().defined)

  def test_declared_groups_are_of_people_and_not_too_small(self):
    self.summary['subgroups'].append(
      {'group': {'available_image': 'no'}, 'suppressed': None, 'arms': {}}
    )
    groups = [x['group'] for x in facts.declared(self.summary)]
    self.assertIn({'sex': 'female'}, groups)
    self.assertNotIn({'sex': 'unknown'}, groups)
    self.assertNotIn({'available_image': 'no'}, groups)

  def test_arms_without_models_of_some_folds(self):
    self.assertEqual(facts.without_models(self.summary), {})
    arm = self.summary['arms']['joint']
    arm['folds'] = arm['folds'][:1]
    self.assertEqual(facts.without_models(self.summary), {'joint': 1})


if __name__ == '__main__':
  absltest.main()
