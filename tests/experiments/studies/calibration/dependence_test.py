"""Tests of experiments.studies.calibration.dependence."""

import dataclasses
from unittest import mock

import numpy as np
import threadpoolctl
from absl.testing import absltest, parameterized
from sklearn import metrics

from experiments.studies.calibration import cells, dependence

SETTINGS = cells.Settings(replicates=100)
CELL = dependence.Cell('lda', 120, 3, dependence.FEW, dependence.COPY)


class WorldTest(parameterized.TestCase):
  @parameterized.parameters(*dependence.LAYOUTS)
  def test_true_auroc_is_that_of_generated_studies(self, layout):
    cell = dataclasses.replace(CELL, layout=layout)
    rng = np.random.default_rng(0)
    x, y = dependence.draw(cell, rng, 60_000)
    for _ in range(3):
      weights = rng.normal(size=x.shape[1]) + 0.3
      area = metrics.roc_auc_score(y, x @ weights)
      self.assertAlmostEqual(
        area, dependence.true_auroc(cell, weights), delta=0.01
      )
    self.assertEqual(dependence.true_auroc(cell, np.zeros(x.shape[1])), 0.5)

  def test_a_copy_adds_nothing_to_the_image(self):
    shift, mixing = dependence.geometry(CELL)
    best = np.linalg.solve(mixing @ mixing.T, shift)
    image = np.where(np.arange(len(shift)) < CELL.columns[0], shift, 0)
    self.assertAlmostEqual(
      dependence.true_auroc(CELL, best), dependence.true_auroc(CELL, image)
    )
    self.assertAlmostEqual(dependence.true_auroc(CELL, image), 0.75)


class SimulateTest(parameterized.TestCase):
  def test_outcomes_by_factor(self):
    outcomes = dependence.simulate(CELL, SETTINGS, 0)
    np.testing.assert_equal(outcomes, dependence.simulate(CELL, SETTINGS, 0))
    runs = [dependence.simulate(CELL, SETTINGS, run) for run in range(12)]
    for name in ('covered', 'single_covered', 'arm_covered'):
      rates = [
        np.mean([x[f'{name}@{f:.2f}'] for x in runs])
        for f in dependence.FACTORS
      ]
      # Wider bounds cover no less.
      self.assertTrue((np.diff(rates) >= 0).all(), name)
    self.assertTrue(all(x['fewest'] <= 60 for x in runs))

  @parameterized.parameters(dependence.TREES, dependence.NETWORK)
  def test_learners_that_are_not_linear(self, learner):
    cell = dataclasses.replace(CELL, part=learner)
    with (
      mock.patch.object(dependence, 'FRESH', 2000),
      threadpoolctl.threadpool_limits(1),
    ):
      outcomes = dependence.simulate(cell, SETTINGS, 0)
    self.assertIn(outcomes['covered@1.00'], (0, 1))

  @parameterized.parameters(*dependence.JUDGED)
  def test_every_study_is_tested_once_by_models_that_did_not_see_it(
    self, learner
  ):
    cell = dataclasses.replace(CELL, part=learner)
    seen = []
    arms = dependence._arms

    def watched(cell, x, y, train, rows, fresh, run):
      self.assertEmpty(set(train) & set(rows))
      seen.extend(rows)
      return arms(cell, x, y, train, rows, fresh, run)

    dependence._arms = watched
    self.addCleanup(setattr, dependence, '_arms', arms)
    dependence.simulate(cell, SETTINGS, 0)
    self.assertCountEqual(seen, range(cell.n))


class GridTest(absltest.TestCase):
  def test_judged_learners_have_all_sizes_and_folds(self):
    grid = dependence.grid()
    self.assertLen({c.name for c in grid}, len(grid))
    for learner in dependence.JUDGED:
      own = [c for c in grid if c.part == learner]
      self.assertEqual({c.folds for c in own}, {3, 5, 10})
      self.assertEqual({c.n for c in own}, {120, 300, 1000})
      self.assertEqual({c.layout for c in own}, set(dependence.LAYOUTS))
    self.assertEqual({c.part for c in grid}, set(dependence.LEARNERS))


if __name__ == '__main__':
  absltest.main()
