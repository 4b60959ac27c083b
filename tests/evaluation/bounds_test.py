import math

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from fusion_jax.evaluation import bounds


class LogitTest(parameterized.TestCase):
  @parameterized.parameters((0.8, 0.02), (0.99, 0.01), (0.05, 0.03))
  def test_stays_inside_and_is_the_delta_method(self, theta, se):
    low, high, reason = bounds.logit(theta, se)
    self.assertEqual(reason, '')
    self.assertTrue(0 < low < theta < high < 1)
    reach = (np.log(high / (1 - high)) - np.log(low / (1 - low))) / 2
    self.assertAlmostEqual(
      reach, stats.norm.isf(0.025) * se / (theta * (1 - theta))
    )

  def test_small_errors_give_the_plain_interval(self):
    low, high, _ = bounds.logit(0.7, 1e-4)
    self.assertAlmostEqual(low, 0.7 - 1.96e-4, places=7)
    self.assertAlmostEqual(high, 0.7 + 1.96e-4, places=7)

  def test_mirrored(self):
    low, high, _ = bounds.logit(0.9, 0.03)
    other = bounds.logit(0.1, 0.03)
    self.assertAlmostEqual(low, 1 - other[1])
    self.assertAlmostEqual(high, 1 - other[0])

  @parameterized.parameters((1.0, 0.1), (0.0, 0.1), (0.8, 0.0), (math.nan, 0.1))
  def test_where_it_does_not_exist(self, theta, se):
    low, high, reason = bounds.logit(theta, se)
    self.assertTrue(math.isnan(low) and math.isnan(high))
    self.assertTrue(reason)


class OfMetricTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.replicates = 0.9 + 0.04 * rng.normal(size=1999)

  def test_metrics_between_0_and_1_are_on_the_logit_scale(self):
    se = self.replicates.std(ddof=1)
    for name in ('auroc', 'auroc/x', 'brier@30', 'f1_macro', 'c_index'):
      self.assertEqual(
        bounds.of_metric(name, 0.9, self.replicates), bounds.logit(0.9, se)
      )

  def test_others_have_percentiles(self):
    for name in ('r2', 'rmse', 'log_loss', 'calibration_slope'):
      self.assertEqual(
        bounds.of_metric(name, 0.9, self.replicates),
        bounds.percentile(self.replicates),
      )

  def test_factor(self):
    low, high, _ = bounds.of_metric('r2', 0.9, self.replicates, factor=2.0)
    narrow = bounds.of_metric('r2', 0.9, self.replicates)
    self.assertAlmostEqual(0.9 - low, 2 * (0.9 - narrow[0]))
    self.assertAlmostEqual(high - 0.9, 2 * (narrow[1] - 0.9))
    wide = bounds.of_metric('auroc', 0.9, self.replicates, factor=2.0)
    self.assertEqual(wide, bounds.logit(0.9, 2 * self.replicates.std(ddof=1)))

  def test_too_few_defined(self):
    self.replicates[:1200] = np.nan
    for name in ('auroc', 'r2'):
      low, _, reason = bounds.of_metric(name, 0.9, self.replicates)
      self.assertTrue(math.isnan(low))
      self.assertEqual(reason, 'only 799 of 1999 resamples are defined')


if __name__ == '__main__':
  absltest.main()
