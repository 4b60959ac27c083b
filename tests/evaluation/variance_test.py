import math

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import estimates, metrics, variance


def _estimates(cells):
  """Made-up estimates of one arm from lists of values per seed, by fold."""
  return estimates.Estimates(
    cells=[
      {
        'a': {
          seed: {'auroc': metrics.Value(x)} for seed, x in enumerate(values)
        }
      }
      for values in cells
    ],
    values={},
    estimate={},
  )


class CorrectedTTest(parameterized.TestCase):
  def test_by_hand(self):
    # Mean .02, variance .0002 / 3; 1/4 + 1/3 = 7/12.
    values = np.array([0.01, 0.02, 0.02, 0.03])
    found = variance.corrected_t(values, 1 / 3)
    self.assertAlmostEqual(found.t, 0.02 / math.sqrt(7 / 12 * 0.0002 / 3))
    self.assertEqual(found.df, 3)
    # The closed form of P(T > t) with 3 degrees of freedom.
    x = found.t / math.sqrt(3)
    tail = 0.5 - (x / (1 + x * x) + math.atan(x)) / math.pi
    self.assertAlmostEqual(found.p, tail, places=12)

  @parameterized.parameters(
    ([0.1], 0.5, 'fewer than two folds'),
    ([], 0.5, 'fewer than two folds'),
    ([0.1, np.nan], 0.5, 'fewer than two folds'),
    ([0.1, 0.2], np.nan, 'size of the training'),
    ([0.1, 0.1], 0.5, 'does not vary'),
  )
  def test_undefined(self, values, ratio, reason):
    found = variance.corrected_t(np.array(values), ratio)
    self.assertTrue(math.isnan(found.t))
    self.assertTrue(math.isnan(found.p))
    self.assertIn(reason, found.reason)

  def test_size_on_overlapping_training_parts(self):
    # Folds that share a training error are called different too often by the
    # plain t test and not by the corrected one.
    rng = np.random.default_rng(0)
    folds, ratio, runs = 10, 1 / 9, 2000
    rho = ratio / (1 + ratio)
    shared = rng.normal(size=(runs, 1)) * math.sqrt(rho)
    values = shared + rng.normal(size=(runs, folds)) * math.sqrt(1 - rho)
    p = [variance.corrected_t(v, ratio).p for v in values]
    self.assertLess(np.mean(np.array(p) < 0.05), 0.065)


class ComponentsTest(parameterized.TestCase):
  def test_by_hand(self):
    found = variance.components(
      _estimates([[0.1, 0.3], [0.5, 0.7]]), 'a', 'auroc'
    )
    # Within: 2 * .02 / 2 = .02; between: 2 * (.2^2 + .2^2) = .16.
    self.assertAlmostEqual(found.seed_sd**2, 0.02)
    self.assertAlmostEqual(found.fold_sd**2, (0.16 - 0.02) / 2)
    self.assertAlmostEqual(found.seed_share, 0.02 / 0.09)

  def test_recovers_what_was_simulated(self):
    rng = np.random.default_rng(0)
    squares = []
    for _ in range(300):
      cells = [
        (rng.normal() * 2 + rng.normal(size=k)).tolist()
        for k in (2, 3, 4, 3, 2, 3)
      ]
      found = variance.components(_estimates(cells), 'a', 'auroc')
      squares.append([found.seed_sd**2, found.fold_sd**2])
    mean = np.mean(squares, axis=0)
    self.assertAlmostEqual(mean[0], 1, delta=0.15)
    self.assertAlmostEqual(mean[1], 4, delta=0.7)

  def test_negative_is_zero(self):
    found = variance.components(
      _estimates([[0.1, 0.9], [0.9, 0.1]]), 'a', 'auroc'
    )
    self.assertEqual(found.fold_sd, 0)
    self.assertEqual(found.seed_share, 1)

  def test_the_pooled_seed_sd_is_the_same(self):
    made = _estimates([[0.1, 0.3, 0.2], [0.5, 0.7], [0.4]])
    self.assertAlmostEqual(
      variance.components(made, 'a', 'auroc').seed_sd,
      estimates.seed_sd(made, 'a', 'auroc'),
    )

  @parameterized.parameters(
    ([[0.1, 0.2]], 'fewer than two folds'),
    ([[0.1], [0.2]], variance.ONE_SEED),
    ([[math.nan], [0.2, 0.3]], 'fewer than two folds'),
  )
  def test_undefined(self, cells, reason):
    found = variance.components(_estimates(cells), 'a', 'auroc')
    self.assertTrue(math.isnan(found.seed_sd))
    self.assertEqual(
      found.reason, reason + (' are defined' if 'fewer' in reason else '')
    )


if __name__ == '__main__':
  absltest.main()
