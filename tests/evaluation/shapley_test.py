"""Tests of Shapley values against their definition and axioms."""

import itertools
import math
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import shapley

NAMES = ('xray', 'ct', 'labs', 'vitals', 'note', 'ecg', 'echo', 'genes')


def game(players, seed=0, shape=()):
  """A value for every set of players, at random."""
  rng = np.random.default_rng(seed)
  return {
    frozenset(s): rng.normal(size=shape)
    for k in range(len(players) + 1)
    for s in itertools.combinations(players, k)
  }


def by_orders(players, value):
  """The definition: the mean over all orders of joining."""
  total = dict.fromkeys(players, 0.0)
  for order in itertools.permutations(players):
    for k, p in enumerate(order):
      total[p] += value[frozenset(order[: k + 1])] - value[frozenset(order[:k])]
  return {p: x / math.factorial(len(players)) for p, x in total.items()}


class ExactTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, 3, 5, 6)
  def test_is_the_mean_over_all_orders(self, m):
    players = NAMES[:m]
    value = game(players, seed=m)
    found, expected = shapley.values(players, value), by_orders(players, value)
    for p in players:
      self.assertAlmostEqual(found[p], expected[p], places=12)
    self.assertIsNone(shapley.standard_errors(players, value))

  def test_values_add_up_to_the_whole(self):
    players = NAMES[:5]
    value = game(players, shape=(3, 7))
    found = shapley.values(players, value)
    np.testing.assert_allclose(
      sum(found.values()), value[frozenset(players)] - value[frozenset()]
    )

  def test_players_of_equal_use_get_the_same(self):
    players = NAMES[:4]
    by_size = np.random.default_rng(0).normal(size=(5, 2))
    value = {
      s: by_size[len(s & {'xray', 'ct'}), int('labs' in s)] * (1 + len(s))
      for s in game(players)
    }
    found = shapley.values(players, value)
    self.assertAlmostEqual(found['xray'], found['ct'], places=12)
    self.assertNotAlmostEqual(found['xray'], found['labs'])

  def test_who_adds_nothing_gets_nothing(self):
    players = NAMES[:5]
    base = game(players)
    value = {s: base[s - {'note'}] for s in base}
    self.assertAlmostEqual(shapley.values(players, value)['note'], 0, places=12)

  def test_of_two_it_is_the_mean_of_both_ways(self):
    n, one, other, both = 0.5, 0.71, 0.66, 0.83
    value = {
      frozenset(): n,
      frozenset('a'): one,
      frozenset('b'): other,
      frozenset('ab'): both,
    }
    found = shapley.values('ab', value)
    self.assertEqual(found['a'], ((one - n) + (both - other)) / 2)
    self.assertEqual(found['b'], ((other - n) + (both - one)) / 2)


class SampledTest(absltest.TestCase):
  def test_fewer_sets_are_needed_than_there_are(self):
    self.assertLen(shapley.coalitions(NAMES[:6]), 62)
    needed = shapley.coalitions(NAMES)
    self.assertLess(len(needed), 2**8 - 2)
    self.assertLen(set(needed), len(needed))
    again = shapley.coalitions(NAMES[::-1])
    self.assertEqual(set(needed), set(again))
    for s in needed:
      self.assertBetween(len(s), 1, 7)

  def test_adds_up_and_lies_about_the_exact_values(self):
    value = game(NAMES, shape=(2000,))
    seen = {*shapley.coalitions(NAMES), frozenset(), frozenset(NAMES)}
    # No other set is asked for.
    found = shapley.values(NAMES, {s: value[s] for s in seen})
    error = shapley.standard_errors(NAMES, {s: value[s] for s in seen})
    np.testing.assert_allclose(
      sum(found.values()), value[frozenset(NAMES)] - value[frozenset()]
    )
    with mock.patch.object(shapley, 'MOST_EXACT', len(NAMES)):
      exact = shapley.values(NAMES, value)
    apart = np.concatenate([(found[p] - exact[p]) / error[p] for p in NAMES])
    # Student's t with 11 degrees of freedom: standard deviation 1.1.
    self.assertBetween(apart.std(), 0.9, 1.3)
    self.assertLess(abs(apart.mean()), 0.05)


if __name__ == '__main__':
  absltest.main()
