"""Holds README and docs against the code they speak of."""

import ast
import re
import tomllib

from absl.testing import absltest

from fusion_jax.ablation import config as ablation_config
from fusion_jax.ablation import families
from fusion_jax.core import config as config_lib
from tests import imports

KNOWN = families.review(families.USUAL)

PAGES = [imports.ROOT / 'README.md', *(imports.ROOT / 'docs').glob('*.md')]

# Flags of tools that commands in the pages run, not of our launchers.
FOREIGN_FLAGS = ('write', 'help', 'editable')


def launcher_flags() -> set[str]:
  """Names given to absl's DEFINE functions below experiments/."""
  found = set()
  for path in imports.python_files('experiments'):
    for node in ast.walk(ast.parse((imports.ROOT / path).read_text())):
      if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr.startswith('DEFINE_') and node.args:
          found.add(ast.literal_eval(node.args[0]))
  return found


def leaves(tree, prefix='') -> dict[str, object]:
  flat = {}
  for name, value in tree.items():
    if isinstance(value, dict):
      flat.update(leaves(value, f'{prefix}{name}.'))
    else:
      flat[prefix + name] = value
  return flat


def written(value) -> str:
  """A default as `--set` would read it."""
  if isinstance(value, bool):
    return str(value).lower()
  return ','.join(value) if isinstance(value, list) else str(value)


class PagesTest(absltest.TestCase):
  def test_flags_exist(self):
    known = launcher_flags()
    self.assertNotEmpty(known)
    for page in PAGES:
      for flag in re.findall(r'(?<![\w-])--([a-z_]+)', page.read_text()):
        if flag not in FOREIGN_FLAGS:
          self.assertIn(flag, known, page.name)

  def test_launchers_exist(self):
    for page in PAGES:
      for name in re.findall(r'python -m (experiments\.\w+)', page.read_text()):
        self.assertIsNotNone(imports.resolve(f'{name}.x'), (page.name, name))
        self.assertNotEndsWith(
          imports.resolve(f'{name}.x'), '__init__.py', (page.name, name)
        )

  def test_links_lead_somewhere(self):
    for page in PAGES:
      for target in re.findall(r'\]\(([^)#]+)', page.read_text()):
        if '://' not in target:
          self.assertTrue((page.parent / target).exists(), (page.name, target))

  def test_index_names_every_page(self):
    index = (imports.ROOT / 'docs/index.md').read_text()
    for page in PAGES:
      if page.name not in ('index.md', 'README.md'):
        self.assertIn(f'({page.name})', index)

  def test_readme_names_the_arms(self):
    readme = (imports.ROOT / 'README.md').read_text()
    section = readme.partition('## The arms')[2].partition('\n## ')[0]
    rows = [x for x in section.splitlines() if x.startswith('|')]
    listed = re.findall(r'`(\w+)`', '\n'.join(rows))
    known = [n for n, a in KNOWN.items() if not a.extracts]
    self.assertSameElements(listed, known)
    self.assertLen(listed, len(known))

  def test_configuration_lists_every_setting(self):
    text = (imports.ROOT / 'docs/configuration.md').read_text()
    rows = re.findall(r'^\| `([\w.]+)` \| (?:`([^`]*)`)? ?\|', text, re.M)
    tree = config_lib.to_dict(ablation_config.ExperimentConfig())
    # These are lists of their own kinds, told in sections of their own.
    del tree['arms'], tree['modalities']
    expected = {k: written(v) for k, v in leaves(tree).items()}
    self.assertEqual(dict(rows), expected)

  def test_python_version_is_the_declared_one(self):
    readme = (imports.ROOT / 'README.md').read_text()
    self.assertIn('Python 3.11', readme)
    with open(imports.ROOT / 'pyproject.toml', 'rb') as f:
      target = tomllib.load(f)['tool']['ruff']['target-version']
    self.assertEqual(target, 'py311')


if __name__ == '__main__':
  absltest.main()
