"""What a source file imports, read from its syntax tree."""

import ast
import dataclasses
import importlib.util
import pathlib
import re
import sys
from collections.abc import Iterable

ROOT = pathlib.Path(__file__).resolve().parents[1]
OURS = ('fusion_jax', 'experiments', 'tests')
PRODUCT = ('fusion_jax', 'experiments')

_DOTTED = re.compile(r'(fusion_jax|experiments)(\.\w+)+')


@dataclasses.dataclass(frozen=True)
class Import:
  """One imported name.

  Attributes:
    name: dotted, with the imported name at its end: `from a import b` is
      'a.b', whether b is a module or not.
    line: where it stands.
    top: whether it runs when the file is imported.
    text: whether the name was written as a string, to be imported by name.
  """

  name: str
  line: int
  top: bool
  text: bool = False


def python_files(*folders: str, root: pathlib.Path = ROOT) -> list[str]:
  """Paths of the Python files below `folders`, relative to `root`, sorted."""
  return sorted(
    path.relative_to(root).as_posix()
    for folder in folders
    for path in (root / folder).rglob('*.py')
    if not any(part.startswith('.') for part in path.parts[len(root.parts) :])
  )


def parse(source: str, *, path: str) -> list[Import]:
  """All imports of a file, those inside functions and conditions too.

  Args:
    source: the file's text.
    path: its path relative to the root, from which relative imports resolve.
  """
  package = path.removesuffix('.py').split('/')[:-1]
  tree = ast.parse(source, filename=path)
  found = []

  def visit(node, top):
    inner = top and not isinstance(
      node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    )
    if isinstance(node, ast.Import):
      found.extend(Import(a.name, node.lineno, top) for a in node.names)
    elif isinstance(node, ast.ImportFrom):
      base = [node.module] if node.module else []
      if node.level:
        base = package[: len(package) - node.level + 1] + base
      found.extend(
        Import('.'.join([*base, a.name]), node.lineno, top) for a in node.names
      )
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
      if _DOTTED.fullmatch(node.value):
        found.append(Import(node.value, node.lineno, top, text=True))
    for child in ast.iter_child_nodes(node):
      visit(child, inner)

  visit(tree, True)
  return found


def resolve(name: str, *, root: pathlib.Path = ROOT) -> str | None:
  """Path of the file of ours that importing `name` runs, or None.

  'fusion_jax.core.types.Task' gives 'fusion_jax/core/types.py': the longest
  leading part that is a module or a package.
  """
  parts = name.split('.')
  if parts[0] not in OURS:
    return None
  for length in range(len(parts), 0, -1):
    path = root.joinpath(*parts[:length])
    if path.with_suffix('.py').is_file():
      return path.with_suffix('.py').relative_to(root).as_posix()
    if (path / '__init__.py').is_file():
      return (path / '__init__.py').relative_to(root).as_posix()
  return None


def third_party(imports: Iterable[Import]) -> list[str]:
  """Top-level names that are neither ours nor the standard library's."""
  tops = {i.name.split('.')[0] for i in imports if not i.text}
  return sorted(tops - set(OURS) - sys.stdlib_module_names - {'__future__'})


def installed(name: str) -> bool:
  """Whether a top-level module can be imported here."""
  return importlib.util.find_spec(name) is not None
