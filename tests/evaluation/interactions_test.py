"""Tests of the interaction test."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import interactions


def gains(rng, levels, arms=1, r=399, shift=0.0):
  """By level, (arms, 1 + r) gains; the first level's are larger by `shift`."""
  found = {}
  for i in range(levels):
    estimate = rng.normal(size=(arms, 1)) + shift * (i == 0)
    draws = estimate + rng.normal(size=(arms, r)) * (1 + 0.2 * i)
    found['abcdef'[i]] = np.concatenate([estimate, draws], axis=1)
  return found


class InteractionsTest(parameterized.TestCase):
  def test_two_levels_by_hand(self):
    by_level = gains(np.random.default_rng(0), 2)
    (found,) = interactions.test({'sex': by_level}, ['joint'])
    values = (by_level['a'] - by_level['b'])[0]
    d, draws = values[0], values[1:]
    sd = draws.std(ddof=1)
    sizes = np.abs(draws - d) / sd
    self.assertEqual(found['column'], 'sex')
    self.assertEqual(found['arm'], 'joint')
    self.assertEqual(found['contrast']['level'], 'a')
    self.assertEqual(found['contrast']['against'], ['b'])
    self.assertLen(found['contrasts'], 1)
    self.assertAlmostEqual(found['contrast']['estimate'], d)
    self.assertAlmostEqual(found['statistic'], abs(d) / sd)
    p = (1 + (sizes >= abs(d) / sd).sum()) / 400
    self.assertAlmostEqual(found['p'], p)
    # One column and one arm: there is nothing to adjust for.
    self.assertAlmostEqual(found['p_adjusted'], p)
    # The 20th largest of 399: 5% of 400.
    reach = np.sort(sizes)[-20] * sd
    self.assertAlmostEqual(found['contrast']['low'], d - reach)
    self.assertAlmostEqual(found['contrast']['high'], d + reach)

  def test_each_level_less_the_mean_of_the_others(self):
    by_level = gains(np.random.default_rng(1), 3)
    (found,) = interactions.test({'site': by_level}, ['joint'])
    a, b, c = (by_level[k][0, 0] for k in 'abc')
    expected = [a - (b + c) / 2, b - (a + c) / 2, c - (a + b) / 2]
    np.testing.assert_allclose(
      [x['estimate'] for x in found['contrasts']], expected
    )
    self.assertEqual(found['contrasts'][1]['against'], ['a', 'c'])
    largest = max(
      found['contrasts'],
      key=lambda x: abs(x['estimate']) / (x['high'] - x['low']),
    )
    self.assertEqual(found['contrast'], largest)

  @parameterized.product(levels=[2, 3, 5], factor=[1.0, 1.25])
  def test_an_interval_leaves_out_0_exactly_where_p_is_small(
    self, levels, factor
  ):
    rng = np.random.default_rng(levels)
    small = 0
    for shift in np.linspace(0, 8, 25):
      (found,) = interactions.test(
        {'site': gains(rng, levels, shift=shift)}, ['joint'], factor=factor
      )
      outside = any(x['low'] > 0 or x['high'] < 0 for x in found['contrasts'])
      self.assertEqual(outside, found['p'] <= 0.05)
      x = found['contrast']
      self.assertEqual(x['low'] > 0 or x['high'] < 0, outside)
      small += outside
    self.assertBetween(small, 3, 22)

  def test_more_questions_need_more_evidence(self):
    rng = np.random.default_rng(2)
    one = gains(rng, 2, arms=2, shift=2.5)
    alone = interactions.test({'sex': one}, ['joint', 'late'])
    both = interactions.test(
      {'sex': one, 'site': gains(rng, 4, arms=2)}, ['joint', 'late']
    )
    self.assertLen(both, 4)
    for x, y in zip(alone, both[:2], strict=True):
      self.assertEqual(x['p'], y['p'])
      self.assertEqual(x['contrast'], y['contrast'])
      self.assertGreater(y['p_adjusted'], x['p_adjusted'])
      self.assertGreaterEqual(x['p_adjusted'], x['p'])

  def test_the_factor(self):
    by_level = {'sex': gains(np.random.default_rng(3), 2, shift=2)}
    (plain,) = interactions.test(by_level, ['joint'])
    (wide,) = interactions.test(by_level, ['joint'], factor=1.25)
    self.assertAlmostEqual(wide['statistic'], plain['statistic'] / 1.25)
    self.assertGreater(wide['p'], plain['p'])
    a, b = (x['contrast']['high'] - x['contrast']['low'] for x in (plain, wide))
    self.assertAlmostEqual(b, 1.25 * a)

  def test_gains_that_are_the_same(self):
    flat = {'f': np.zeros((1, 100)), 'm': np.zeros((1, 100))}
    (found,) = interactions.test({'sex': flat}, ['joint'])
    self.assertEqual(found['p'], 1)
    self.assertEqual(found['p_adjusted'], 1)
    self.assertEqual(found['contrast']['estimate'], 0)
    self.assertEqual(found['contrast']['high'], 0)
    self.assertNotIn('reason', found)

  def test_what_cannot_be_tested_has_a_reason(self):
    rng = np.random.default_rng(4)
    blank = gains(rng, 2)
    blank['b'][0, 1:300] = np.nan
    undefined = gains(rng, 2)
    undefined['a'][0, 0] = np.nan
    constant = {'f': np.zeros((1, 100)), 'm': np.ones((1, 100))}
    for by_level, reason in (
      ({}, 'fewer than two groups'),
      (gains(rng, 1), 'fewer than two groups'),
      (undefined, 'fewer than two groups'),
      (blank, 'only 100 of 399 resamples'),
      (constant, 'does not vary'),
    ):
      other, found = interactions.test(
        {'age': gains(rng, 2), 'sex': by_level}, ['joint']
      )
      self.assertIn(reason, found['reason'])
      self.assertIsNone(found['contrast'])
      for name in ('statistic', 'p', 'p_adjusted'):
        self.assertTrue(math.isnan(found[name]))
      # The others are adjusted for what was tested.
      self.assertEqual(other['p'], other['p_adjusted'])

  def test_a_few_undefined_replicates_are_left_out(self):
    by_level = gains(np.random.default_rng(5), 2)
    by_level['b'][0, 1:50] = np.nan
    (found,) = interactions.test({'sex': by_level}, ['joint'])
    cut = {k: np.delete(x, range(1, 50), axis=1) for k, x in by_level.items()}
    (expected,) = interactions.test({'sex': cut}, ['joint'])
    self.assertEqual(found, expected)


if __name__ == '__main__':
  absltest.main()
