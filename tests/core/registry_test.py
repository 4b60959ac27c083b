import pathlib
import sys
from typing import Literal

from absl.testing import absltest, parameterized

from fusion_jax.core import errors, registry, spec


class RegistryTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    # A package whose modules register themselves in `parts.REGISTRY`.
    root = pathlib.Path(self.create_tempdir().full_path)
    package = root / 'registry_test_parts'
    package.mkdir()
    (package / '__init__.py').write_text(
      'from fusion_jax.core import registry\n'
      f'REGISTRY = registry.Registry("part", package="{package.name}")\n'
    )
    for name in ('beta', 'alpha'):
      (package / f'{name}.py').write_text(
        f'import {package.name} as parts\n'
        f'@parts.REGISTRY.register("{name}", summary="the {name}", depth=3)\n'
        f'def build(): return "{name}"\n'
      )
    sys.path.insert(0, str(root))
    self.addCleanup(sys.path.remove, str(root))
    self.addCleanup(self._forget, package.name)
    self.registry = __import__(package.name).REGISTRY

  def _forget(self, package):
    for name in [n for n in sys.modules if n.startswith(package)]:
      del sys.modules[name]

  def test_finds_what_nobody_imported(self):
    self.assertNotIn('registry_test_parts.alpha', sys.modules)
    entry = self.registry.get('alpha')
    self.assertEqual(entry.build(), 'alpha')
    self.assertEqual(entry.summary, 'the alpha')
    self.assertEqual(entry.claims, {'depth': 3})

  def test_names_are_sorted_and_complete(self):
    self.assertEqual(self.registry.names(), ['alpha', 'beta'])
    self.assertEqual(self.registry.names(), ['alpha', 'beta'])

  def test_unknown_name_suggests(self):
    with self.assertRaisesRegex(
      errors.UserError, "Unknown part 'alhpa'. Did you mean 'alpha'"
    ):
      self.registry.get('alhpa')

  def test_a_name_is_taken_once(self):
    self.registry.names()
    with self.assertRaisesRegex(ValueError, "'alpha' is registered twice"):
      self.registry.register('alpha', summary='')(len)
    self.assertEqual(self.registry.get('alpha').build(), 'alpha')


LINEAR = spec.Spec('linear')
PARTS = registry.Registry('part', package='tests.core')


@PARTS.register('vit', summary='')
def vit(
  *,
  num_outputs: int,
  width: int = 64,
  rate: float = 0.5,
  sizes: tuple[int, ...] = (1, 2),
  norm: str = 'layer',
  depth: int | None = None,
  head: spec.Spec = LINEAR,
  pool: Literal['mean', 'token'] = 'mean',
):
  return num_outputs, width, rate, sizes, norm, depth, head, pool


class ArgumentsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    PARTS._loaded = True  # Nothing else is to be imported.

  def test_arguments_are_what_has_a_default(self):
    entry = PARTS.get('vit')
    self.assertEqual(entry.given, ('num_outputs',))
    self.assertEqual(
      list(entry.arguments),
      ['width', 'rate', 'sizes', 'norm', 'depth', 'head', 'pool'],
    )
    self.assertEqual(
      str(entry),
      "vit(width=64,rate=0.5,sizes=(1,2),norm='layer',depth=none,head=linear,"
      "pool='mean')",
    )

  def test_builds_with_what_it_asks_for(self):
    built = PARTS.build(
      'vit(width=8,rate=1,sizes=(3,),norm=batch,depth=2,head=mlp(width=4),'
      'pool=token)',
      num_outputs=5,
      levels=9,
    )
    self.assertEqual(
      built,
      (5, 8, 1.0, (3,), 'batch', 2, spec.Spec('mlp', {'width': 4}), 'token'),
    )
    self.assertEqual(PARTS.build('vit', num_outputs=1)[1:3], (64, 0.5))

  def test_a_checked_spec_is_canonical(self):
    self.assertEqual(
      str(PARTS.check("vit(rate=1,norm='layer',width=8)")),
      'vit(width=8,rate=1.0)',
    )
    self.assertEqual(PARTS.check('vit(width=64)'), PARTS.check('vit'))
    for text in ('vit(pool=token)', "vit(pool='token')"):
      self.assertEqual(str(PARTS.check(text)), "vit(pool='token')")

  @parameterized.parameters(
    ('vti', "Unknown part 'vti' .--set.. Did you mean 'vit'"),
    ('vit(widht=1)', "Did you mean 'width'.*width, rate, sizes"),
    ('vit(num_outputs=1)', "Unknown argument of part 'vit' 'num_outputs'"),
    ('vit(width=1.5)', 'width=....*expected a whole number, got 1.5'),
    ('vit(width=true)', 'expected a whole number, got true'),
    ('vit(sizes=3)', 'expected values in parentheses'),
    ('vit(sizes=(a,))', 'expected a whole number, got a'),
    ('vit(norm=3)', 'expected a name'),
    ('vit(pool=maen)', "value of vit.pool=....*Did you mean 'mean'"),
    ('vit(pool=3)', "Unknown value of vit.*'3'.*: mean, token"),
    ('vit(head=3)', 'expected a part'),
    ('vit(width=none)', 'expected a whole number, got none'),
  )
  def test_errors_name_the_place(self, part, expected):
    with self.assertRaisesRegex(errors.UserError, expected) as context:
      PARTS.check(part, where='--set')
    self.assertIn('--set', str(context.exception))


class ImportTest(absltest.TestCase):
  def test_a_module_that_fails_is_one_line(self):
    with self.assertRaisesRegex(
      errors.UserError, "'no_such_module' .--import. cannot be imported"
    ):
      registry.import_parts(['no_such_module'])


if __name__ == '__main__':
  absltest.main()
