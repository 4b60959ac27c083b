import math

import numpy as np
from absl.testing import absltest
from scipy import stats

from fusion_jax.evaluation import bca, bounds, ranking, resampling


def _weighted_mean(values, counts):
  return (values[:, None] * counts).sum(axis=0) / counts.sum(axis=0)


class JackknifeTest(absltest.TestCase):
  def test_leaves_each_patient_out_once(self):
    found = bca.jackknife(np.array(['b', 'a', 'b']))
    self.assertEqual(found.patients.tolist(), ['a', 'b'])
    np.testing.assert_array_equal(found.counts, [[0, 1], [1, 0]])

  def test_many_patients_go_in_groups(self):
    patients = np.arange(2500).astype(str)
    found = bca.jackknife(patients, seed=3)
    self.assertEqual(found.counts.shape, (2500, 1000))
    np.testing.assert_array_equal((found.counts == 0).sum(axis=1), 1)
    self.assertEqual(set((found.counts == 0).sum(axis=0)), {2, 3})

  def test_groups_have_about_the_same_acceleration(self):
    rng = np.random.default_rng(0)
    values = rng.exponential(size=3000)
    replicates = values.mean() + 0.02 * rng.normal(size=999)
    ends = []
    for left_out in (
      _weighted_mean(values, bca.jackknife(np.arange(3000).astype(str)).counts),
      (values.sum() - values) / 2999,
    ):
      ends.append(bca.interval(values.mean(), replicates, left_out)[:2])
    np.testing.assert_allclose(ends[0], ends[1], atol=2e-3)


class IntervalTest(absltest.TestCase):
  def test_scipy_on_a_mean(self):
    rng = np.random.default_rng(0)
    values = rng.exponential(size=40)
    theirs = stats.bootstrap(
      (values,), np.mean, method='BCa', n_resamples=1999, rng=rng
    )
    left_out = _weighted_mean(
      values, bca.jackknife(np.arange(40).astype(str)).counts
    )
    low, high, reason = bca.interval(
      values.mean(), theirs.bootstrap_distribution, left_out
    )
    self.assertEqual(reason, '')
    self.assertAlmostEqual(low, theirs.confidence_interval.low)
    self.assertAlmostEqual(high, theirs.confidence_interval.high)

  def test_scipy_on_an_area(self):
    rng = np.random.default_rng(1)
    n = 60
    positive = rng.random(n) < 0.4
    scores = 1.5 * positive + rng.normal(size=n)
    kernel = ranking.auroc(positive, scores)

    def area(rows, axis=-1):
      rows = np.atleast_2d(rows.astype(int))
      counts = np.stack([np.bincount(r, minlength=n) for r in rows], axis=1)
      found = kernel(counts.astype(float))
      return found if len(found) > 1 else found[0]

    theirs = stats.bootstrap(
      (np.arange(n),), area, method='BCa', n_resamples=999, rng=rng
    )
    left_out = kernel(bca.jackknife(np.arange(n).astype(str)).counts * 1.0)
    low, high, _ = bca.interval(
      area(np.arange(n)), theirs.bootstrap_distribution, left_out
    )
    self.assertAlmostEqual(low, theirs.confidence_interval.low)
    self.assertAlmostEqual(high, theirs.confidence_interval.high)

  def test_symmetric_is_about_the_percentile_interval(self):
    values = np.concatenate([np.arange(1, 51.0), -np.arange(1, 51.0)])
    draws = resampling.draw(np.arange(100).astype(str), replicates=4000, seed=0)
    replicates = _weighted_mean(values, draws.counts)
    left_out = _weighted_mean(values, bca.jackknife(draws.patients).counts)
    found = bca.interval(0.0, replicates, left_out)[:2]
    plain = bounds.percentile(replicates)[:2]
    np.testing.assert_allclose(found, plain, atol=0.3)

  def test_degenerate(self):
    constant = np.full(100, 0.5)
    found = bca.interval(0.5, constant, np.full(10, 0.5))
    self.assertEqual(found, (0.5, 0.5, ''))
    low, _, reason = bca.interval(1.0, np.linspace(0, 0.9, 100), np.ones(3))
    self.assertTrue(math.isnan(low))
    self.assertIn('one side', reason)
    low, _, reason = bca.interval(0.5, np.full(9, np.nan), np.ones(3))
    self.assertTrue(math.isnan(low))
    self.assertIn('0 of 9', reason)
    lone = bca.interval(0.5, np.linspace(0, 1, 99), np.full(2, np.nan))
    self.assertEqual(lone[2], '')


if __name__ == '__main__':
  absltest.main()
