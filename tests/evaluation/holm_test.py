import json
import pathlib

import numpy as np
from absl.testing import absltest

from fusion_jax.evaluation import comparison, holm

REFERENCE = json.loads(
  (pathlib.Path(__file__).parent / 'reference' / 'proc.json').read_text()
)['holm']


class AdjustTest(absltest.TestCase):
  def test_as_r_adjusts(self):
    np.testing.assert_allclose(
      holm.adjust(np.array(REFERENCE['p'])), REFERENCE['adjusted'], atol=1e-12
    )

  def test_by_hand(self):
    # Sorted: .01 * 3, then .02 * 2 = .04, then .03 * 1 raised to .04.
    found = holm.adjust(np.array([0.02, 0.01, 0.03]))
    np.testing.assert_allclose(found, [0.04, 0.03, 0.04])

  def test_undefined_counts_as_no_test(self):
    found = holm.adjust(np.array([0.02, np.nan, 0.9]))
    np.testing.assert_allclose(found, [0.04, np.nan, 0.9])
    self.assertEqual(holm.adjust(np.array([])).shape, (0,))

  def test_never_above_one(self):
    np.testing.assert_array_equal(holm.adjust(np.array([0.6, 0.7])), [1, 1])


class FamilyTest(absltest.TestCase):
  def test_steps_down(self):
    # One-sided p: .0062 and .0179; Bonferroni at .0125 keeps the second.
    found = holm.family(np.array([2.5, 2.1]), np.ones(2), ['', ''])
    self.assertTrue(found.above.all())
    self.assertGreater(found.low[0], 0)
    self.assertLess(found.low[1], 0)
    np.testing.assert_allclose(found.p_adjusted, [0.01242, 0.01786], atol=1e-4)
    self.assertFalse(found.below.any())
    self.assertTrue((found.low90 > found.low).all())
    self.assertTrue((found.high90 < found.high).all())

  def test_signs(self):
    ahead = holm.family(np.array([3.0, 0.1]), np.ones(2), ['', ''])
    behind = holm.family(np.array([-3.0, -0.1]), np.ones(2), ['', ''])
    np.testing.assert_array_equal(ahead.above, behind.below)
    np.testing.assert_allclose(ahead.low, -behind.high)

  def test_degenerate(self):
    found = holm.family(
      np.array([0.0, 0.5, np.nan, 1.0]),
      np.array([0.0, 0.0, np.nan, 1.0]),
      ['', '', '', ''],
    )
    self.assertEqual((found.low[0], found.high[0], found.p[0]), (0, 0, 1))
    self.assertIn('does not vary', found.reasons[1])
    self.assertIn('undefined', found.reasons[2])
    self.assertEqual(found.reasons[3], '')
    # One test is left: no correction.
    self.assertAlmostEqual(found.critical, 1.959964, places=5)
    self.assertTrue(np.isnan(holm.family(*[np.full(1, np.nan)] * 2, ['']).p))

  def test_rate_of_false_rejections(self):
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
      shared = rng.normal()
      d = (shared + rng.normal(size=5)) / np.sqrt(2)
      wrong += holm.family(d, np.ones(5), [''] * 5).above.any()
    self.assertLess(wrong / 400, comparison.ALPHA + 0.02)


if __name__ == '__main__':
  absltest.main()
