"""Holds BUILD against the imports, both ways.

`python tests/build_test.py --write` rewrites BUILD from the tree.
"""

import ast
import difflib
import pathlib
import sys

# Run as a script, only this file's own folder is on the path.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl.testing import absltest

from tests import imports

BUILD = imports.ROOT / 'BUILD'

# Names on PyPI of modules that are called something else.
DISTRIBUTIONS = {
  'PIL': 'pillow',
  'absl': 'absl-py',
  'orbax': 'orbax-checkpoint',
  'sklearn': 'scikit-learn',
  'sksurv': 'scikit-survival',
  'tensorflow_datasets': 'tensorflow-datasets',
}

HEADER = """\
# One target per file, named by its path; `:all_of/PACKAGE` stands for the
# modules of a package that are found by name at run time. Third-party packages
# are the comments. Written by: python tests/build_test.py --write

load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")

package(default_visibility = ["//visibility:public"])

licenses(["notice"])

exports_files(["LICENSE"])
"""

# What tests/conftest.py sets under pytest.
TEST_ENV = {
  'JAX_PLATFORMS': 'cpu',
  'NPROC': '16',
  'XLA_FLAGS': '--xla_force_host_platform_device_count=8',
}

# Files of a package that are data, by the package's folder.
DATA = {
  'fusion_jax/report': 'templates/*.html',
  'fusion_jax/data': 'descriptors/*.toml',
}


def target_name(path: str) -> str:
  return path.removesuffix('.py')


class Tree:
  """The Python files of a source tree and what they import."""

  def __init__(self, root: pathlib.Path):
    self.root = root
    self.files = imports.python_files(*imports.OURS, root=root)
    self.imports = {
      path: imports.parse((root / path).read_text(), path=path)
      for path in self.files
    }

  def deps(self, path: str) -> set[str]:
    """Files of ours that importing `path` needs, itself left out."""
    found = {
      imports.resolve(item.name, root=self.root)
      for item in self.imports[path]
      if not item.text
    }
    return {x for x in found if x} - {path}

  def closure(self, path: str) -> set[str]:
    seen, waiting = set(), [path]
    while waiting:
      current = waiting.pop()
      if current not in seen:
        seen.add(current)
        waiting += self.deps(current)
    return seen

  def named_packages(self, path: str) -> set[str]:
    """Packages whose names `path` or what it needs holds as text."""
    return {
      dotted.removesuffix('/__init__.py')
      for needed in self.closure(path)
      for item in self.imports[needed]
      if item.text
      for dotted in [imports.resolve(item.name, root=self.root) or '']
      if dotted.endswith('/__init__.py')
    }

  def rule(self, path: str) -> str:
    if path.startswith('tests/') and path.endswith('_test.py'):
      return 'py_test'
    launcher = "\nif __name__ == '__main__':" in (self.root / path).read_text()
    if path.startswith('experiments/') and launcher:
      return 'py_binary'
    return 'py_library'

  def needs(self, path: str) -> set[str]:
    """Packages a file needs as a whole: only what nothing imports does."""
    leaf = self.rule(path) != 'py_library'
    return self.named_packages(path) if leaf else set()

  def packages(self) -> list[str]:
    return sorted(set().union(*map(self.needs, self.files)))

  def data(self, path: str) -> list[str]:
    folder, _, _ = path.rpartition('/')
    if folder not in DATA:
      return []
    return sorted(
      x.relative_to(self.root).as_posix()
      for x in (self.root / folder).glob(DATA[folder])
    )


def _strings(name: str, values, comments=()) -> list[str]:
  lines = [f'        "{x}",' for x in values]
  lines += [f'        # {x}' for x in comments]
  return [f'    {name} = [', *lines, '    ],'] if lines else []


def expected(root: pathlib.Path = imports.ROOT) -> str:
  """The BUILD file that fits the tree below `root`."""
  tree = Tree(root)
  blocks = [HEADER]
  for path in tree.files:
    rule = tree.rule(path)
    deps = [f':{target_name(x)}' for x in tree.deps(path)]
    deps += [f':all_of/{x}' for x in tree.needs(path)]
    others = imports.third_party(tree.imports[path])
    if rule == 'py_test':
      others = sorted({*others, 'pytest'})
    lines = [f'{rule}(', f'    name = "{target_name(path)}",']
    lines += _strings('srcs', [path])
    if rule != 'py_library':
      lines.append(f'    main = "{path}",')
    if rule == 'py_test':
      lines.append('    env = {')
      lines += [f'        "{k}": "{v}",' for k, v in TEST_ENV.items()]
      lines.append('    },')
    lines += _strings('data', tree.data(path))
    lines += _strings(
      'deps', sorted(deps), [DISTRIBUTIONS.get(x, x) for x in others]
    )
    blocks.append('\n'.join([*lines, ')']) + '\n')
  for package in tree.packages():
    inside = [x for x in tree.files if x.startswith(f'{package}/')]
    lines = ['py_library(', f'    name = "all_of/{package}",']
    lines += _strings('deps', sorted(f':{target_name(x)}' for x in inside))
    blocks.append('\n'.join([*lines, ')']) + '\n')
  return '\n'.join(blocks)


def parse_build(text: str) -> dict[str, dict]:
  """Targets by name, each with its rule and its arguments."""
  targets = {}
  for node in ast.parse(text).body:
    call = node.value
    if call.func.id.startswith('py_'):
      arguments = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
      if arguments['name'] in targets:
        raise ValueError(f'{arguments["name"]} stands twice in BUILD')
      targets[arguments['name']] = {'rule': call.func.id, **arguments}
  return targets


def faults(text: str, root: pathlib.Path = imports.ROOT) -> list[str]:
  """What a BUILD file says that the tree's imports do not, and back."""
  targets = parse_build(text)
  tree = Tree(root)
  found = []
  for path in tree.files:
    name = target_name(path)
    if name not in targets:
      found.append(f'{path} has no target')
      continue
    target = targets.pop(name)
    if target['srcs'] != [path]:
      found.append(f'{name}: srcs are {target["srcs"]}')
    said = set(target.get('deps', []))
    true = {f':{target_name(x)}' for x in tree.deps(path)}
    true |= {f':all_of/{x}' for x in tree.needs(path)}
    found += [f'{name}: {x} is imported, not a dep' for x in true - said]
    found += [f'{name}: {x} is a dep, not imported' for x in said - true]
    missing = set(tree.data(path)) - set(target.get('data', []))
    found += [f'{name}: {x} is not in data' for x in sorted(missing)]
  for package in tree.packages():
    if f'all_of/{package}' not in targets:
      found.append(f'all_of/{package} is missing')
    targets.pop(f'all_of/{package}', None)
  found += [f'{x} is a target without a file' for x in targets]
  return sorted(found)


def cycle(deps: dict[str, set[str]]) -> list[str]:
  """A cycle of a graph given as name to names, or nothing."""
  done, path = set(), []

  def visit(name):
    if name in path:
      return [*path[path.index(name) :], name]
    if name in done:
      return []
    path.append(name)
    for following in sorted(deps.get(name, ())):
      if found := visit(following):
        return found
    done.add(path.pop())
    return []

  for name in sorted(deps):
    if found := visit(name):
      return found
  return []


class BuildTest(absltest.TestCase):
  def test_deps_are_the_imports(self):
    found = faults(BUILD.read_text())
    self.assertEmpty(
      found,
      '\n'.join(['', *found, 'Run: python tests/build_test.py --write']),
    )

  def test_is_as_written(self):
    """Also the third-party comments, which no BUILD parser sees."""
    difference = difflib.unified_diff(
      BUILD.read_text().splitlines(),
      expected().splitlines(),
      'BUILD',
      'expected',
      lineterm='',
    )
    self.assertEmpty(
      list(difference), 'Run: python tests/build_test.py --write'
    )

  def test_has_no_cycle(self):
    targets = parse_build(BUILD.read_text())
    deps = {k: {x[1:] for x in v.get('deps', [])} for k, v in targets.items()}
    self.assertEmpty(cycle(deps))


class CheckerTest(absltest.TestCase):
  """The checker itself, on a small tree."""

  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.put('fusion_jax/__init__.py', '')
    self.put('fusion_jax/core/__init__.py', '')
    self.put('fusion_jax/core/a.py', 'import numpy as np\n')
    self.put('fusion_jax/core/b.py', 'from fusion_jax.core import a\n')
    self.put('fusion_jax/core/c.py', "WHERE = 'fusion_jax.core'\n")
    self.put('tests/core/b_test.py', 'from fusion_jax.core import b\n')
    self.put('tests/core/c_test.py', 'from fusion_jax.core import c\n')
    self.text = expected(self.root)

  def put(self, path, text):
    (self.root / path).parent.mkdir(parents=True, exist_ok=True)
    (self.root / path).write_text(text)

  def test_what_is_written_holds(self):
    self.assertEmpty(faults(self.text, self.root))
    targets = parse_build(self.text)
    self.assertEqual(
      targets['fusion_jax/core/b']['deps'], [':fusion_jax/core/a']
    )
    self.assertEqual(targets['tests/core/b_test']['rule'], 'py_test')
    self.assertIn('        # numpy\n', self.text)

  def test_package_named_as_text_is_a_dep_of_the_leaf_alone(self):
    targets = parse_build(self.text)
    self.assertNotIn('deps', targets['fusion_jax/core/c'])
    self.assertIn(
      ':all_of/fusion_jax/core', targets['tests/core/c_test']['deps']
    )
    self.assertIn(
      ':fusion_jax/core/a', targets['all_of/fusion_jax/core']['deps']
    )

  def test_finds_an_undeclared_import(self):
    self.put('fusion_jax/core/a.py', 'import fusion_jax.core.c\n')
    self.assertEqual(
      faults(self.text, self.root),
      [
        'fusion_jax/core/a: :fusion_jax/core/c is imported, not a dep',
        'tests/core/b_test: :all_of/fusion_jax/core is imported, not a dep',
      ],
    )

  def test_finds_a_dep_that_is_not_imported(self):
    self.put('fusion_jax/core/b.py', '')
    self.assertIn(
      'fusion_jax/core/b: :fusion_jax/core/a is a dep, not imported',
      faults(self.text, self.root),
    )

  def test_finds_a_file_without_target_and_a_target_without_file(self):
    (self.root / 'fusion_jax/core/a.py').rename(
      self.root / 'fusion_jax/core/d.py'
    )
    found = ' '.join(faults(self.text, self.root))
    self.assertIn('fusion_jax/core/d.py has no target', found)
    self.assertIn('fusion_jax/core/a is a target without a file', found)

  def test_finds_data_left_out(self):
    self.put('fusion_jax/report/__init__.py', '')
    self.text = expected(self.root)
    self.put('fusion_jax/report/templates/x.html', '')
    self.assertEqual(
      faults(self.text, self.root),
      [
        'fusion_jax/report/__init__: fusion_jax/report/templates/x.html is '
        'not in data'
      ],
    )

  def test_finds_a_cycle(self):
    self.assertEqual(
      cycle({'a': {'b'}, 'b': {'c'}, 'c': {'b'}}), ['b', 'c', 'b']
    )
    self.assertEmpty(cycle({'a': {'b', 'c'}, 'b': {'c'}, 'c': set()}))


if __name__ == '__main__':
  if sys.argv[1:] == ['--write']:
    BUILD.write_text(expected())
  else:
    absltest.main()
