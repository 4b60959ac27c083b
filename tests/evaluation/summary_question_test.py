"""Tests of a summary's question, tests, references and registration."""

import dataclasses
import json
import pathlib

import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import predictions, summary
from tests.evaluation import summary_test

table_of = summary_test._table
summarise = summary_test._summarise


class QuestionTest(absltest.TestCase):
  def test_every_comparison_and_the_question_are_told(self):
    found = summarise(table_of())
    self.assertEqual(found['version'], 3)
    question = found['question']
    self.assertEqual(
      (question['verdict'], question['arm']), ('superior', 'joint')
    )
    self.assertIn("'joint' is superior", question['sentence'])
    self.assertEqual(question['words'], 'YES')
    for name in ('superior', 'equivalent'):
      least = min(
        (c['patients_needed'][name], c['arm']) for c in found['comparisons']
      )
      need = question['patients_needed'][name]
      self.assertEqual((need['patients'], need['arm']), least)
    for c in found['comparisons']:
      self.assertIn(f"'{c['arm']}'", c['sentence'])
      self.assertIn(c['verdict'], c['sentence'])
    self.assertIn('these fitted models', found['evaluation']['estimand_text'])
    self.assertEqual(found['evaluation']['estimand'], 'min_single')

  def test_all_inferior(self):
    found = summarise(table_of(), singles=['joint'], fusions=['image', 'ehr'])
    self.assertEqual(found['question']['verdict'], 'inferior')
    self.assertEqual(found['question']['arm'], 'ehr')

  def test_equivalent(self):
    config = config_lib.EvaluationConfig(replicates=199, margin=0.2)
    found = summarise(
      table_of(arms={'image': 1.2, 'late': 1.2}),
      singles=['image'],
      fusions=['late'],
      config=config,
    )
    self.assertEqual(found['question']['verdict'], 'equivalent')

  def test_nothing_compared(self):
    found = summarise(table_of(), fusions=[])
    self.assertEqual(found['question']['verdict'], 'inconclusive')
    self.assertIsNone(found['question']['arm'])


class TestsTest(absltest.TestCase):
  def test_corrected_t_goes_with_the_spread_over_folds(self):
    found = summarise(table_of())
    for c in found['comparisons']:
      other = c['without_factor']
      t = other['corrected_t']
      self.assertEqual(t['df'], 2)
      self.assertEqual(other['against'], c['single'])
      self.assertAlmostEqual(t['t'], c['difference'] / other['fold_sd'])
      self.assertBetween(t['p'], 0, 1)
    single = summarise(table_of(folds=1, valid=False))['comparisons'][0]
    single = single['without_factor']
    self.assertIsNone(single['corrected_t']['t'])
    self.assertIn('fewer than two', single['corrected_t']['reason'])

  def test_corrected_t_where_lower_is_better(self):
    config = config_lib.EvaluationConfig(replicates=199, metric='brier')
    joint = summarise(table_of(), config=config)['comparisons'][0]
    t = joint['without_factor']['corrected_t']
    self.assertGreater(t['t'], 0)
    self.assertLess(t['p'], 0.5)

  def test_components(self):
    found = summarise(table_of())['arms']['joint']['variability']
    parts = found['components']
    self.assertAlmostEqual(parts['seed_sd'], found['seed_sd'])
    self.assertBetween(parts['seed_share'], 0, 1)
    alone = summarise(table_of(seeds=(0,)))['arms']['joint']['variability']
    self.assertEqual(
      alone['components']['reason'], 'one seed only, and a spread needs two'
    )

  def test_permutation_only_where_asked_for(self):
    plain = summarise(table_of())['comparisons'][0]
    self.assertNotIn('permutation', plain['without_factor'])
    config = config_lib.EvaluationConfig(replicates=199, permutations=99)
    for c in summarise(table_of(), config=config)['comparisons']:
      test = c['without_factor']['permutation']
      self.assertEqual(test['permutations'], 99)
      self.assertGreaterEqual(test['p'], 0.01)

  def test_bca(self):
    config = config_lib.EvaluationConfig(replicates=199, interval='bca')
    found, plain = summarise(table_of(), config=config), summarise(table_of())
    self.assertEqual(found['evaluation']['method'], 'bca')
    self.assertEqual(found['comparisons'], plain['comparisons'])
    for arm, entry in found['arms'].items():
      value, other = (
        x['metrics']['auroc'] for x in (entry, plain['arms'][arm])
      )
      self.assertEqual(value['estimate'], other['estimate'])
      self.assertAlmostEqual(value['low'], other['low'], delta=0.06)
      self.assertLess(value['low'], value['estimate'])
    self.assertNotEqual(found['arms'], plain['arms'])

  def test_delong_where_it_applies(self):
    found = summarise(independent())
    for c in found['comparisons']:
      test = c['without_factor']['delong']
      self.assertAlmostEqual(test['difference'], c['difference'])
    several = summarise(table_of())['comparisons'][0]['without_factor']
    self.assertIn('one fold', several['delong']['reason'])
    self.assertIsNone(several['delong']['se'])


def independent():
  """One fold, one seed, one study a patient."""
  table = table_of(folds=1, seeds=(0,), valid=False)
  return dataclasses.replace(table, patient_id=table.study_id)


class DeLongTest(absltest.TestCase):
  CONFIG = config_lib.EvaluationConfig(interval='delong')

  def _of(self, table=None, **changes):
    table = independent() if table is None else table
    return summarise(table, **{'config': self.CONFIG, **changes})

  def test_the_same_rules_without_resamples(self):
    found = self._of()
    self.assertIn('normal vector', found['evaluation']['adjustment'])
    joint, late = found['comparisons']
    self.assertEqual(joint['verdict'], 'superior')
    test = joint['without_factor']['delong']
    self.assertAlmostEqual(joint['se'], test['se'])
    # One comparison against one for two arms and two singles.
    self.assertLess(joint['low'], test['low'])
    self.assertEqual(late['verdict'], 'inconclusive')
    value = found['arms']['joint']['metrics']
    self.assertLess(value['auroc']['low'], value['auroc']['estimate'])
    self.assertIsNone(value['brier']['low'])
    self.assertIn('no resamples', value['brier']['reason'])

  def test_near_the_bootstrap(self):
    found, boot = self._of(), summarise(independent())
    for a, b in zip(found['comparisons'], boot['comparisons'], strict=True):
      self.assertAlmostEqual(a['se'] / b['se'], 1, delta=0.25)
      self.assertEqual(a['verdict'], b['verdict'])

  def test_several_studies_a_patient_are_refused(self):
    table = table_of(folds=1, seeds=(0,), valid=False)
    with self.assertRaisesRegex(errors.UserError, 'several.*Use bootstrap'):
      self._of(table)

  def test_where_it_does_not_apply(self):
    with self.assertRaisesRegex(errors.UserError, 'one fold, here are 3'):
      self._of(table_of())
    brier = config_lib.EvaluationConfig(interval='delong', metric='brier')
    with self.assertRaisesRegex(errors.UserError, 'not brier'):
      self._of(config=brier)
    for task, folds, message in (
      (summary_test.BINARY, 2, 'here are 2'),
      (types.Task(types.REGRESSION, ('y',)), 1, 'not r2'),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        summary.check_config(task, self.CONFIG, folds=folds)
    summary.check_config(summary_test.BINARY, self.CONFIG, folds=1)

  def test_one_class_and_three_studies(self):
    table = table_of(n=3, folds=1, seeds=(0,), valid=False)
    table = dataclasses.replace(table, patient_id=table.study_id)
    for labels in (table.labels, np.zeros_like(table.labels)):
      found = self._of(dataclasses.replace(table, labels=labels))
      json.dumps(found, allow_nan=False)
      for c in found['comparisons']:
        self.assertEqual(c['verdict'], 'inconclusive')
        self.assertIsNone(c['low'])
        self.assertTrue(c['reason'])


class NamedReferenceTest(absltest.TestCase):
  def test_all_others_are_compared_with_it(self):
    found = summarise(
      table_of(valid=False),
      singles=[],
      fusions=['image', 'joint', 'late'],
      reference='ehr',
    )
    self.assertEqual(
      [c['reference'] for c in found['comparisons']], ['ehr'] * 3
    )
    self.assertEqual(found['evaluation']['reference'], 'ehr')
    self.assertEqual(found['arms']['ehr']['role'], 'reference')
    self.assertIsNone(found['best_single']['arm'])
    self.assertEqual(found['gain']['single'], 'ehr')
    self.assertTrue(any('given by name' in w for w in found['warnings']))
    self.assertFalse(
      any('compared with nothing' in w for w in found['warnings'])
    )
    told = found['question']['sentence']
    self.assertStartsWith(
      told, "A fusion arm beats 'ehr' here (1 of 3 fusion arms)."
    )
    self.assertIn("superior to 'ehr'", told)
    self.assertNotIn('best single', told)

  def test_is_no_fusion_arm(self):
    found = summarise(table_of(), reference='late')
    self.assertEqual([c['arm'] for c in found['comparisons']], ['joint'])

  def test_unknown(self):
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'joint'"):
      summarise(table_of(n=24), reference='jiont')


class DivisionTest(absltest.TestCase):
  def test_patients_in_two_parts_of_a_fold_are_told(self):
    table = table_of(folds=1, valid=False)
    # Of each patient's two studies one is validated on, the other tested.
    odd = np.array([int(x[1:]) % 2 == 1 for x in table.study_id])
    table = dataclasses.replace(
      table, part=np.where(odd, 'valid', 'test').astype(str)
    )
    (line,) = [
      x for x in summarise(table)['warnings'] if x.startswith('Leakage')
    ]
    self.assertStartsWith(line, 'Leakage: 120 patients (120 test studies) in')
    self.assertFalse(
      any('Leakage' in x for x in summarise(table_of())['warnings'])
    )

  def test_every_fold_applied_to_another_cohort(self):
    table = table_of(valid=False, folds=1)
    again = dataclasses.replace(table, fold=np.ones_like(table.fold))
    found = summarise(predictions.concat([table, again]))
    self.assertEqual(found['evaluation']['factor']['value'], 1)
    self.assertLen(found['folds'], 2)
    self.assertEqual(found['cohort']['studies'], 240)


class RegisteredTest(absltest.TestCase):
  def _file(self, **changes):
    path = pathlib.Path(self.create_tempdir().full_path) / 'plan.json'
    fixed = {
      'metric': 'auroc',
      'margin': 0.02,
      'arms': ['image', 'ehr', 'joint', 'late'],
      'reference': 'best_single',
      'estimand': 'min_single',
    }
    fixed = {k: v for k, v in {**fixed, **changes}.items() if v is not None}
    path.write_text(json.dumps(fixed))
    return config_lib.EvaluationConfig(replicates=199, registered=str(path))

  def test_as_registered(self):
    self.assertIsNone(summarise(table_of())['registration'])
    found = summarise(table_of(), config=self._file())
    self.assertEmpty(found['registration']['deviations'])
    self.assertLen(found['registration']['sha256'], 64)
    self.assertEqual(found['warnings'], summarise(table_of())['warnings'])
    short = found['registration']['sha256'][:12]
    self.assertIn(
      f'This is as registered (SHA-256 {short}). This',
      found['question']['sentence'],
    )

  def test_deviations_are_warnings(self):
    config = self._file(margin=0.05, arms=['image', 'ehr', 'joint'])
    found = summarise(table_of(), config=config)
    lines = found['registration']['deviations']
    self.assertLen(lines, 2)
    self.assertContainsSubset(lines, found['warnings'])
    self.assertIn(
      'The run deviates from its registration in 2 points (see warnings), so '
      'this verdict is not the registered one.',
      found['question']['sentence'],
    )
    self.assertNotIn('as registered (', found['question']['sentence'])

  def test_without_an_estimand_the_former_verdict_stands_beside(self):
    found = summarise(table_of(), config=self._file(estimand=None))
    (line,) = found['registration']['deviations']
    self.assertIn('fixes no estimand', line)
    picked = found['comparisons'][0]['picked_on_validation']['verdict']
    self.assertIn(
      'Against the single modality picked on validation the verdict would be '
      f'{picked}.',
      found['question']['sentence'],
    )

  def test_cohort(self):
    config = self._file(cohort='abc')
    found = summarise(table_of(), config=config, cohort={'digest': 'abc'})
    self.assertEmpty(found['registration']['deviations'])
    wrong = summarise(table_of(), config=config, cohort={'digest': 'x'})
    self.assertLen(wrong['registration']['deviations'], 1)
    self.assertIn('in 1 point (', wrong['question']['sentence'])
    other = summarise(table_of(), config=config)
    self.assertEmpty(other['registration']['deviations'])
    self.assertLen(other['registration']['unchecked'], 1)
    self.assertContainsSubset(
      other['registration']['unchecked'], other['warnings']
    )
    self.assertIn(
      '), but its cohort was not checked.', other['question']['sentence']
    )

  def test_unreadable(self):
    config = config_lib.EvaluationConfig(registered='none.json')
    with self.assertRaisesRegex(errors.UserError, 'No such registration'):
      summarise(table_of(n=24), config=config)
    with self.assertRaisesRegex(errors.UserError, 'No such registration'):
      summary.check_config(summary_test.BINARY, config, folds=3)


class SectionsTest(absltest.TestCase):
  def test_stand_at_the_top(self):
    found = summarise(table_of(), sections={'learning': [np.float64(1.5)]})
    self.assertEqual(found['learning'], [1.5])
    with self.assertRaisesRegex(ValueError, 'arms is a key'):
      summarise(table_of(n=24), sections={'arms': {}})


if __name__ == '__main__':
  absltest.main()
