"""Tests of import closures and their hashes."""

import pathlib
import sys
import textwrap
import types
from unittest import mock

from absl.testing import absltest, parameterized

from fusion_jax.core import closure, errors

BASE = {
  '__init__.py': '"""Top."""\n\n__version__ = \'1\'\n',
  'a.py': """
    import os
    from pack import b
    from pack.sub.c import thing
    """,
  'b.py': 'import typing\n\nif typing.TYPE_CHECKING:\n  from pack import d\n',
  'd.py': '',
  'sub/__init__.py': '',
  'sub/c.py': """
    from . import e
    from ..b import x as y

    def thing():
      from pack.sub import late
    """,
  'sub/e.py': '',
  'sub/late.py': '',
  'sub/unused.py': '',
}
ALL = ['pack', 'pack.a', 'pack.b', 'pack.sub', 'pack.sub.c', 'pack.sub.e']


class ClosureTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    for name, text in BASE.items():
      self.write(name, text)
    self.enterContext(
      mock.patch.object(closure, 'root_of', lambda top: self.root)
    )

  def write(self, name, text):
    path = self.root / 'pack' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))

  def test_imports_are_followed_inside_the_package(self):
    self.assertEqual(sorted(closure.files(['pack.a'])), [*ALL, 'pack.sub.late'])
    self.assertEqual(sorted(closure.files(['pack.b'])), ['pack', 'pack.b'])

  @parameterized.parameters(
    ('sub/unused.py', 'x = 1\n'),
    ('sub/new.py', 'x = 1\n'),
    ('d.py', 'x = 1\n'),
    ('sub/e.py', '# a comment\n\n\n'),
    ('sub/e.py', '"""A docstring."""\n'),
    ('__init__.py', "__version__ = '2'\n"),
  )
  def test_what_changes_nothing(self, name, text):
    before = closure.digest(['pack.a'])
    self.write(name, text)
    self.assertEqual(closure.digest(['pack.a']), before)

  @parameterized.parameters(
    ('a.py', 'import os\n'),
    ('sub/e.py', 'x = 1\n'),
    ('sub/late.py', 'x = 1\n'),
    ('sub/__init__.py', 'x = 1\n'),
    ('b.py', 'from pack import d\n'),
  )
  def test_what_changes_it(self, name, text):
    before = closure.digest(['pack.a'])
    self.write(name, text)
    self.assertNotEqual(closure.digest(['pack.a']), before)

  def test_layout_and_docstrings_inside(self):
    self.write('d.py', 'def f(x):\n  """Says."""\n  return (x\n    + 1)\n')
    before = closure.digest(['pack.d'])
    self.write('d.py', 'def f( x ):  # or so\n\n  return x+1\n')
    self.assertEqual(closure.digest(['pack.d']), before)
    self.write('d.py', 'def f(x):\n  return x + 2\n')
    self.assertNotEqual(closure.digest(['pack.d']), before)

  def test_files_by_themselves(self):
    paths = [self.root / 'pack' / x for x in ('a.py', 'd.py')]
    before = closure.digest_of(paths)
    self.write('sub/e.py', 'x = 1\n')
    self.assertEqual(closure.digest_of(paths), before)
    self.write('d.py', 'x = 1\n')
    self.assertNotEqual(closure.digest_of(paths), before)


class RootTest(absltest.TestCase):
  def test_of_this_package(self):
    found = closure.files(['fusion_jax.core.closure'])
    self.assertEqual(
      sorted(found),
      [
        'fusion_jax',
        'fusion_jax.core',
        'fusion_jax.core.closure',
        'fusion_jax.core.errors',
        'fusion_jax.core.words',
      ],
    )

  def test_a_module_in_no_file(self):
    with self.assertRaisesRegex(errors.UserError, "'nowhere.x' lies in no"):
      closure.digest(['nowhere.x'])
    self.assertIsNone(closure.root_of('sys'))

  def test_the_module_that_was_started(self):
    started = types.SimpleNamespace(__file__='/somewhere/started.py')
    with mock.patch.dict(sys.modules, {'__main__': started}):
      self.assertEqual(closure.root_of('__main__'), pathlib.Path('/somewhere'))


if __name__ == '__main__':
  absltest.main()
