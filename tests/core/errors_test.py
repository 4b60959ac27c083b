from absl.testing import absltest

from fusion_jax.core import errors


class ErrorsTest(absltest.TestCase):
  def test_unknown_name_suggests_the_nearest(self):
    error = errors.unknown_name('arm', 'jiont', ['image', 'joint'])
    self.assertIsInstance(error, errors.UserError)
    self.assertEqual(
      str(error),
      "Unknown arm 'jiont'. Did you mean 'joint'? Known arms: image, joint.",
    )

  def test_unknown_name_says_where_and_does_not_guess_wildly(self):
    error = errors.unknown_name('arm', 'zzz', ['image'], where='--arms=zzz')
    self.assertEqual(
      str(error), "Unknown arm 'zzz' (--arms=zzz). Known arms: image."
    )

  def test_plurals(self):
    for kind, plural in (
      ('modality', 'modalities'),
      ('arm of this run', 'arms of this run'),
      ('metric', 'metrics'),
      ('class', 'classes'),
      ('registered key', 'registered keys'),
      ('key of this file', 'keys of this file'),
    ):
      error = errors.unknown_name(kind, 'a', ['b'])
      self.assertIn(f'Known {plural}: b.', str(error))

  def test_unknown_name_of_nothing_and_of_an_iterator(self):
    self.assertIn('none', str(errors.unknown_name('arm', 'a', [])))
    names = (x for x in ['joint', 'image'])
    self.assertIn('joint, image', str(errors.unknown_name('arm', 'jo', names)))

  def test_brief(self):
    self.assertEqual(errors.brief('short'), 'short')
    self.assertEqual(
      errors.brief('a' * 1000 + 'b' * 80), 'a' * 80 + '...' + 'b' * 80
    )

  def test_nearest(self):
    self.assertEqual(errors.nearest('epoch', ['epochs', 'rate']), 'epochs')
    self.assertIsNone(errors.nearest('x', ['epochs', 'rate']))

  def test_several_problems_are_a_line_each(self):
    error = errors.ProblemsError('Two faults:', ['a', 'b'])
    self.assertIsInstance(error, errors.UserError)
    self.assertEqual(str(error), 'Two faults:\n  a\n  b')
    self.assertEqual(error.lines, ('a', 'b'))

  def test_a_missing_package_says_how_to_install_it(self):
    error = errors.MissingPackageError('Streaming', 'grain')
    self.assertIsInstance(error, errors.UserError)
    self.assertEndsWith(str(error), 'pip install grain')


if __name__ == '__main__':
  absltest.main()
