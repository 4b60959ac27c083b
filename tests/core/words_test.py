from absl.testing import absltest, parameterized

from fusion_jax.core import words


class WordsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('arm', 'arms'),
    ('test study', 'test studies'),
    ('key', 'keys'),
    ('class', 'classes'),
  )
  def test_plural(self, noun, expected):
    self.assertEqual(words.plural(noun), expected)

  def test_counted(self):
    self.assertEqual(words.counted(1, 'arm'), '1 arm')
    self.assertEqual(words.counted(0, 'arm'), '0 arms')
    self.assertEqual(words.counted(2, 'study'), '2 studies')


if __name__ == '__main__':
  absltest.main()
