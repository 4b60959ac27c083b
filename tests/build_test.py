"""Holds BUILD against the tree: every package covered, deps as imported.

`python tests/build_test.py --write` rewrites BUILD from the tree, and
`.ci/bazel` builds it.
"""

import pathlib
import sys
import textwrap

# Run as a script, only this file's own folder is on the path.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl.testing import absltest

from tests import imports

BUILD = imports.ROOT / 'BUILD'
REWRITE = 'Run: python tests/build_test.py --write'
MOST_LINES = 400

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
# One target a package, named by its folder. Third-party packages are those of
# the Python that is first on the path. Written by:
# python tests/build_test.py --write; built by: .ci/bazel

package(default_visibility = ["//visibility:public"])

licenses(["notice"])

exports_files(["LICENSE"])
"""

BINARY = """\
py_binary(
    name = "fusion-jax",
    srcs = ["fusion_jax/launch/command.py"],
    main = "fusion_jax/launch/command.py",
    deps = [":fusion_jax/launch"],
)
"""

# tests/*_test.py are about the checkout and run under pytest alone.
TESTS = """\
[
    py_test(
        name = "test_" + folder,
        size = "enormous",
        srcs = ["tests/bazel_main.py"],
        args = ["tests/" + folder],
        data = ["pyproject.toml"],
        main = "tests/bazel_main.py",
        deps = [":tests/" + folder],
    )
    for folder in [
{}
    ]
]
"""


def package_of(path: str) -> str:
  """The target that a file belongs to."""
  top, *inner = path.split('/')[:-1]
  if top == 'experiments' and inner:
    inner = inner[:1]
  return '/'.join([top, *inner[:1]])


def packages(root: pathlib.Path) -> dict[str, list[str]]:
  """By target, its Python files."""
  found: dict[str, list[str]] = {}
  for path in imports.python_files(*imports.OURS, root=root):
    found.setdefault(package_of(path), []).append(path)
  return found


def deps(files: list[str], root: pathlib.Path) -> list[str]:
  """Other targets that files import, or import by a name they hold as text."""
  found = set()
  for path in files:
    source = (root / path).read_text(encoding='utf-8')
    for item in imports.parse(source, path=path):
      needed = imports.resolve(item.name, root=root)
      if needed:
        found.add(package_of(needed))
    top = path.split('/')[0]
    if package_of(path) != top:
      found.add(top)
  return sorted(found - {package_of(files[0])})


def data(package: str, root: pathlib.Path) -> list[str]:
  """Patterns of the files of a package that are no Python."""
  if package in imports.OURS:
    return []
  found = {
    f'{path.parent.relative_to(root).as_posix()}/*{path.suffix}'
    for path in (root / package).rglob('*')
    if path.is_file() and path.suffix not in ('.py', '.pyc')
  }
  return sorted(found)


def _strings(values) -> str:
  return textwrap.fill(
    ' '.join(f'"{x}",' for x in values),
    width=79,
    initial_indent=' ' * 8,
    subsequent_indent=' ' * 8,
    break_long_words=False,
    break_on_hyphens=False,
  )


def expected(root: pathlib.Path = imports.ROOT) -> str:
  """The BUILD file that fits the tree below `root`."""
  found = packages(root)
  blocks = [HEADER]
  for package, files in found.items():
    # Packages at the top have targets of their own below.
    deep = '' if package in imports.OURS else '**/'
    lines = ['py_library(', f'    name = "{package}",']
    if package.startswith('tests'):
      lines.append('    testonly = True,')
    lines.append(f'    srcs = glob(["{package}/{deep}*.py"]),')
    patterns = data(package, root)
    if patterns:
      lines += ['    data = glob([', _strings(patterns), '    ]),']
    needed = deps(files, root)
    if needed:
      lines += ['    deps = [', _strings(f':{x}' for x in needed), '    ],']
    blocks.append('\n'.join([*lines, ')\n']))
  tested = [x.removeprefix('tests/') for x in found if x.startswith('tests/')]
  blocks += [BINARY, TESTS.format(_strings(tested))]
  return '\n'.join(blocks)


def run_build(text: str, root: pathlib.Path) -> dict[str, dict]:
  """Targets by name with their arguments, globs opened.

  Starlark is Python enough for this file.
  """
  targets: dict[str, dict] = {}

  def rule(**arguments):
    assert arguments['name'] not in targets, arguments['name']
    targets[arguments['name']] = arguments

  def opened(patterns):
    return sorted(
      x.relative_to(root).as_posix() for p in patterns for x in root.glob(p)
    )

  rules = dict.fromkeys(('py_library', 'py_binary', 'py_test'), rule)
  ignored = dict.fromkeys(
    ('package', 'licenses', 'exports_files'), lambda *_, **__: None
  )
  exec(text, {**rules, **ignored, 'glob': opened})
  return targets


def faults(text: str, root: pathlib.Path = imports.ROOT) -> list[str]:
  """What a BUILD file says that is not true of the tree, and back."""
  targets = run_build(text, root)
  found = []
  for package, files in packages(root).items():
    if package not in targets:
      found.append(f'{package} has no target')
      continue
    target = targets[package]
    said = {x[1:] for x in target.get('deps', [])}
    true = set(deps(files, root))
    found += [f'{package}: {x} is imported, not a dep' for x in true - said]
    found += [f'{package}: {x} is a dep, not imported' for x in said - true]
    lost = set(files) - set(target['srcs'])
    held = root / package
    if package not in imports.OURS:
      lost |= {
        x.relative_to(root).as_posix()
        for x in held.rglob('*')
        if x.is_file() and x.suffix not in ('.py', '.pyc')
      } - set(target.get('data', []))
    found += [f'{package}: {x} is left out' for x in lost]
  known = packages(root)
  for name, target in targets.items():
    unknown = {x[1:] for x in target.get('deps', [])} - set(targets)
    found += [f'{name}: no target {x}' for x in unknown]
    if name not in known and 'main' not in target:
      found.append(f'{name} is a target without a package')
  return sorted(found)


def cycle(graph: dict[str, set[str]]) -> list[str]:
  """A cycle of a graph given as name to names, or nothing."""
  done, path = set(), []

  def visit(name):
    if name in path:
      return [*path[path.index(name) :], name]
    if name in done:
      return []
    path.append(name)
    for following in sorted(graph.get(name, ())):
      if found := visit(following):
        return found
    done.add(path.pop())
    return []

  for name in sorted(graph):
    if found := visit(name):
      return found
  return []


class BuildTest(absltest.TestCase):
  def test_is_true_of_the_tree(self):
    found = faults(BUILD.read_text())
    self.assertEmpty(found, '\n'.join(['', *found, REWRITE]))

  def test_is_as_written_and_short(self):
    self.assertEqual(BUILD.read_text(), expected(), REWRITE)
    self.assertLess(BUILD.read_text().count('\n'), MOST_LINES)

  def test_has_no_cycle(self):
    targets = run_build(BUILD.read_text(), imports.ROOT)
    self.assertEmpty(
      cycle({k: {x[1:] for x in v.get('deps', [])} for k, v in targets.items()})
    )


class CheckerTest(absltest.TestCase):
  """The checker itself, on a small tree."""

  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.put('fusion_jax/__init__.py', '')
    self.put('fusion_jax/launch/command.py', '')
    self.put('tests/__init__.py', '')
    self.put('fusion_jax/core/a.py', 'import numpy as np\n')
    self.put('fusion_jax/data/b.py', 'from fusion_jax.core import a\n')
    self.put('fusion_jax/data/worlds/c.toml', '')
    self.put('tests/data/b_test.py', 'from fusion_jax.data import b\n')
    self.text = expected(self.root)

  def put(self, path, text):
    (self.root / path).parent.mkdir(parents=True, exist_ok=True)
    (self.root / path).write_text(text)

  def test_what_is_written_holds(self):
    self.assertEmpty(faults(self.text, self.root))
    targets = run_build(self.text, self.root)
    self.assertEqual(
      targets['fusion_jax/data']['deps'], [':fusion_jax', ':fusion_jax/core']
    )
    self.assertEqual(targets['test_data']['deps'], [':tests/data'])

  def test_finds_an_undeclared_import_and_a_dep_that_is_none(self):
    self.put('fusion_jax/data/b.py', "NAME = 'fusion_jax.encoders.x'\n")
    self.put('fusion_jax/encoders/x.py', '')
    self.assertEqual(
      faults(self.text, self.root),
      [
        'fusion_jax/data: fusion_jax/core is a dep, not imported',
        'fusion_jax/data: fusion_jax/encoders is imported, not a dep',
        'fusion_jax/encoders has no target',
      ],
    )

  def test_finds_a_target_without_a_package(self):
    (self.root / 'tests/data/b_test.py').unlink()
    self.assertEqual(
      faults(self.text, self.root), ['tests/data is a target without a package']
    )

  def test_finds_data_left_out(self):
    self.put('fusion_jax/core/x.csv', '')
    self.assertEqual(
      faults(self.text, self.root),
      ['fusion_jax/core: fusion_jax/core/x.csv is left out'],
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
