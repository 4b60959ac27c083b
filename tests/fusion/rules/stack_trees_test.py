"""Tests of the rule 'stack_trees'."""

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import ensemble, metrics, tree

from fusion_jax.core import errors, links, types
from fusion_jax.fusion import late
from fusion_jax.fusion.rules import stack_trees
from tests.fusion.rules import predicted

everyone = predicted.everyone
example = predicted.example
fit = predicted.fit


class TreesTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, 3)
  def test_is_the_tree_of_squares_of_another_library(self, depth):
    """Of squared errors, without a penalty, over all distinct values."""
    rng = np.random.default_rng(depth)
    x = rng.integers(0, 20, (300, 3)).astype(float)
    y = np.sin(x[:, 0]) + (x[:, 1] > 7) * x[:, 2] + rng.normal(size=300)
    own = stack_trees.grow(
      stack_trees.Binned.of(x), -y, np.ones(300), depth=depth, ridge=0.0
    )
    other = tree.DecisionTreeRegressor(
      max_depth=depth, min_samples_leaf=stack_trees.LEAST, random_state=0
    ).fit(x, y)
    np.testing.assert_allclose(
      stack_trees.leaves(own, x), other.predict(x), atol=1e-9
    )

  def test_boosting_is_that_of_another_library(self):
    """Squared errors, 20 rounds at a rate; its leaves have no penalty."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 15, (200, 2)).astype(float)
    y = x[:, 0] * (x[:, 1] > 6) + rng.normal(size=200)
    mean, rate, fused = y.mean(), 0.3, np.full(200, y.mean())
    for _ in range(20):
      grown = stack_trees.grow(
        stack_trees.Binned.of(x), fused - y, np.ones(200), depth=2, ridge=0.0
      )
      fused = fused + rate * stack_trees.leaves(grown, x)
    other = ensemble.GradientBoostingRegressor(
      learning_rate=rate,
      n_estimators=20,
      max_depth=2,
      min_samples_leaf=stack_trees.LEAST,
      random_state=0,
    ).fit(x, y)
    self.assertAlmostEqual(float(other.init_.predict(x)[0]), mean)
    np.testing.assert_allclose(fused, other.predict(x), atol=1e-8)

  def test_leaves_are_newton_steps(self):
    slope, curvature = np.array([1.0, -3.0, 0.5]), np.array([0.5, 1.0, 0.25])
    x = stack_trees.Binned.of(np.zeros((3, 1)))
    self.assertAlmostEqual(
      stack_trees.grow(x, slope, curvature, depth=2, ridge=2.0), 1.5 / 3.75
    )

  def test_many_values_have_few_cuts(self):
    x = np.random.default_rng(0).normal(size=(1000, 1))
    (cuts,) = stack_trees.Binned.of(x).cuts
    self.assertLen(cuts, stack_trees.CUTS)
    codes = stack_trees.Binned.of(x).codes[:, 0]
    np.testing.assert_array_equal(codes <= 4, x[:, 0] <= cuts[4])


class StackTreesTest(parameterized.TestCase):
  def test_learns_an_exclusive_or(self):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2000, 1))
    labels = (a * b > 0).astype(np.float64)
    logits = {'image': 3 * a, 'ehr': 2 * b}
    half = {k: x[:1000] for k, x in logits.items()}
    rule = 'stack_trees(rate=0.3)'
    fitted = fit(rule, types.BINARY, half, everyone(half), labels[:1000])
    rest = {k: x[1000:] for k, x in logits.items()}
    fused = fitted.apply(rest, everyone(rest))
    self.assertGreater(metrics.roc_auc_score(labels[1000:], fused), 0.9)

  @parameterized.parameters(*types.TASK_KINDS)
  def test_cross_validation_keeps_no_round_of_noise(self, kind):
    logits, present, labels = example(kind, n=100)
    rng = np.random.default_rng(3)
    noise = {k: rng.normal(size=x.shape) for k, x in logits.items()}
    fold = np.arange(100) % 5
    rule = 'stack_trees(rounds=20,rate=0.5)'
    fitted = fit(rule, kind, noise, present, labels, fold=fold)
    learnt = fit(rule, kind, logits, present, labels, fold=fold)
    self.assertLess(len(fitted.state['trees']), len(learnt.state['trees']))

  def test_the_loss_on_what_it_is_fitted_on_falls_with_rounds(self):
    logits, present, labels = example(types.MULTICLASS)
    task = predicted.TASKS[types.MULTICLASS]
    losses = [
      links.mean_loss(
        task,
        fit(
          f'stack_trees(rounds={k})', types.MULTICLASS, logits, present, labels
        ).apply(logits, present),
        labels,
      )
      for k in (1, 5, 25)
    ]
    self.assertEqual(sorted(losses, reverse=True), losses)

  def test_impossible_arguments(self):
    with self.assertRaisesRegex(errors.UserError, 'at least 1'):
      late.create('stack_trees(depth=0)')


if __name__ == '__main__':
  absltest.main()
