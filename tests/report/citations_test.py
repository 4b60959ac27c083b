"""Tests of citations."""

from absl.testing import absltest

from fusion_jax.report import citations


class WriterTest(absltest.TestCase):
  def test_numbers_are_those_of_the_first_mention(self):
    writer = citations.Writer()
    self.assertEqual(writer.cite('guo'), '[1]')
    self.assertEqual(writer.cite('efron', 'guo'), '[2,1]')
    first, second = writer.references()
    self.assertTrue(first.startswith('1. Guo C'))
    self.assertTrue(second.startswith('2. Efron B'))

  def test_empty_sentences_leave_no_gap(self):
    writer = citations.Writer()
    writer.add('A.', '', 'B.')
    self.assertEqual(writer.paragraphs, ['A. B.'])

  def test_an_unknown_work(self):
    writer = citations.Writer()
    writer.cite('nobody')
    with self.assertRaises(KeyError):
      writer.references()


if __name__ == '__main__':
  absltest.main()
