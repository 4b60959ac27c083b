import numpy as np
from absl.testing import absltest

from fusion_jax.evaluation import calibration


def _expit(x):
  return 1 / (1 + np.exp(-x))


class CalibrationTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.x = rng.normal(size=4000)
    self.y = rng.random(4000) < _expit(self.x)
    self.ones = np.ones((4000, 1))

  def test_too_extreme_predictions_have_a_slope_below_one(self):
    for stretch in (0.5, 1, 2):
      slope = calibration.slope(self.y, _expit(stretch * self.x))(self.ones)
      self.assertAlmostEqual(slope[0] * stretch, 1, delta=0.1)

  def test_too_high_predictions_have_an_intercept_below_zero(self):
    for shift in (-1, 0, 1):
      found = calibration.intercept(self.y, _expit(self.x + shift))(self.ones)
      self.assertAlmostEqual(found[0], -shift, delta=0.1)

  def test_the_fit_is_a_fixed_point_of_the_step(self):
    weight = np.random.default_rng(1).exponential(size=4000)
    p = _expit(self.x)
    for function in (calibration.slope, calibration.intercept):
      here = function(self.y, p, weight)(weight[:, None])
      doubled = function(self.y, p, 2 * weight)(weight[:, None])
      np.testing.assert_allclose(here, doubled, rtol=1e-8)

  def test_extreme_scores_are_finite(self):
    p = np.where(self.x > 0, 1.0, 0.0)
    found = calibration.slope(self.y, p)(self.ones)
    self.assertTrue(np.isfinite(found).all())

  def test_one_class_replicate_is_nan(self):
    p = _expit(self.x)
    weights = np.stack([self.y, ~self.y, np.ones(4000)], axis=1).astype(float)
    for function in (calibration.slope, calibration.intercept):
      found = function(self.y, p)(weights)
      self.assertEqual(np.isnan(found).tolist(), [True, True, False])

  def test_separated(self):
    y = np.array([True, True, False])
    self.assertTrue(calibration.separated(y, np.array([0.3, 0.2, 0.1])))
    self.assertTrue(calibration.separated(y, np.array([0.1, 0.2, 0.3])))
    self.assertTrue(calibration.separated(y, np.array([0.1, 0.2, 0.2])))
    self.assertFalse(calibration.separated(y, np.array([0.3, 0.1, 0.2])))


class LogOddsTest(absltest.TestCase):
  def test_are_each_others_inverse_and_finite(self):
    p = np.array([0.0, 0.1, 0.5, 1.0])
    x = calibration.logit(p)
    self.assertTrue(np.isfinite(x).all())
    np.testing.assert_allclose(calibration.expit(x), p, atol=2e-6)

  def test_logistic_of_shares(self):
    x = np.array([-1.0, 0.0, 2.0])
    share = _expit(0.3 - 0.7 * x)
    found = calibration.logistic(share, x, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(found, [0.3, -0.7], atol=1e-8)


if __name__ == '__main__':
  absltest.main()
