"""Holds README and docs against the code they speak of.

`python tests/docs_test.py --write` makes their tables anew.
"""

import ast
import pathlib
import re
import sys
import tomllib

# Run as a script, only this file's own folder is on the path.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl.testing import absltest

from fusion_jax.launch import command
from tests import docs_tables, imports

PAGES = [imports.ROOT / 'README.md', *(imports.ROOT / 'docs').glob('*.md')]

REMAKE = 'Run: python tests/docs_test.py --write'
# Flags of tools that commands in the pages run, not of our launchers.
FOREIGN_FLAGS = ('write', 'help', 'editable')
_MODULE = r'python -m (experiments\.[\w.]+\w)'


def launcher_flags() -> set[str]:
  """Names given to absl's DEFINE functions by launchers and studies."""
  found = set()
  for path in imports.python_files('fusion_jax/launch', 'experiments'):
    for node in ast.walk(ast.parse((imports.ROOT / path).read_text())):
      if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr.startswith('DEFINE_') and node.args:
          found.add(ast.literal_eval(node.args[0]))
  return found


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
      for name in re.findall(_MODULE, page.read_text()):
        if name == 'experiments.NAME':
          continue
        self.assertIsNotNone(imports.resolve(f'{name}.x'), (page.name, name))
        self.assertNotEndsWith(
          imports.resolve(f'{name}.x'), '__init__.py', (page.name, name)
        )

  def test_commands_exist(self):
    for page in PAGES:
      for name in re.findall(r'fusion-jax (\w+)', page.read_text()):
        self.assertIn(name, (*command.COMMANDS, 'COMMAND', 'NAME'), page.name)

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

  def test_tables_are_those_of_the_code(self):
    for page in docs_tables.pages():
      text = page.read_text()
      self.assertEqual(text, docs_tables.remade(text), f'{page.name}: {REMAKE}')

  def test_the_page_of_commands_is_that_of_the_code(self):
    self.assertEqual(
      docs_tables.COMMANDS.read_text(), docs_tables.commands_page(), REMAKE
    )

  def test_every_setting_and_arm_is_in_a_table(self):
    readme = docs_tables.names((imports.ROOT / 'README.md').read_text())
    self.assertContainsSubset({'arms', 'flags ablate'}, readme)
    text = (imports.ROOT / 'docs/configuration.md').read_text()
    self.assertSameElements(
      docs_tables.names(text),
      [f'settings {x}' for x in docs_tables.groups()],
      'docs/configuration.md has no <!-- made of: settings GROUP -->',
    )

  def test_python_version_is_the_declared_one(self):
    readme = (imports.ROOT / 'README.md').read_text()
    self.assertIn('Python 3.11', readme)
    with open(imports.ROOT / 'pyproject.toml', 'rb') as f:
      target = tomllib.load(f)['tool']['ruff']['target-version']
    self.assertEqual(target, 'py311')


class TablesTest(absltest.TestCase):
  """The maker of tables itself."""

  def test_remakes_a_table_and_keeps_the_rest(self):
    text = 'Before\n\n<!-- made of: arms -->\n\n| old |\n| x |\n\nAfter\n'
    made = docs_tables.remade(text)
    self.assertStartsWith(made, 'Before\n\n<!-- made of: arms -->\n\n| arm | ')
    self.assertEndsWith(made, ' |\n\nAfter\n')
    self.assertNotIn('old', made)
    self.assertEqual(docs_tables.remade(made), made)
    self.assertEqual(docs_tables.names(made), ['arms'])

  def test_defaults_follow_the_code_and_words_of_the_page_stay(self):
    head = '<!-- made of: settings run -->\n\n'
    made = docs_tables.remade(
      f'{head}| `seeds` | `7` | in my words |\n| `gone` | | x |\n'
    )
    self.assertIn('| `seeds` | `1` | in my words |\n', made)
    self.assertIn('| `seed` | `0` | of everything random', made)
    self.assertNotIn('gone', made)

  def test_a_part_with_a_source_says_what_differs_from_it(self):
    for kind in ('combiners', 'exchanges', 'methods'):
      entries = docs_tables.parts(kind)
      self.assertNotEmpty(entries)
      for entry in entries:
        source, differs = docs_tables.told(entry)
        if year := re.search(r'\b(?:19|20)\d\d\b', entry.summary):
          self.assertIn(year[0], source, entry.name)
          self.assertNotEmpty(differs, entry.name)

  def test_flags_with_those_of_a_module_that_is_imported(self):
    flags = dict(docs_tables.flags_of('ablate'))
    self.assertEqual(flags['parallel'], 'jit or pmap')
    self.assertIn('quiet', flags)


if __name__ == '__main__':
  if sys.argv[1:] == ['--write']:
    docs_tables.COMMANDS.write_text(docs_tables.commands_page())
    for page in docs_tables.pages():
      page.write_text(docs_tables.remade(page.read_text()))
  else:
    absltest.main()
