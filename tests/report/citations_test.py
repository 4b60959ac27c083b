"""Tests of citations."""

from absl.testing import absltest

from fusion_jax.report import citations


class CitationsTest(absltest.TestCase):
  def test_numbers_are_those_of_the_first_mention(self):
    cited = citations.Citations()
    self.assertEqual(cited.cite('guo'), '[1]')
    self.assertEqual(cited.cite('efron', 'guo'), '[2,1]')
    first, second = cited.references()
    self.assertTrue(first.startswith('1. Guo C'))
    self.assertTrue(second.startswith('2. Efron B'))

  def test_an_unknown_work(self):
    with self.assertRaisesRegex(KeyError, 'nobody'):
      citations.Citations().cite('nobody')


if __name__ == '__main__':
  absltest.main()
