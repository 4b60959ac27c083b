"""Tests of experiments.studies.published.reported."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from experiments.studies.published import reported
from fusion_jax.core import errors


class IntervalTest(parameterized.TestCase):
  @parameterized.parameters((17, 18), (0, 5), (5, 5), (1, 1), (200, 1000))
  def test_clopper_pearson(self, x, n):
    low, high = reported.clopper_pearson(x, n)
    expected = stats.binomtest(x, n).proportion_ci(method='exact')
    self.assertAlmostEqual(low, expected.low, places=12)
    self.assertAlmostEqual(high, expected.high, places=12)

  @parameterized.parameters((3, 2), (-1, 2), (0, 0))
  def test_no_proportion(self, x, n):
    with self.assertRaisesRegex(errors.UserError, 'no proportion'):
      reported.clopper_pearson(x, n)

  def test_group_sizes(self):
    """What rounding leaves of 33 and 35 of 43 names the 43."""
    rates = [(0.77, 0.61, 0.88), (0.81, 0.67, 0.92)]
    self.assertEqual(reported.group_sizes(rates, 273), [43])
    vague = reported.group_sizes([(0.5, 0.2, 0.8)], 50, decimals=1)
    self.assertGreater(len(vague), 1)
    self.assertEqual(reported.group_sizes([(0.5, 0.49, 0.51)], 273), [])

  def test_auroc_se_is_exact_for_exponential_scores(self):
    """The approximation assumes them: means m and 1, AUROC m / (1 + m)."""
    rng = np.random.default_rng(0)
    events, others = 40, 120
    areas = [
      (
        rng.exponential(4, events)[:, None] > rng.exponential(size=others)
      ).mean()
      for _ in range(4000)
    ]
    expected = reported.auroc_se(0.8, events, others)
    self.assertAlmostEqual(np.std(areas), expected, delta=0.05 * expected)

  def test_auroc_se_limits(self):
    self.assertEqual(reported.auroc_se(1.0, 5, 9), 0)
    self.assertAlmostEqual(reported.auroc_se(0.5, 1, 1), 0.5)

  @parameterized.parameters((1.1, 5, 5), (0.7, 0, 5), (0.7, 5, 0))
  def test_auroc_se_bad(self, auroc, events, others):
    with self.assertRaises(errors.UserError):
      reported.auroc_se(auroc, events, others)

  def test_se_from_interval(self):
    self.assertAlmostEqual(
      reported.se_from_interval(0.5 - 1.96 * 0.03, 0.5 + 1.96 * 0.03),
      0.03,
      places=5,
    )
    with self.assertRaisesRegex(errors.UserError, 'no width'):
      reported.se_from_interval(0.5, 0.5)

  def test_difference_se(self):
    self.assertAlmostEqual(reported.difference_se(0.3, 0.4, 0), 0.5)
    self.assertAlmostEqual(reported.difference_se(0.3, 0.3, 0.5), 0.3)
    with self.assertRaisesRegex(errors.UserError, 'correlation'):
      reported.difference_se(0.3, 0.3, 1)


if __name__ == '__main__':
  absltest.main()
