import math

import numpy as np
from absl.testing import absltest

from fusion_jax.evaluation import delong, entries, permutation


class EntryTest(absltest.TestCase):
  def test_defined(self):
    self.assertEqual(
      entries.entry(0.7, (0.6, 0.8, '')),
      {'estimate': 0.7, 'low': 0.6, 'high': 0.8},
    )

  def test_undefined_has_no_interval(self):
    found = entries.entry(math.nan, (0.1, 0.2, ''), [(0, 'one class')])
    self.assertTrue(math.isnan(found['low']))
    self.assertEqual(found['reason'], 'one class')
    self.assertEqual(found['undefined_cells'], 1)
    alone = entries.entry(math.nan, (0.1, 0.2, ''))
    self.assertEqual(alone['reason'], 'no model was evaluated')

  def test_reason_of_the_interval_comes_first(self):
    found = entries.entry(0.7, (math.nan, math.nan, 'few'), [(0, 'one class')])
    self.assertEqual(found['reason'], 'few')

  def test_of_folds(self):
    values = np.array([0.2, math.nan, 0.4])
    replicates = np.linspace(0, 1, 1001) * np.ones((3, 1))
    found = entries.of_folds(values, replicates)
    self.assertAlmostEqual(found['estimate'], 0.3)
    self.assertAlmostEqual(found['low'], 0.025)
    self.assertNotIn('reason', found)
    none = entries.of_folds(np.full(2, math.nan), replicates[:2])
    self.assertTrue(math.isnan(none['low']))
    self.assertIn('in every fold', none['reason'])

  def test_resampled(self):
    found = entries.resampled(0.5, np.linspace(0, 1, 1001))
    self.assertAlmostEqual(found['low'], 0.025)
    self.assertAlmostEqual(found['high'], 0.975)


class TestsTest(absltest.TestCase):
  def test_delong(self):
    rng = np.random.default_rng(0)
    areas = delong.areas(np.arange(30) < 12, rng.normal(size=(2, 30)))
    found = entries.delong_test(areas, 0, 1, '')
    self.assertEqual(list(found), ['difference', 'se', 'low', 'high', 'p'])
    self.assertAlmostEqual(found['difference'], areas.auroc[0] - areas.auroc[1])
    none = entries.delong_test(areas, 0, None, '')
    self.assertEqual(none['reason'], 'there is no reference')
    other = entries.delong_test(None, 0, 1, 'several folds')
    self.assertEqual(other['reason'], 'several folds')
    self.assertTrue(math.isnan(other['p']))

  def test_permutation(self):
    found = entries.permutation_test(permutation.Result(0.1, 0.2, 0.4, 9))
    self.assertEqual(found, {'p': 0.2, 'p_two_sided': 0.4, 'permutations': 9})
    found = entries.permutation_test(permutation.Result(0, 1, 1, 9, 'why'))
    self.assertEqual(found['reason'], 'why')


class PlainTest(absltest.TestCase):
  def test_json_s_own_types(self):
    found = entries.plain(
      {1: np.array([1.5, np.nan]), 'x': (np.int64(2), math.inf), 'y': None}
    )
    self.assertEqual(found, {'1': [1.5, None], 'x': [2, None], 'y': None})
    self.assertIs(type(found['x'][0]), int)


if __name__ == '__main__':
  absltest.main()
