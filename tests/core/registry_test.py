import pathlib
import sys

from absl.testing import absltest

from fusion_jax.core import errors


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


if __name__ == '__main__':
  absltest.main()
