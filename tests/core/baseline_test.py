"""Tests of fusion_jax.core.baseline."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import baseline, links, types


def _sample(seed=0, n=150, *, ties=True):
  rng = np.random.default_rng(seed)
  z = rng.normal(size=n)
  time = rng.exponential(size=n) * np.exp(-z)
  if ties:
    time = np.ceil(4 * time)
  event = rng.random(n) < 0.7
  return np.stack([time, event], 1).astype(float), z


class BaselineTest(parameterized.TestCase):
  @parameterized.parameters(False, True)
  def test_equals_scikit_survival(self, ties):
    try:
      from sksurv.linear_model import coxph
    except ImportError:
      self.skipTest('scikit-survival is not installed')
    labels, z = _sample(ties=ties)
    other = coxph.BreslowEstimator().fit(z, labels[:, 1] > 0, labels[:, 0])
    found = baseline.fit(labels, z)
    at = other.unique_times_
    np.testing.assert_allclose(
      found.at(at), other.cum_baseline_hazard_.y, atol=1e-8, rtol=0
    )
    new = np.array([-3.0, 0.0, 0.7, 4.0])
    expected = np.stack([f.y for f in other.get_survival_function(new)])
    np.testing.assert_allclose(
      baseline.survival(found, new, at), expected, atol=1e-8, rtol=0
    )

  @parameterized.parameters(False, True)
  def test_weights_equal_the_definition(self, ties):
    labels, z = _sample(1, 60, ties=ties)
    weight = np.random.default_rng(2).exponential(size=60)
    weight[::7] = 0
    total, expected = 0.0, []
    times = np.unique(labels[(labels[:, 1] > 0) & (weight > 0), 0])
    for t in times:
      died = (labels[:, 0] == t) & (labels[:, 1] > 0)
      at_risk = labels[:, 0] >= t
      risk = (weight * np.exp(z))[at_risk].sum()
      total += weight[died].sum() / risk
      expected.append(total)
    found = baseline.fit(labels, z, weight)
    np.testing.assert_array_equal(found.times, times)
    np.testing.assert_allclose(found.cumulative_hazard, expected, rtol=1e-12)
    scaled = baseline.fit(labels, z, 9 * weight)
    np.testing.assert_allclose(scaled.cumulative_hazard, expected, rtol=1e-12)
    whole = np.random.default_rng(3).integers(0, 4, 60)
    repeated = baseline.fit(np.repeat(labels, whole, 0), np.repeat(z, whole))
    np.testing.assert_allclose(
      baseline.fit(labels, z, whole).cumulative_hazard,
      repeated.cumulative_hazard,
      rtol=1e-12,
    )

  def test_constant_log_hazards_give_nelson_and_aalen(self):
    labels = np.array([[1, 1], [1, 1], [2, 0], [3, 1], [3, 0]], float)
    found = baseline.fit(labels, np.zeros(5))
    np.testing.assert_allclose(found.cumulative_hazard, [2 / 5, 2 / 5 + 1 / 2])

  @parameterized.parameters(0, 1, 2)
  def test_curves_fall_from_one_and_order_by_risk(self, seed):
    labels, z = _sample(seed)
    at = np.linspace(0, labels[:, 0].max(), 40)
    curves = baseline.survival(baseline.fit(labels, z), z, at)
    self.assertEqual(curves.shape, (150, 40))
    self.assertTrue(((curves >= 0) & (curves <= 1)).all())
    np.testing.assert_array_equal(curves[:, 0], 1)
    self.assertTrue((np.diff(curves, axis=1) <= 0).all())
    self.assertTrue((np.diff(curves[np.argsort(z)], axis=0) <= 0).all())
    self.assertLess(curves[:, -1].mean(), 0.5)

  def test_a_shift_of_all_log_hazards_changes_nothing(self):
    labels, z = _sample()
    at = [1, 2, 4]
    expected = baseline.survival(baseline.fit(labels, z), z, at)
    for shift in (-500.0, 50.0, 500.0):
      shifted = baseline.fit(labels, z + shift)
      found = baseline.survival(shifted, z + shift, at)
      np.testing.assert_allclose(found, expected, rtol=1e-9)

  def test_the_expected_number_of_events_is_the_observed_one(self):
    labels, z = _sample()
    hazard = baseline.fit(labels, z).at(labels[:, 0]) * np.exp(z)
    self.assertAlmostEqual(hazard.sum(), labels[:, 1].sum(), places=9)
    # Which is why the loss's gradient in a common shift is 0.
    task = types.Task(types.SURVIVAL, ('time', 'event'))
    gradient, _ = links.derivatives(task, z[:, None], labels)
    np.testing.assert_allclose(
      gradient[:, 0] * labels[:, 1].sum(), hazard - labels[:, 1], atol=1e-9
    )

  def test_where_nothing_is_known(self):
    labels = np.array([[1, 1], [4, 0], [np.nan, 1], [9, np.nan]])
    found = baseline.fit(labels, np.zeros(4))
    at = [0.5, 1, 4, 4.5]
    np.testing.assert_array_equal(found.at(at), [0, 0.5, 0.5, np.nan])
    curve = baseline.survival(found, [0.0], at)[0]
    np.testing.assert_allclose(
      curve, [1, np.exp(-0.5), np.exp(-0.5), np.nan], rtol=1e-12
    )
    for nothing in (labels[1:], labels[:0]):
      empty = baseline.fit(nothing, np.zeros(len(nothing)))
      self.assertTrue(np.isnan(baseline.survival(empty, [0.0], at)).all())
    zero = baseline.fit(labels, np.zeros(4), np.array([0, 1, 1, 1]))
    self.assertTrue(np.isnan(zero.at(at)).all())


if __name__ == '__main__':
  absltest.main()
