"""Tests of the Pareto front."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import tradeoffs


class FrontTest(parameterized.TestCase):
  def test_only_arms_that_nothing_beats(self):
    found = tradeoffs.front([1, 2, 3, 4], [0.7, 0.9, 0.8, 0.95])
    np.testing.assert_array_equal(found, [True, True, False, True])

  def test_equal_arms_are_all_on_it(self):
    found = tradeoffs.front([1, 1, 2], [0.7, 0.7, 0.7])
    np.testing.assert_array_equal(found, [True, True, False])

  def test_unknown_is_never_on_it_and_beats_nothing(self):
    found = tradeoffs.front([math.nan, 2, 1], [1.0, 0.8, math.nan])
    np.testing.assert_array_equal(found, [False, True, False])

  @parameterized.parameters(
    ((0.9, 1.1), (1.15, 1.25), True),
    ((0.9, 1.17), (1.15, 1.25), False),
    ((1.0, 1.0), (1.0, 9.0), False),
    ((1.0, 1.0), (1.1, 9.0), True),
  )
  def test_costs_whose_ranges_overlap_are_equal(self, cheap, dear, on_front):
    found = tradeoffs.front(
      [1.0, 1.2, 30.0], [0.7, 0.8, 0.9], [cheap, dear, (29.0, 31.0)]
    )
    np.testing.assert_array_equal(found, [on_front, True, True])

  def test_noise_within_the_ranges_changes_no_front(self):
    rng = np.random.default_rng(0)
    costs, values = np.array([1.0, 1.0, 2.0, 2.0]), [0.7, 0.8, 0.9, 0.85]
    for _ in range(20):
      noisy = costs + rng.uniform(-0.05, 0.05, 4)
      ranges = np.stack([noisy - 0.1, noisy + 0.1], axis=1)
      np.testing.assert_array_equal(
        tradeoffs.front(noisy, values, ranges),
        [False, True, True, False],
      )

  @parameterized.product(seed=(0, 1, 2, 3, 4), varies=(False, True))
  def test_agrees_with_its_definition(self, seed, varies):
    rng = np.random.default_rng(seed)
    costs, values, spreads = rng.integers(0, 5, (3, 12))
    low, high = costs - spreads * varies / 4, costs + spreads * varies / 2
    ranges = np.stack([low, high], axis=1) if varies else None
    found = tradeoffs.front(costs, values, ranges)

    def beats(j, i):
      if low[j] > high[i] or values[j] < values[i]:
        return False
      return high[j] < low[i] or values[j] > values[i]

    for i in range(12):
      self.assertEqual(found[i], not any(beats(j, i) for j in range(12)))
    self.assertTrue(found.any())


def arm_of(estimate, **cost):
  value = {'estimate': estimate}
  if estimate is None:
    value['reason'] = 'one class'
  return {'metrics': {'m': value}, 'cost': cost}


class TradeoffsTest(absltest.TestCase):
  def arms(self):
    return {
      'small': arm_of(0.8, parameters=10, seconds=1.0),
      'late': arm_of(0.9, parameters=20, seconds=0.0, upstream_seconds=9.0),
      'large': arm_of(0.85, parameters=30, seconds=2.0, compile_seconds=3.0),
      'broken': arm_of(None, parameters=1, seconds=0.1),
    }

  def test_fronts_by_cost(self):
    found = tradeoffs.tradeoffs(self.arms(), metric='m', higher_is_better=True)[
      'arms'
    ]
    self.assertEqual(
      found['small']['front'], ['parameters', 'training_seconds']
    )
    self.assertEqual(found['large']['front'], ['training_seconds'])
    self.assertEqual(found['large']['training_seconds'], 5.0)
    self.assertEqual(found['late']['training_seconds'], 9.0)
    self.assertEmpty(found['broken']['front'])
    self.assertEqual(found['broken']['reason'], 'one class')

  def test_an_unknown_cost_has_a_reason(self):
    arms = {
      'network': arm_of(0.5, flops=1.0, latency_seconds=2.0),
      'trees': arm_of(0.5, flops=None, flops_reason='of trees'),
    }
    found = tradeoffs.tradeoffs(arms, metric='m', higher_is_better=True)
    network, trees = found['arms'].values()
    self.assertEqual(trees['flops_reason'], 'of trees')
    self.assertIn('--footprint', trees['latency_seconds_reason'])
    self.assertIn('came without', trees['training_seconds_reason'])
    self.assertEqual(network['front'], ['flops', 'latency_seconds'])
    for entry in (network, trees):
      for cost in tradeoffs.COSTS:
        self.assertEqual(math.isnan(entry[cost]), f'{cost}_reason' in entry)

  def test_latencies_whose_quartiles_overlap_are_equal(self):
    arms = {
      'slow': arm_of(0.9, latency_seconds=1.1, latency_iqr_seconds=[1, 1.2]),
      'fast': arm_of(0.8, latency_seconds=1.0, latency_iqr_seconds=[0.9, 1.05]),
      'once': arm_of(0.7, latency_seconds=0.95),
      'fastest': arm_of(0.6, latency_seconds=0.5),
    }
    whole = tradeoffs.tradeoffs(arms, metric='m', higher_is_better=True)
    found = whole['arms']
    self.assertIn('from the decoded image', whole['note'])
    self.assertEqual(found['slow']['latency_iqr_seconds'], [1, 1.2])
    self.assertNotIn('latency_iqr_seconds', found['once'])
    for arm, on_front in zip(arms, (True, False, False, True), strict=True):
      front = ['latency_seconds'] if on_front else []
      self.assertEqual(found[arm]['front'], front, arm)

  def test_what_was_not_measured_is_not_described(self):
    found = tradeoffs.tradeoffs(self.arms(), metric='m', higher_is_better=True)
    self.assertNotIn('note', found)

  def test_lower_may_be_better(self):
    found = tradeoffs.tradeoffs(
      self.arms(), metric='m', higher_is_better=False
    )['arms']
    self.assertEqual(
      found['small']['front'], ['parameters', 'training_seconds']
    )
    self.assertEmpty(found['late']['front'])


if __name__ == '__main__':
  absltest.main()
