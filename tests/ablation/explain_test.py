"""Tests of permuted columns and hidden areas."""

import json

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.ablation import crossed, explain
from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import metrics, thresholds
from fusion_jax.evaluation import predictions as predictions_lib
from tests import tiny
from tests.ablation import config_test, crossed_test, runner_test


def quadrant(n=240, size=16, seed=0):
  """A cohort whose label follows the brightness of the lower left quarter."""
  cohort = tiny.cohort(n, size=size, seed=seed)
  rng = np.random.default_rng(seed + 1)
  bright = rng.normal(size=n)
  images = 128 + 12 * rng.normal(size=tiny.images(cohort).shape)
  images[:, :, size // 2 :, : size // 2] += (
    30 * bright[:, None, None, None, None]
  )
  return tiny.changed(
    cohort,
    images=np.clip(images, 0, 255).astype(np.uint8),
    labels=(bright + 0.3 * rng.normal(size=n) > 0).astype(float)[:, None],
  )


class ExplainTestCase(runner_test.RunnerTestCase):
  def trained(self, cohort, *names, options=()):
    arms = crossed_test.arms_of(*names)
    report, store, _ = runner_test.run(
      self.path, *options, cohort=cohort, arms=arms
    )
    self.assertEmpty(report.failures)
    models = json.loads((self.path / 'models.json').read_text())
    config = config_test.config(*runner_test.SMALL, arms, *options)
    table = predictions_lib.read(self.path / 'predictions.parquet')
    folds = thresholds.attach(
      cohort.task,
      folds_lib.arrange(table),
      folds_lib.arrange(table, predictions_lib.VALID),
    )
    return crossed.Crossed(config, models, store, cohort.task), folds


class ImportanceTest(ExplainTestCase):
  def _importance(self, work, cohort, folds, arm, **options):
    metric = metrics.PRIMARY[cohort.task.kind]
    return explain.importance(
      work, cohort, folds, arm=arm, metric=metric, seed=0, **options
    )

  @parameterized.parameters(
    types.BINARY, types.MULTICLASS, types.MULTILABEL, types.SURVIVAL
  )
  def test_the_column_that_matters_comes_first(self, kind):
    cohort = tiny.cohort(200, kind=kind)
    work, folds = self.trained(cohort, 'ehr_linear')
    found = self._importance(work, cohort, folds, 'ehr_linear')
    self.assertCountEqual(
      [x['column'] for x in found], [x.name for x in explain.columns(cohort)]
    )
    self.assertEqual(found[0]['column'], 'lab')
    self.assertGreater(found[0]['low'], 0)
    self.assertLess(found[0]['low'], found[0]['estimate'])
    self.assertLess(found[0]['estimate'], found[0]['high'])
    for other in found[1:]:
      self.assertLess(abs(other['estimate']), found[0]['estimate'] / 3)

  def test_it_is_what_a_column_permuted_by_hand_costs(self):
    cohort = tiny.cohort(120, absent=True)
    work, folds = self.trained(cohort, 'early_pca', 'ehr_linear', 'image_pca')
    found = {
      x['column']: x
      for x in self._importance(work, cohort, folds, 'early_pca', repeats=1)
    }
    losses = []
    for fold in folds:
      rows = np.searchsorted(cohort.study, fold.study)
      rng = np.random.default_rng([0, explain._STREAM, 0, fold.fold])
      here = rows[cohort.present['ehr'][rows]]
      order = rng.permutation(np.flatnonzero(cohort.present['ehr'][rows]))
      numeric = tiny.numeric(cohort).copy()
      numeric[here, 0] = tiny.numeric(cohort)[rows[order], 0]
      # A study without a record is given none.
      self.assertTrue(np.isnan(numeric[1::5]).all())
      changed = tiny.changed(cohort, numeric=numeric)
      side = crossed.Side(changed)
      logits = work.logits(
        'early_pca',
        (0, fold.fold, 0),
        {'image': side, 'ehr': side},
        {'image': rows, 'ehr': rows},
      )
      values = [
        metrics.evaluate(cohort.task, fold.labels, x, fold.weight, ['auroc'])[
          'auroc'
        ].estimate
        for x in (fold.scores['early_pca'][0], 1 / (1 + np.exp(-logits)))
      ]
      losses.append(values[0] - values[1])
    self.assertAlmostEqual(found['lab']['estimate'], np.mean(losses), places=9)

  def test_it_does_not_depend_on_how_many_are_predicted_at_a_time(self):
    cohort = tiny.cohort(100)
    work, folds = self.trained(cohort, 'ehr_linear')
    whole = self._importance(work, cohort, folds, 'ehr_linear')
    kept = explain._RECORDS
    self.addCleanup(setattr, explain, '_RECORDS', kept)
    explain._RECORDS = 1
    self.assertEqual(whole, self._importance(work, cohort, folds, 'ehr_linear'))

  def test_a_column_that_never_varies_costs_nothing(self):
    cohort = tiny.cohort(120)
    numeric = tiny.numeric(cohort).copy()
    numeric[:, 1] = 3.0
    cohort = tiny.changed(cohort, numeric=numeric)
    work, folds = self.trained(cohort, 'ehr_linear')
    found = self._importance(work, cohort, folds, 'ehr_linear')
    entry = next(x for x in found if x['column'] == 'noise')
    for name in ('estimate', 'low', 'high', 'sd'):
      self.assertEqual(entry[name], 0.0)

  def test_lower_is_better_turns_the_sign(self):
    cohort = tiny.cohort(160)
    work, folds = self.trained(cohort, 'ehr_linear')
    found = explain.importance(
      work, cohort, folds, arm='ehr_linear', metric='brier', seed=0
    )
    self.assertEqual(found[0]['column'], 'lab')
    self.assertGreater(found[0]['estimate'], 0)


class OcclusionTest(ExplainTestCase):
  def _map(self, work, cohort, folds, arm, row, output=0):
    places = explain.models_of(folds, arm)[cohort.study[row]]
    return explain.occlusion(
      work,
      cohort,
      arm=arm,
      row=row,
      places=places,
      output=output,
      modality='image',
    )

  def test_an_arm_that_ignores_the_image_gives_nothing(self):
    cohort = tiny.cohort(size=16)
    work, folds = self.trained(cohort, 'ehr_linear')
    found = self._map(work, cohort, folds, 'ehr_linear', 3)
    np.testing.assert_array_equal(found.values, np.zeros((16, 16)))

  def test_the_quarter_that_decides_stands_out(self):
    cohort = quadrant()
    work, folds = self.trained(cohort, 'image_pca', 'ehr_linear', 'early_pca')
    for arm in ('image_pca', 'early_pca'):
      total = np.zeros((2, 2))
      for row in range(0, 240, 24):
        found = self._map(work, cohort, folds, arm, row)
        self.assertEqual((found.cell, found.patch), (1, 2))
        total += np.abs(found.values).reshape(2, 8, 2, 8).mean(axis=(1, 3))
      self.assertEqual(np.argmax(total), 2, arm)
      self.assertGreater(total[1, 0], 1.5 * np.delete(total.ravel(), 2).max())

  def test_a_bright_quarter_raises_the_prediction(self):
    cohort = quadrant()
    work, folds = self.trained(cohort, 'image_pca')
    level = tiny.images(cohort)[:, 0, 8:, :8].mean(axis=(1, 2, 3))
    for row, sign in ((np.argmax(level), 1), (np.argmin(level), -1)):
      found = self._map(work, cohort, folds, 'image_pca', row)
      self.assertGreater(sign * found.values[8:, :8].mean(), 0)

  @pytest.mark.slow
  def test_a_neural_and_a_late_arm_and_an_odd_size(self):
    cohort = tiny.cohort(size=17, images=2)
    work, folds = self.trained(cohort, 'image', 'ehr', 'late_mean')
    for arm in ('image', 'late_mean'):
      found = self._map(work, cohort, folds, arm, 0)
      self.assertEqual(found.values.shape, (9, 9))
      self.assertEqual((found.cell, found.patch), (2, 4))
      self.assertTrue(np.isfinite(found.values).all())
      self.assertGreater(np.abs(found.values).max(), 0)

  def test_a_class_is_held_against_all_others(self):
    task = tiny.task_of(types.MULTICLASS)
    logits = np.random.default_rng(0).normal(size=(4, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
      explain._value(task, logits, 1), np.log(p[:, 1] / (1 - p[:, 1]))
    )
    np.testing.assert_allclose(
      explain._value(task, logits + 5, 1), explain._value(task, logits, 1)
    )


class MetricTest(parameterized.TestCase):
  @parameterized.parameters(
    (types.SURVIVAL, 'brier@365', 'c_index'),
    (types.SURVIVAL, 'c_index_uno', 'c_index_uno'),
    (types.BINARY, 'auprc', 'auprc'),
  )
  def test_one_that_permuted_studies_have(self, kind, metric, expected):
    self.assertEqual(explain.metric_of(tiny.task_of(kind), metric), expected)


if __name__ == '__main__':
  absltest.main()
