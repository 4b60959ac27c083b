"""Tests of sums over studies that count once."""

import dataclasses

import numpy as np
from absl.testing import absltest

from fusion_jax.evaluation import folds, pooling, resampling


def fold(number, studies, *, repeat=0, arms=('a', 'b')):
  n = len(studies)
  return folds.Fold(
    repeat=repeat,
    fold=number,
    study=np.array(studies),
    patient=np.array(studies),
    labels=np.ones((n, 1)),
    weight=np.full(n, 7.0),
    complete=np.ones(n, bool),
    scores={arm: {0: np.full((n, 1), 0.5)} for arm in arms},
  )


def ones(x):
  return np.ones(len(x.study))


class PoolingTest(absltest.TestCase):
  def test_every_study_counts_once(self):
    test = [
      fold(0, ['s1', 's2']),
      fold(1, ['s3']),
      fold(0, ['s1', 's2', 's3'], repeat=1),
    ]
    pooled = pooling.pool(test, ('a', 'b'))
    self.assertAlmostEqual(pooling.sums(pooled, ones)[0], 3)

  def test_folds_without_an_arm_are_left_out(self):
    test = [fold(0, ['s1', 's2']), fold(1, ['s3'], arms=('a',))]
    self.assertAlmostEqual(
      pooling.sums(pooling.pool(test, ('a', 'b')), ones)[0], 2
    )
    self.assertEqual(pooling.pool(test, ('c',)), ())

  def test_replicates_count_what_was_drawn(self):
    test = [fold(0, [f's{k}' for k in range(9)])]
    drawn = resampling.draw(test[0].patient, replicates=40, seed=0)
    values = pooling.sums(
      pooling.pool(test, ('a',)),
      lambda x: np.stack([ones(x), np.arange(9.0)]),
      drawn,
      replicates=30,
    )
    self.assertEqual(values.shape, (2, 31))
    np.testing.assert_allclose(values[0], 9)
    np.testing.assert_allclose(
      values[1, 1:], np.arange(9.0) @ drawn.counts[:, :30]
    )

  def test_an_entry_is_as_wide_as_its_factor(self):
    values = np.concatenate([[0.5], np.linspace(0, 0.8, 81)])
    plain = pooling.entry(values)
    wide = pooling.entry(values, factor=2.0)
    self.assertAlmostEqual(plain['low'], 0.02)
    self.assertAlmostEqual(0.5 - wide['low'], 2 * (0.5 - plain['low']))
    self.assertAlmostEqual(wide['high'] - 0.5, 2 * (plain['high'] - 0.5))

  def test_undefined_has_its_reason(self):
    found = pooling.entry(np.full(9, np.nan), reason='nobody')
    self.assertEqual(
      found,
      {'estimate': None, 'low': None, 'high': None, 'reason': 'nobody'},
    )
    values = np.array([0.5, *[np.nan] * 9])
    self.assertIn('replicates', pooling.entry(values)['reason'])

  def test_weights_take_no_part(self):
    test = fold(0, ['s1', 's2'])
    light = dataclasses.replace(test, weight=np.zeros(2))
    for one in (test, light):
      pooled = pooling.pool([one], ('a',))
      self.assertEqual(pooling.sums(pooled, ones)[0], 2)

  def test_numbers_are_lists(self):
    found = pooling.numbers(np.array([[1.0, np.nan]]))
    self.assertEqual(found, [[1.0, None]])


if __name__ == '__main__':
  absltest.main()
