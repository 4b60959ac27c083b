"""Tests of predictions without fusion: whole runs on a cohort of few bytes."""

import dataclasses
import json
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from scipy import special

from fusion_jax.ablation import changes, controls, learners, pairs
from fusion_jax.core import errors, types
from fusion_jax.evaluation import conditions, predictions
from tests import tiny
from tests.ablation import changes_test, runner_test

ALL = ('controls.conditions=all', 'controls.emap_studies=20')
ARMS = 'run_arms=ehr_linear,ehr_trees,image_pca,early_pca'
# The ensemble of models that do not differ by seed needs a partner.
TWO_SINGLES = 'run_arms=ehr_linear,ehr_trees,early_pca'


def records(path):
  """By key, the records of control results."""
  found = {}
  for file in (path / 'nodes').glob('*/node.json'):
    record = json.loads(file.read_text())
    if 'control' in record:
      found[file.parent.name] = record
  return found


class ControlsTestCase(runner_test.RunnerTestCase):
  def _run(self, *overrides, cohort=None, arms=ARMS):
    report, store, shown = runner_test.run(
      self.path, *overrides, cohort=cohort or tiny.cohort(), arms=arms
    )
    self.assertEmpty(report.failures)
    table = predictions.read(store.path / 'predictions.parquet')
    return report.summary, table, shown

  def _of(self, table, arm, condition, seed=0):
    rows = (table.arm == arm) & (table.condition == condition)
    rows &= (table.part == 'test') & (table.seed == seed)
    found = table.take(np.flatnonzero(rows))
    return found.take(np.argsort(found.study_id))


class ControlsTest(ControlsTestCase):
  def test_nothing_is_run_without_being_asked_for(self):
    summary, table, _ = self._run()
    self.assertEqual(set(table.condition), {'intact'})
    self.assertEmpty(records(self.path))
    self.assertEqual(summary['controls'], {})

  @parameterized.parameters(*types.TASK_KINDS)
  def test_every_condition(self, kind):
    cohort = tiny.cohort(kind=kind, absent=True)
    summary, table, _ = self._run(*ALL, cohort=cohort, arms=TWO_SINGLES)
    names = conditions.CONDITIONS
    self.assertEqual(set(table.condition), {'intact', *names})
    metric = summary['task']['metric']
    found = summary['controls']
    self.assertEqual(list(found), ['early_pca'])
    for name in names:
      entry = found['early_pca']['conditions'][name]
      with self.subTest(name):
        self.assertIsNotNone(entry['metrics'][metric]['estimate'])
        self.assertIsNotNone(entry['loss']['low'])
        studies = 40 if name == 'emap' else len(cohort)
        self.assertAlmostEqual(entry['studies'], studies, delta=1)
    for name in set(names) - {'ensemble'}:
      self.assertEqual(set(table.arm[table.condition == name]), {'early_pca'})
    # An additive arm is its own additive projection.
    self.assertAlmostEqual(found['early_pca']['emap']['estimate'], 0, places=6)
    emap = self._of(table, 'early_pca', 'emap')
    intact = self._of(table, 'early_pca', 'intact')
    rows = np.isin(intact.study_id, emap.study_id)
    np.testing.assert_allclose(emap.scores, intact.scores[rows], atol=1e-5)
    self.assertTrue(all(x.all() for x in emap.available.values()))
    predictions.check(table)

  def test_the_sentence_says_what_was_found(self):
    summary, _, _ = self._run(*ALL, cohort=tiny.cohort(300), arms=TWO_SINGLES)
    found = summary['controls']['early_pca']
    self.assertEqual(
      found['fusion'],
      {'uses_both': True, 'interactions': False, 'beats_ensemble': True},
    )
    self.assertIn('uses both modalities', found['sentence'])
    self.assertIn('The gain is fusion', found['sentence'])
    both = found['shapley']['both']['estimate']
    parts = [found['shapley'][m]['estimate'] for m in ('image', 'ehr')]
    self.assertAlmostEqual(sum(parts), both)
    auroc = summary['arms']['early_pca']['metrics']['auroc']['estimate']
    self.assertAlmostEqual(both, auroc - 0.5)

  def test_a_finished_control_is_not_made_again(self):
    self._run('controls.conditions=image_permuted,emap')
    before = runner_test.comparable(self.path)
    names = [r['control'] for r in records(self.path).values()]
    self.assertCountEqual(names, ['image_permuted', 'emap'] * 2)
    with mock.patch.object(learners, 'create_learner') as create:
      _, table, _ = self._run()
    create.assert_not_called()
    # What was asked for once stays in the summary.
    self.assertEqual(runner_test.comparable(self.path), before)
    self.assertIn('emap', table.condition)

  def test_only_what_is_new_is_made(self):
    self._run('controls.conditions=image_permuted')
    keys = runner_test.keys(self.path)
    with mock.patch.object(
      changes, 'change', side_effect=changes.change
    ) as change:
      self._run('controls.conditions=ehr_permuted')
    self.assertEqual(
      [c.args[1] for c in change.call_args_list], ['ehr_permuted']
    )
    self.assertContainsSubset(keys, runner_test.keys(self.path))
    self.assertLen(records(self.path), 4)
    with mock.patch.object(
      changes, 'change', side_effect=changes.change
    ) as change:
      self._run('seeds=2')
    self.assertLen(records(self.path), 8)

  def test_another_number_of_emap_studies_is_another_control(self):
    self._run('controls.conditions=emap', 'controls.emap_studies=20')
    _, table, _ = self._run('controls.emap_studies=30')
    self.assertLen(records(self.path), 4)
    self.assertLen(self._of(table, 'early_pca', 'emap'), 60)

  def test_interrupted_and_resumed(self):
    self._run(*ALL)
    whole = runner_test.comparable(self.path)
    self.path = self.path.with_name('other')
    self._run()
    real = controls._land
    count = 0

    def land(*args):
      nonlocal count
      count += 1
      if count == 5:
        raise KeyboardInterrupt
      real(*args)

    with mock.patch.object(controls, '_land', land):
      with self.assertRaises(KeyboardInterrupt):
        self._run(*ALL)
    self.assertLen(records(self.path), 4)
    self._run(*ALL)
    self.assertEqual(runner_test.comparable(self.path), whole)

  def test_a_modality_that_is_ignored_changes_nothing(self):
    # One pixel value in every image: no model can make anything of it.
    cohort = tiny.cohort()
    blank = tiny.changed(cohort, images=np.full_like(tiny.images(cohort), 9))
    _, table, _ = self._run(
      *ALL, cohort=blank, arms='run_arms=ehr_linear,early_pca'
    )
    intact = self._of(table, 'early_pca', 'intact')
    found = self._of(table, 'early_pca', 'image_permuted')
    np.testing.assert_array_equal(found.scores, intact.scores)
    other = self._of(table, 'early_pca', 'ehr_permuted')
    self.assertFalse(np.array_equal(other.scores, intact.scores))

  def test_garbage_in_an_absent_modality_has_no_effect(self):
    self._run('controls.conditions=image_absent')
    _, first, _ = self._run()
    self.path = self.path.with_name('garbage')
    real = changes.change

    def change(cohort, condition, splits, *, seed):
      found, done = real(cohort, condition, splits, seed=seed)
      rng = np.random.default_rng(0)
      garbage = rng.integers(0, 255, tiny.images(found).shape).astype(np.uint8)
      return tiny.changed(found, images=garbage), done

    with mock.patch.object(changes, 'change', change):
      _, second, _ = self._run('controls.conditions=image_absent')
    np.testing.assert_array_equal(
      *(
        self._of(t, 'early_pca', 'image_absent').scores for t in (first, second)
      )
    )

  def test_a_part_that_cannot_be_permuted_is_left_out(self):
    cohort = tiny.cohort()
    patient = cohort.patient.copy()
    patient[:40] = 'one'
    cohort = dataclasses.replace(cohort, patient=patient)
    fold = [
      int((s.test < 40).sum() * 2 > len(s.test))
      for s in changes_test.splits_of(cohort)
    ]
    self.assertEqual(sum(fold), 1)
    summary, table, _ = self._run(
      'controls.conditions=image_permuted', cohort=cohort
    )
    found = table.fold[table.condition == 'image_permuted']
    self.assertEqual(set(found), {fold.index(0)})
    entry = summary['controls']['early_pca']['conditions']['image_permuted']
    self.assertEqual(entry['folds'], 1)
    # The other one stays finished, too.
    with mock.patch.object(changes, 'change') as change:
      self._run(cohort=cohort)
    change.assert_not_called()

  def test_a_late_arm_is_given_exchanged_predictions(self):
    rules = ('late_mean', 'late_stack', 'late_vote')
    summary, table, _ = self._run(
      *ALL,
      *(f'--arm={x}={x}(image=image_pca,ehr=ehr_linear)' for x in rules),
      arms=f'run_arms={",".join(rules)}',
    )
    for fold in (0, 1):
      here = table.take(np.flatnonzero(table.fold == fold))

      def logits(arm, condition='intact', here=here):
        return special.logit(self._of(here, arm, condition).scores[:, 0])

      for condition, kept, exchanged in (
        ('image_permuted', 'ehr_linear', 'image_pca'),
        ('ehr_permuted', 'image_pca', 'ehr_linear'),
      ):
        other = 2 * logits('late_mean', condition) - logits(kept)
        self.assertFalse(np.isclose(other, logits(exchanged)).all())
        np.testing.assert_allclose(
          np.sort(other), np.sort(logits(exchanged)), atol=1e-6
        )
      for condition, kept in (
        ('image_absent', 'ehr_linear'),
        ('ehr_absent', 'image_pca'),
      ):
        np.testing.assert_allclose(
          logits('late_mean', condition), logits(kept), atol=1e-9
        )
    for rule in ('late_mean', 'late_stack'):
      loss = summary['controls'][rule]['emap']['estimate']
      self.assertAlmostEqual(loss, 0, places=6)

  def test_no_fusion_arm(self):
    summary, _, _ = self._run(*ALL, arms='run_arms=ehr_linear,ehr_trees')
    self.assertEqual(summary['controls'], {})

  def test_unknown_conditions(self):
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'image_noise'"):
      self._run('controls.conditions=image_nose')
    with self.assertRaisesRegex(errors.UserError, 'emap_studies=1: expected'):
      self._run('controls.emap_studies=1')


class EmapRowsTest(absltest.TestCase):
  def test_whole_patients_with_both_modalities(self):
    cohort = tiny.cohort(absent=True)
    split = changes_test.splits_of(cohort)[0]
    rows = controls.emap_rows(cohort, split, 11, 0)
    self.assertLessEqual(len(rows), 11)
    self.assertGreaterEqual(len(rows), 10)
    for present in cohort.present.values():
      self.assertTrue(present[rows].all())
    complete = np.all([*cohort.present.values()], axis=0)
    for patient in np.unique(cohort.patient[rows]):
      whole = split.test[complete[split.test]]
      whole = whole[cohort.patient[whole] == patient]
      self.assertTrue(np.isin(whole, rows).all())
    np.testing.assert_array_equal(
      controls.emap_rows(cohort, split, 11, 0), rows
    )
    self.assertLen(controls.emap_rows(cohort, split, 500, 0), 30)


@pytest.mark.slow
class NeuralControlsTest(ControlsTestCase):
  def test_every_kind_of_arm(self):
    _, table, shown = self._run(
      *ALL,
      cohort=tiny.cohort(absent=True),
      arms='run_arms=image,ehr,joint,joint_additive,early_raw,early_features,'
      'early_trees,late_mean,late_stack,late_vote',
    )
    fusions = {
      *'joint joint_additive early_raw early_features early_trees'.split(),
      *'late_mean late_stack late_vote'.split(),
    }
    for name in set(conditions.CONDITIONS) - {'ensemble'}:
      self.assertEqual(set(table.arm[table.condition == name]), fusions)
    self.assertIn('Control ensemble', shown)
    for arm in ('joint_additive', 'late_mean', 'late_stack'):
      emap = self._of(table, arm, 'emap')
      intact = self._of(table, arm, 'intact')
      rows = np.isin(intact.study_id, emap.study_id)
      np.testing.assert_allclose(
        emap.scores, intact.scores[rows], atol=1e-5, err_msg=arm
      )
    for arm, single, condition in (
      ('late_mean', 'ehr', 'image_absent'),
      ('late_mean', 'image', 'ehr_absent'),
    ):
      alone = self._of(table, single, 'intact')
      found = self._of(table, arm, condition)
      rows = alone.available['image'] & alone.available['ehr']
      np.testing.assert_allclose(
        found.scores[rows], alone.scores[rows], atol=1e-5
      )
    best = table.take(np.flatnonzero(table.condition == 'ensemble'))
    self.assertContainsSubset(set(best.arm), {'image', 'ehr'})
    with mock.patch.object(pairs, 'logits') as grid:
      self._run(*ALL, cohort=tiny.cohort(absent=True), arms='run_arms=joint')
    grid.assert_not_called()


if __name__ == '__main__':
  absltest.main()
