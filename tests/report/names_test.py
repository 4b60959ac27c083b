"""Tests of names in plain words."""

from absl.testing import absltest, parameterized

from fusion_jax.report import names


class NamesTest(parameterized.TestCase):
  def test_each_verdict_has_a_sign_of_its_own(self):
    signs = [names.sign(x) for x in names.SIGNS]
    self.assertLen(set(signs), 4)
    self.assertEqual(names.sign('superior', within_margin=True), '△')
    self.assertEqual(
      names.style('inferior', within_margin=True), 'inferior within'
    )
    self.assertEqual((names.sign('x'), names.style('x')), ('', ''))


if __name__ == '__main__':
  absltest.main()
