"""Tests of experiments.studies.calibration.end_to_end."""

import dataclasses
from unittest import mock

import numpy as np
from absl.testing import absltest
from sklearn import metrics

from experiments.studies.calibration import cells, end_to_end
from fusion_jax.data import config as data_config
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import predictions
from tests import tiny

CELL = cells.Cell('end_to_end', 4, 150, 3)


class EndToEndTest(absltest.TestCase):
  def test_fusion_cannot_be_better_than_the_image(self):
    shift, covariance = end_to_end.geometry()
    best = end_to_end.true_auroc(np.linalg.solve(covariance, shift))
    image = np.zeros(len(shift))
    image[:12] = shift[:12]
    self.assertAlmostEqual(best, end_to_end.true_auroc(image), places=12)
    self.assertAlmostEqual(best, 0.80, places=12)
    ehr = np.zeros(len(shift))
    ehr[12:] = np.linalg.solve(covariance[12:, 12:], shift[12:])
    self.assertBetween(end_to_end.true_auroc(ehr), 0.65, 0.75)

  def test_true_auroc_is_that_of_generated_studies(self):
    rng = np.random.default_rng(0)
    cohort = end_to_end.make(cells.Cell('end_to_end', 4, 40000, 3), rng)
    for _ in range(3):
      weights = rng.normal(size=tiny.numeric(cohort).shape[1]) + 0.3
      found = metrics.roc_auc_score(
        cohort.labels[:, 0], tiny.numeric(cohort) @ weights
      )
      self.assertAlmostEqual(found, end_to_end.true_auroc(weights), delta=0.012)
    self.assertEqual(end_to_end.true_auroc(np.zeros(18)), 0.5)

  def test_weights_are_those_of_the_scores(self):
    """Every arm, stacking too, is linear in the columns."""
    cohort = end_to_end.make(CELL, np.random.default_rng(1))
    split = splits_lib.make_splits(cohort, data_config.SplitConfig(folds=3))[0]
    tables, weights = end_to_end.train(cohort, split)
    self.assertSameElements(weights, (*end_to_end.SINGLES, *end_to_end.FUSIONS))
    for table in tables:
      if table.part[0] == predictions.TEST:
        p = table.scores[:, 0]
        line = tiny.numeric(cohort)[split.test] @ weights[str(table.arm[0])]
        logit = np.log(p / (1 - p))
        np.testing.assert_allclose(
          logit - logit.mean(), line - line.mean(), atol=1e-8
        )

  def test_one_run(self):
    settings = cells.Settings(replicates=100)
    found = end_to_end.verdict(CELL, settings, 0)
    np.testing.assert_equal(found, end_to_end.verdict(CELL, settings, 0))
    self.assertIn(found['covered'], (0, 1))
    self.assertBetween(found['arm_covered'], 0, 1)
    wide = dataclasses.replace(CELL, factor=3.0)
    wide = end_to_end.verdict(wide, settings, 0)
    self.assertGreater(wide['width'], 2 * found['width'])

  def test_fresh_runs_have_the_same_models_and_other_patients(self):
    settings = cells.Settings(replicates=100)
    given = []
    train = end_to_end.train

    def kept(cohort, split):
      given.append((cohort, split, train(cohort, split)))
      return given[-1][-1]

    with mock.patch.object(end_to_end, 'train', kept):
      end_to_end.verdict(CELL, settings, 0)
      found = end_to_end.fresh(CELL, settings, 0)
    self.assertBetween(found['arm_covered'], 0, 1)
    usual, fresh = given[: end_to_end.FOLDS], given[end_to_end.FOLDS :]
    seen = set()
    for (_, before, (_, w)), (cohort, split, (_, same)) in zip(
      usual, fresh, strict=True
    ):
      for arm in w:
        np.testing.assert_array_equal(w[arm], same[arm])
      self.assertLen(split.test, len(before.test))
      seen |= set(cohort.patient[np.r_[split.train, split.valid]])
    for cohort, split, _ in fresh:
      self.assertEmpty(seen & set(cohort.patient[split.test]))


if __name__ == '__main__':
  absltest.main()
