import dataclasses

import numpy as np
import threadpoolctl
from absl.testing import absltest, parameterized
from sklearn import ensemble

from fusion_jax.core import errors, links, types
from fusion_jax.training import boosting, forest

BINARY = types.Task(types.BINARY, ('y',))
MULTICLASS = types.Task(types.MULTICLASS, ('a', 'b', 'c'))
REGRESSION = types.Task(types.REGRESSION, ('y',))
SURVIVAL = types.Task(types.SURVIVAL, ('t', 'e'))
OPTIONS = {
  'learning_rate': 0.2,
  'max_leaf_nodes': 8,
  'l2_regularization': 1.0,
  'categorical_features': np.array([False, False, True]),
  'random_state': 0,
}


def rows(task, n=400, seed=0):
  """(x, labels, weight) of an interaction; missing values, one of codes."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(n, 3))
  x[:, 2] = rng.integers(0, 4, n)
  signal = 2 * np.sign(x[:, 0]) * np.sign(x[:, 1]) + (x[:, 2] == 2)
  if task is BINARY:
    y = (signal + rng.logistic(size=n) > 0)[:, None]
  elif task is MULTICLASS:
    y = np.digitize(signal + rng.logistic(size=n), [-1, 1])[:, None]
  elif task is REGRESSION:
    y = 5 + (signal + 0.3 * rng.normal(size=n))[:, None]
  else:
    time = np.ceil(20 * rng.exponential(size=n) * np.exp(-signal))
    y = np.stack([time, rng.random(n) < 0.8], axis=1)
  x[rng.random((n, 3)) < 0.05] = np.nan
  return x, np.asarray(y, np.float64), np.ones(n)


def first_trees(found, count):
  """A forest of the first `count` trees of another."""
  return dataclasses.replace(
    found, roots=found.roots[: count + 1], output=found.output[:count]
  )


class BinsTest(absltest.TestCase):
  def test_short_columns_and_codes_stay_and_missing_stays_missing(self):
    x = np.stack([np.arange(600.0), np.arange(600) % 7, np.arange(600)], 1)
    x[3] = np.nan
    bins = boosting.Bins.fit(x, np.array([False, False, True]))
    binned = bins(x)
    np.testing.assert_array_equal(binned[:, 1:], x[:, 1:])
    self.assertTrue(np.isnan(binned[3]).all())
    self.assertLessEqual(len(np.unique(binned[:, 0])), boosting.MAX_BINS + 1)
    self.assertGreater(len(np.unique(binned[:, 0])), boosting.MAX_BINS - 3)
    self.assertTrue((np.diff(np.delete(binned[:, 0], 3)) >= 0).all())

  def test_values_outside_the_training_range_take_the_end_bins(self):
    bins = boosting.Bins.fit(np.arange(600.0)[:, None], np.array([False]))
    ends = bins(np.array([[-1e9], [0], [599], [1e9]]))[:, 0]
    self.assertEqual(ends[0], ends[1])
    self.assertEqual(ends[2], ends[3])

  def test_a_column_without_a_value_is_constant(self):
    x = np.stack([np.arange(600.0), *np.full((2, 600), np.nan)], 1)
    bins = boosting.Bins.fit(x, np.array([False, False, True]))
    self.assertEqual(bins.empty, (1, 2))
    # Also where other rows have values, of which nothing is known.
    np.testing.assert_array_equal(bins(np.ones((4, 3)))[:, 1:], 0)
    again = boosting.Bins.from_arrays(bins.to_arrays())
    np.testing.assert_array_equal(again(x), bins(x))


class SingleThreadedTest(parameterized.TestCase):
  """As the library runs it: threads only fight over a machine's few cores."""

  def setUp(self):
    super().setUp()
    limits = threadpoolctl.threadpool_limits(limits=1)
    self.addCleanup(limits.restore_original_limits)


class HistogramTest(SingleThreadedTest):
  def test_equals_plain_scikit_learn_with_the_same_rounds(self):
    for task, create in (
      (BINARY, ensemble.HistGradientBoostingClassifier),
      (REGRESSION, ensemble.HistGradientBoostingRegressor),
    ):
      x, y, weight = rows(task)
      valid = rows(task, seed=1)
      fitted = boosting.Histogram.fit(task, (x, y, weight), valid, OPTIONS)
      self.assertBetween(fitted.rounds, 2, boosting.MAX_ROUNDS)
      reference = create(
        max_iter=fitted.rounds, early_stopping=False, **OPTIONS
      ).fit(x, y[:, 0])
      if task is BINARY:
        expected = reference.decision_function(valid[0])
      else:
        expected = reference.predict(valid[0])
      # Its cuts come from the same percentiles.
      np.testing.assert_allclose(
        fitted.logits(valid[0])[:, 0], expected, rtol=1e-6, atol=1e-6
      )

  @parameterized.parameters(BINARY, MULTICLASS, REGRESSION)
  def test_rounds_have_the_lowest_validation_loss(self, task):
    train, valid = rows(task), rows(task, seed=1)
    fitted = boosting.Histogram.fit(task, train, valid, OPTIONS)
    best = links.mean_loss(task, fitted.logits(valid[0]), valid[1])
    for rounds in (fitted.rounds // 2, fitted.rounds + 5):
      other = boosting._create(
        task, len(train[0]), OPTIONS, max_iter=rounds, early_stopping=False
      ).fit(fitted.bins(train[0]), train[1][:, 0])
      trees = forest.of_scikit([other], columns=3)
      model = boosting.Histogram(
        task, fitted.bins, fitted.constant, fitted.classes, trees, rounds
      )
      loss = links.mean_loss(task, model.logits(valid[0]), valid[1])
      self.assertLess(best, loss)

  def test_noise_gives_the_constant(self):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = rng.integers(0, 2, (200, 1)).astype(np.float64)
    valid = (x, 1 - y, np.ones(200))
    fitted = boosting.Histogram.fit(
      BINARY, (x, y, np.ones(200)), valid, OPTIONS
    )
    self.assertEqual((fitted.rounds, fitted.trees), (0, 0))
    np.testing.assert_allclose(
      fitted.logits(x), np.tile(links.constant_logits(BINARY, y), (200, 1))
    )

  def test_classes_that_training_lacks(self):
    x, y, weight = rows(MULTICLASS)
    valid = rows(MULTICLASS, seed=1)
    for lacking in (0, 2):
      kept = y[:, 0] != lacking
      train = (x[kept], y[kept], weight[kept])
      fitted = boosting.Histogram.fit(MULTICLASS, train, valid, OPTIONS)
      p = links.scores_from_logits(MULTICLASS, fitted.logits(x))
      np.testing.assert_allclose(p.sum(axis=1), 1)
      np.testing.assert_allclose(
        p[:, lacking], 0.5 / (kept.sum() + 1.5), rtol=1e-9
      )
      others = np.delete(p, lacking, axis=1)[kept]
      self.assertGreater(others.std(), 0.1)
    only = (valid[0][:5], np.full((5, 1), lacking), valid[2][:5])
    with self.assertRaisesRegex(errors.UserError, 'occurs in the training'):
      boosting.Histogram.fit(MULTICLASS, train, only, OPTIONS)


class EmptyColumnTest(SingleThreadedTest):
  @parameterized.parameters(BINARY, MULTICLASS, REGRESSION, SURVIVAL)
  def test_columns_that_are_empty_in_training_change_nothing(self, task):
    fit = boosting.Histogram.fit
    if task is SURVIVAL:
      fit = boosting.Cox.fit
    train, valid = rows(task), rows(task, seed=1)

    def wider(part, value):
      x = np.insert(part[0], (1, 3), value, axis=1)
      return (x, *part[1:])

    plain = fit(task, train, valid, OPTIONS)
    options = {
      **OPTIONS,
      'categorical_features': np.array([False, False, False, True, True]),
    }
    fitted = fit(task, wider(train, np.nan), wider(valid, 2.0), options)
    self.assertGreater(fitted.trees, 0)
    np.testing.assert_array_equal(
      fitted.logits(wider(valid, 2.0)[0]), plain.logits(valid[0])
    )
    np.testing.assert_array_equal(
      fitted.logits(wider(valid, np.nan)[0]), plain.logits(valid[0])
    )


class CoxTest(SingleThreadedTest):
  def test_learns_and_stops_at_the_lowest_validation_loss(self):
    train, valid = rows(SURVIVAL), rows(SURVIVAL, seed=1)
    fitted = boosting.Cox.fit(SURVIVAL, train, valid, OPTIONS)
    losses = []
    for rounds in range(fitted.rounds + 1):
      model = boosting.Cox(fitted.bins, first_trees(fitted.forest, rounds))
      losses.append(links.mean_loss(SURVIVAL, model.logits(valid[0]), valid[1]))
    self.assertEqual(int(np.argmin(losses)), fitted.rounds)
    self.assertLess(losses[-1], losses[0] - 0.15)
    self.assertAlmostEqual(fitted.logits(train[0]).mean(), 0, places=9)

  def test_matches_scikit_survivals_boosting(self):
    try:
      from sksurv import ensemble as survival
      from sksurv import metrics, util
    except ImportError:
      self.skipTest('scikit-survival is not installed')
    train, valid = rows(SURVIVAL), rows(SURVIVAL, seed=1)
    fitted = boosting.Cox.fit(SURVIVAL, train, valid, OPTIONS)
    reference = survival.GradientBoostingSurvivalAnalysis(
      n_estimators=60, learning_rate=0.2, random_state=0
    ).fit(
      np.nan_to_num(train[0], nan=-9),
      util.Surv.from_arrays(train[1][:, 1] > 0, train[1][:, 0]),
    )
    concordance = [
      metrics.concordance_index_censored(
        valid[1][:, 1] > 0, valid[1][:, 0], score
      )[0]
      for score in (
        fitted.logits(valid[0])[:, 0],
        reference.predict(np.nan_to_num(valid[0], nan=-9)),
      )
    ]
    self.assertGreater(concordance[0], concordance[1] - 0.01)
    self.assertGreater(concordance[1], 0.7)

  def test_rounds_draw_different_columns(self):
    x, y, weight = rows(SURVIVAL)
    rng = np.random.default_rng(2)
    # Copies of the best column, of which one is drawn for each split.
    x = np.repeat(x[:, :1], 8, axis=1) + 1e-6 * rng.normal(size=(len(x), 8))
    options = {
      **OPTIONS,
      'categorical_features': np.zeros(8, bool),
      'max_features': 1 / 8,
    }
    model = boosting.Cox.grown(SURVIVAL, (x, y, weight), options, 40)
    forest = model.forest
    first = forest.column[forest.roots[:-1]]
    self.assertGreater(len(np.unique(first)), 5)
    again = boosting.Cox.grown(SURVIVAL, (x, y, weight), options, 40)
    np.testing.assert_array_equal(again.logits(x), model.logits(x))

  def test_one_leaf_is_a_newton_step(self):
    x, y, weight = rows(SURVIVAL, n=60)
    x = np.where(np.arange(60) < 30, 0.0, 1.0)[:, None]
    options = {
      **OPTIONS,
      'categorical_features': np.array([False]),
      'learning_rate': 1.0,
    }
    fitted = boosting.Cox.fit(SURVIVAL, (x, y, weight), (x, y, weight), options)
    gradient, curvature = links.derivatives(SURVIVAL, np.zeros((60, 1)), y)
    events = y[:, 1].sum()
    expected = [
      -events * gradient[s].sum() / (events * curvature[s].sum() + 1)
      for s in (slice(0, 30), slice(30, 60))
    ]
    one = first_trees(fitted.forest, 1)
    leaf = (one(np.array([[0.0], [1.0]])) - one.start)[:, 0]
    np.testing.assert_allclose(leaf, expected, rtol=1e-4)


if __name__ == '__main__':
  absltest.main()
