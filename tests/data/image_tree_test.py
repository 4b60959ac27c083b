"""Tests of fusion_jax.data.image_tree."""

import os
import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.data import image_tree


def parts(text: str):
  """The parts of a path in which each '*' is a star."""
  found = []
  for at, piece in enumerate(text.split('*')):
    found += ([('*', None)] if at else []) + [(piece, '')]
  return found


class TreeTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir('data').full_path)
    for name in ('a/x.png', 'a/y.png', 'a/.z.png', 'b/c/x.tif', 'x', 'd*.png'):
      (self.root / name).parent.mkdir(parents=True, exist_ok=True)
      (self.root / name).touch()
    self.tree = image_tree.Tree(self.root)

  def _find(self, text):
    return self.tree.find(parts(text))

  @parameterized.parameters(
    ('a/x.png', ['a/x.png']),
    ('a/./x.png', ['a/x.png']),
    ('b/../a/x.png', ['a/x.png']),
    ('a/*', ['a/x.png', 'a/y.png']),
    ('a/.*', ['a/.z.png']),
    ('*/x.png', ['a/x.png']),
    ('*/*/x.*', ['b/c/x.tif']),
    ('*', ['d*.png', 'x']),
    ('b/*', []),
    ('x/y', []),
    ('a/X.png', []),
    ('', []),
    ('.', []),
    ('a/..', []),
    ('a\0', []),
  )
  def test_find(self, text, expected):
    self.assertEqual([path for path, _ in self._find(text)], expected)

  def test_what_stars_stand_for(self):
    self.assertEqual(self._find('*/*.png')[0], ('a/x.png', ('a', 'x')))

  def test_a_star_that_is_no_star(self):
    self.assertEqual(self.tree.find([('d*.png', '')])[0][0], 'd*.png')
    self.assertEqual(self.tree.find([('a/*.png', '')]), [])

  @parameterized.parameters('/a/x.png', '..', 'a/../../x', 'C:\\x', '\\\\h\\x')
  def test_paths_out(self, text):
    with self.assertRaises(image_tree.OutsideError):
      self._find(text)

  def test_links(self):
    os.symlink('a', self.root / 'in')
    os.symlink(self.create_tempdir('else').full_path, self.root / 'out')
    (self.root / 'out/x.png').touch()
    os.symlink('none', self.root / 'loose')
    tree = image_tree.Tree(self.root)
    self.assertEqual(tree.find(parts('in/x.png')), [('in/x.png', ())])
    self.assertEqual(tree.find(parts('loose')), [('loose', ())])
    for text in ('out/x.png', 'o*/x.png'):
      with self.assertRaisesRegex(image_tree.OutsideError, "'out' is a link"):
        tree.find(parts(text))

  @parameterized.parameters(
    ('a/X.PNG', " There is 'a/x.png'."),
    ('x.tif', " There is 'a/x.png'."),
    ('a/x.0.png', " There is 'a/x.png'."),
    ('y', " There is 'a/y.png'."),
    ('e/y.png', " There is no folder 'e'. There is 'a/y.png'."),
    ('e/none.png', " There is no folder 'e'."),
    ('../y.png', ''),
    ('a/none.png', ''),
  )
  def test_hint(self, text, expected):
    self.assertEqual(self.tree.hint(text), expected)


if __name__ == '__main__':
  absltest.main()
