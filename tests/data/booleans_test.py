"""Tests of what means true and false."""

from absl.testing import absltest

from fusion_jax.data import booleans


class BooleansTest(absltest.TestCase):
  def test_the_usual_words(self):
    true, false = booleans.truths()
    self.assertContainsSubset({'true', '1', 'yes'}, true)
    self.assertContainsSubset({'false', '0', 'no'}, false)
    self.assertEmpty(true & false)
    self.assertIn(booleans.lower('TRUE'), true)

  def test_own_words(self):
    true, false = booleans.truths(['N'])
    self.assertEqual(true, {'n'})
    self.assertNotIn('n', false)
    self.assertEqual(booleans.truths(['a'], ['B']), ({'a'}, {'b'}))


if __name__ == '__main__':
  absltest.main()
