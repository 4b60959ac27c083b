"""Tests of the simultaneous bounds."""

import math

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from fusion_jax.evaluation import bounds, delong, families


def _replicates(difference, sds, *, r=1999, seed=0):
  """(f, s, r) replicates with independent normal errors."""
  difference = np.asarray(difference, float)
  noise = np.random.default_rng(seed).normal(size=(*difference.shape, r))
  return difference[..., None] + noise * np.asarray(sds)[..., None]


class ResampledTest(parameterized.TestCase):
  def test_one_pair_has_the_order_statistics_of_its_replicates(self):
    r = 999
    drawn = np.random.default_rng(0).permutation(r)[None, None] / r
    family = families.resampled(np.array([[0.3]]), drawn)
    ascending = np.sort(drawn[0, 0])
    # 25 = .025 * (r + 1) replicates lie beyond each bound.
    self.assertAlmostEqual(family.low[0, 0], 0.6 - ascending[-25])
    self.assertAlmostEqual(family.high[0, 0], 0.6 - ascending[24])
    self.assertAlmostEqual(family.low90[0, 0], 0.6 - ascending[-50])
    self.assertEqual(family.p, family.p_adjusted)

  def test_lower_bounds_count_arms_and_upper_ones_all_pairs(self):
    drawn = _replicates(np.zeros((5, 4)), np.ones((5, 4)), r=19_999)
    family = families.resampled(np.zeros((5, 4)), drawn)
    of_arms = stats.norm.ppf(0.975 ** (1 / 5))
    of_pairs = stats.norm.ppf(0.975 ** (1 / 20))
    np.testing.assert_allclose(family.critical_low, of_arms, atol=0.06)
    self.assertAlmostEqual(family.critical_high, of_pairs, delta=0.06)
    self.assertAlmostEqual(
      family.critical_high90, stats.norm.ppf(0.95 ** (1 / 20)), delta=0.06
    )

  def test_correlated_arms_cost_nothing(self):
    drawn = _replicates(np.zeros((1, 1)), np.ones((1, 1)))
    one = families.resampled(np.zeros((1, 1)), drawn)
    same = families.resampled(np.zeros((5, 1)), drawn[[0] * 5])
    self.assertEqual(one.critical_low, same.critical_low)
    self.assertEqual(one.critical_high, same.critical_high)

  def test_critical_numbers_are_of_one_standard_error_for_all_draws(self):
    """Standardised, not studentised: a wide draw is not divided by its own."""
    drawn = _replicates(np.zeros((2, 1)), np.ones((2, 1)))
    family = families.resampled(np.zeros((2, 1)), drawn)
    t = drawn[:, 0] / drawn[:, 0].std(axis=1, ddof=1, keepdims=True)
    expected = np.sort(t.max(axis=0))[-50]
    self.assertEqual(family.critical_low[0], expected)

  @parameterized.parameters(1.0, 1.3)
  def test_low_above_zero_if_and_only_if_p_is_at_most_alpha(self, factor):
    rng = np.random.default_rng(3)
    for seed in range(60):
      shape = rng.integers(1, 5), rng.integers(1, 4)
      d = rng.normal(scale=0.8, size=shape) + 1.8
      family = families.resampled(
        d, _replicates(d, np.ones(shape), r=399, seed=seed), factor
      )
      np.testing.assert_array_equal(
        family.low > 0, family.p_adjusted <= bounds.ALPHA
      )

  def test_factor_widens_every_bound_about_the_difference(self):
    d = np.array([[0.3, 0.1], [0.2, -0.1]])
    drawn = _replicates(d, np.full((2, 2), 0.05))
    one, two = families.resampled(d, drawn), families.resampled(d, drawn, 2.0)
    for name in ('low', 'high', 'low90', 'high90'):
      np.testing.assert_allclose(
        getattr(two, name) - d, 2 * (getattr(one, name) - d)
      )
      np.testing.assert_allclose(
        getattr(one.with_factor(2.0), name), getattr(two, name)
      )
    better = d > 0
    self.assertTrue((two.p_adjusted[better] >= one.p_adjusted[better]).all())
    np.testing.assert_array_equal(one.se, two.se)

  def test_covariance_is_that_of_the_replicates(self):
    drawn = _replicates(np.zeros((2, 3)), np.ones((2, 3)))
    family = families.resampled(np.zeros((2, 3)), drawn)
    self.assertEqual(family.covariance.shape, (2, 3, 2, 3))
    np.testing.assert_allclose(
      family.covariance[1, 2, 0, 1], np.cov(drawn[1, 2], drawn[0, 1])[0, 1]
    )
    np.testing.assert_allclose(
      np.sqrt(family.covariance[1, 2, 1, 2]), family.se[1, 2]
    )

  def test_identical_predictions_have_bounds_of_zero(self):
    d = np.array([[1e-17, 0.2]])
    drawn = _replicates(d, np.array([[0.0, 0.05]]))
    family = families.resampled(d, drawn)
    self.assertEqual(family.difference[0, 0], 0)
    for name in ('low', 'high', 'low90', 'high90'):
      self.assertEqual(getattr(family, name)[0, 0], 0)
    self.assertEqual((family.p[0, 0], family.p_adjusted[0, 0]), (1, 1))
    self.assertEqual(family.reasons, (('', ''),))

  def test_constant_difference_has_no_bounds(self):
    d = np.array([[0.5]])
    family = families.resampled(d, np.full((1, 1, 99), 0.5))
    self.assertTrue(np.isnan(family.low).all() and np.isnan(family.high).all())
    self.assertIn('does not vary', family.reasons[0][0])

  def test_undefined_replicates_are_left_out_for_all(self):
    d = np.zeros((2, 1))
    drawn = _replicates(d, np.ones((2, 1)), r=999)
    holed = drawn.copy()
    holed[1, :, :400] = np.nan
    family = families.resampled(d, holed)
    rest = families.resampled(d, drawn[..., 400:])
    np.testing.assert_array_equal(family.low, rest.low)
    holed[1, :, :600] = np.nan
    few = families.resampled(d, holed)
    self.assertTrue(np.isnan(few.low).all())
    self.assertEqual(few.reasons[0][0], 'only 399 of 999 resamples are defined')

  def test_undefined_difference_spares_the_others(self):
    d = np.array([[math.nan, 0.1]])
    drawn = _replicates(d, np.ones((1, 2)))
    family = families.resampled(d, drawn)
    self.assertTrue(np.isnan(family.low[0, 0]))
    self.assertFalse(np.isnan(family.low[0, 1]))
    self.assertIn('undefined', family.reasons[0][0])


class NormalTest(absltest.TestCase):
  def _areas(self, n=400, arms=4, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3 == 0
    shared = rng.normal(size=n)
    scores = rng.normal(size=(arms, n)) + shared + 1.2 * y
    return delong.areas(y, scores), y, scores

  def test_is_that_of_a_bootstrap(self):
    areas, y, scores = self._areas()
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(1500):
      rows = rng.integers(0, len(y), len(y))
      drawn.append(delong.areas(y[rows], scores[:, rows]).auroc)
    drawn = np.array(drawn).T
    arms, singles = np.array([2, 3]), np.array([0, 1])
    d = areas.auroc[arms][:, None] - areas.auroc[singles]
    boot = families.resampled(d, drawn[arms][:, None] - drawn[singles])
    normal = families.normal(areas, arms, singles)
    np.testing.assert_allclose(normal.difference, d)
    np.testing.assert_allclose(normal.se, boot.se, rtol=0.08)
    np.testing.assert_allclose(
      normal.critical_low, boot.critical_low, atol=0.15
    )
    self.assertAlmostEqual(normal.critical_high, boot.critical_high, delta=0.15)

  def test_one_pair_has_the_normal_quantile(self):
    areas, _, _ = self._areas()
    family = families.normal(areas, np.array([1]), np.array([0]))
    self.assertAlmostEqual(family.critical_low[0], 1.96, delta=0.03)
    test = delong.difference(areas, 1, 0)
    self.assertAlmostEqual(family.se[0, 0], test.se)
    self.assertAlmostEqual(family.p[0, 0], test.p, delta=0.005)

  def test_equal_scores_and_one_class(self):
    areas, y, scores = self._areas()
    same = delong.areas(y, scores[[0, 1, 0]])
    family = families.normal(same, np.array([2]), np.array([0, 1]))
    self.assertEqual((family.low[0, 0], family.high[0, 0]), (0, 0))
    self.assertFalse(np.isnan(family.low[0, 1]))
    none = families.normal(
      delong.areas(np.ones(9, bool), scores[:, :9]),
      np.array([2]),
      np.array([0]),
    )
    self.assertTrue(np.isnan(none.low).all())
    self.assertTrue(none.reasons[0][0])


if __name__ == '__main__':
  absltest.main()
