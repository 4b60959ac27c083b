"""Tests of what parts hold their arguments against."""

from absl.testing import absltest

from fusion_jax.core import arguments, errors


class ArgumentsTest(absltest.TestCase):
  def _error(self, message):
    return self.assertRaisesRegex(errors.UserError, message)

  def test_numbers_of_things(self):
    arguments.at_least_one('net', depth=1, width=64)
    with self._error(r'net\(depth=0\): expected a whole number of at least 1'):
      arguments.at_least_one('net', width=1, depth=0)

  def test_rates(self):
    arguments.rate('net', dropout=0.0, drop=0.99)
    for value in (1.0, -0.1, float('nan')):
      with self._error(r'net\(drop=.*\): expected a number of at least 0'):
        arguments.rate('net', dropout=0.5, drop=value)

  def test_heads_share_the_width(self):
    arguments.attention('vit', width=12, heads=3)
    with self._error(r'vit\(width=10,heads=3\): width has to be a multiple'):
      arguments.attention('vit', width=10, heads=3)
    with self._error(r'vit\(heads=0\): expected a whole number'):
      arguments.attention('vit', width=10, heads=0)

  def test_one_number_a_stage(self):
    arguments.each_stage('net', blocks=(1, 2), widths=(3, 4))
    with self._error(r'net\(blocks=\(\)\): expected whole numbers'):
      arguments.each_stage('net', blocks=())
    with self._error(r'net\(widths=\(1, 0\)\): expected whole numbers'):
      arguments.each_stage('net', blocks=(1, 2), widths=(1, 0))
    with self._error("1 of 'blocks' and 2 of 'widths'; expected as many"):
      arguments.each_stage('net', blocks=(1,), widths=(3, 4))


if __name__ == '__main__':
  absltest.main()
