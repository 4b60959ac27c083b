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

  @parameterized.parameters(range(5))
  def test_agrees_with_its_definition(self, seed):
    rng = np.random.default_rng(seed)
    costs, values = rng.integers(0, 5, (2, 12))
    found = tradeoffs.front(costs, values)
    for i in range(12):
      beaten = any(
        costs[j] <= costs[i]
        and values[j] >= values[i]
        and (costs[j] < costs[i] or values[j] > values[i])
        for j in range(12)
      )
      self.assertEqual(found[i], not beaten)


class TradeoffsTest(absltest.TestCase):
  def arms(self):
    def arm(estimate, **cost):
      value = {'estimate': estimate}
      if estimate is None:
        value['reason'] = 'one class'
      return {'metrics': {'m': value}, 'cost': cost}

    return {
      'small': arm(0.8, parameters=10, seconds=1.0),
      'late': arm(0.9, parameters=20, seconds=0.0, upstream_seconds=9.0),
      'large': arm(0.85, parameters=30, seconds=2.0, compile_seconds=3.0),
      'broken': arm(None, parameters=1, seconds=0.1),
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
    self.assertNotIn('flops', found['small'])

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
