from absl.testing import absltest

from fusion_jax.training import running


class PaddedTest(absltest.TestCase):
  """What a fleet does is tested in neural_test.py."""

  def test_a_lone_member_stays_alone(self):
    self.assertEqual(running.padded(['a'], 1), ['a'])

  def test_the_last_one_fills_up(self):
    self.assertEqual(running.padded('ab', 4), list('abbb'))
    self.assertEqual(running.padded('abcd', 4), list('abcd'))


if __name__ == '__main__':
  absltest.main()
