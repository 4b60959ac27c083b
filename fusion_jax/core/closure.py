"""The source files that a module's work depends on, and a hash of them.

The closure of some modules are the files that their import statements lead to,
inside the packages that the modules themselves lie in. What is imported by name
at run time (`registry.Registry` imports all parts of a kind) is not in it: who
builds a part names its module as well. Imports under `if TYPE_CHECKING:` never
run and do not count.

A file is hashed as it is parsed, without docstrings, comments and layout. The
parser's trees differ between versions of Python, so that a hash is one of the
Python it was made with (`PYTHON`).
"""

import ast
import functools
import hashlib
import importlib.util
import pathlib
import sys
from collections.abc import Iterable

from fusion_jax.core import errors

PYTHON = f'{sys.version_info.major}.{sys.version_info.minor}'


def digest(modules: Iterable[str]) -> str:
  """Hex hash of the closure of `modules`.

  Raises:
    UserError: for a module that lies in no file.
  """
  total = hashlib.sha256()
  for name, path in sorted(files(modules).items()):
    total.update(f'{name}\0{_parsed(*_state(path))[0]}\0'.encode())
  return total.hexdigest()


def digest_of(paths: Iterable[pathlib.Path]) -> str:
  """Hex hash of these files alone, in this order."""
  total = hashlib.sha256()
  for path in paths:
    total.update(f'{path.name}\0{_parsed(*_state(path))[0]}\0'.encode())
  return total.hexdigest()


def files(modules: Iterable[str]) -> dict[str, pathlib.Path]:
  """By dotted name, the files of the closure of `modules`.

  Raises:
    UserError: for a module that lies in no file.
  """
  modules = tuple(dict.fromkeys(modules))
  tops = {name.partition('.')[0] for name in modules}
  found: dict[str, pathlib.Path] = {}
  waiting = list(modules)
  for name in modules:
    if _file(name) is None:
      raise errors.UserError(
        f"The module '{name}' lies in no file, so that what it does cannot be "
        'told apart from what it did before: put its parts into a module that '
        'can be imported.'
      )
  while waiting:
    name = waiting.pop()
    path = None if name in found else _file(name)
    if path is None:
      continue
    found[name] = path
    # A package's own file runs before any module in it.
    waiting.append(name.rpartition('.')[0])
    for target in _parsed(*_state(path))[1]:
      target = _absolute(target, name, path)
      if target.partition('.')[0] in tops:
        waiting.append(target)
        # `from package import name`: the name of a module, or of something in
        # the module before the last dot.
        waiting.append(target.rpartition('.')[0])
  return found


def root_of(top: str) -> pathlib.Path | None:
  """The folder in which a top-level package or module lies; None if nowhere."""
  try:
    spec = importlib.util.find_spec(top)
  except (ImportError, ValueError):
    spec = None
  if spec is None:
    # The module that was started has no spec, but a file.
    file = getattr(sys.modules.get(top), '__file__', None)
    return pathlib.Path(file).parent if file else None
  if spec.submodule_search_locations:
    return pathlib.Path(next(iter(spec.submodule_search_locations))).parent
  if spec.origin and spec.has_location:
    return pathlib.Path(spec.origin).parent
  return None


def _file(name: str) -> pathlib.Path | None:
  if not name:
    return None
  top, _, rest = name.partition('.')
  root = root_of(top)
  if root is None:
    return None
  if top == '__main__':
    return pathlib.Path(sys.modules[top].__file__)
  path = root.joinpath(top, *rest.split('.') if rest else ())
  for candidate in (path.with_suffix('.py'), path / '__init__.py'):
    if candidate.is_file():
      return candidate
  return None


def _state(path: pathlib.Path) -> tuple[pathlib.Path, int, int]:
  """A file and what changes when it is written."""
  stat = path.stat()
  return path, stat.st_mtime_ns, stat.st_size


@functools.lru_cache(maxsize=4096)
def _parsed(path: pathlib.Path, *state: int) -> tuple[str, tuple[str, ...]]:
  """A file's hash, and what it imports as it is written there."""
  del state
  tree = ast.parse(path.read_text(encoding='utf-8'), filename=str(path))
  targets = tuple(dict.fromkeys(_imported(tree)))
  for node in ast.walk(tree):
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
      del node.body[0]
  # A release by itself changes nothing.
  tree.body = [x for x in tree.body if not _is_version(x)]
  text = ast.dump(tree)
  return hashlib.sha256(text.encode()).hexdigest(), targets


_DOCUMENTED = (
  ast.Module,
  ast.ClassDef,
  ast.FunctionDef,
  ast.AsyncFunctionDef,
)


def _is_version(node: ast.stmt) -> bool:
  return isinstance(node, ast.Assign) and any(
    getattr(x, 'id', '') == '__version__' for x in node.targets
  )


def _imported(node: ast.AST):
  """What is imported below `node`, the dots of relative names kept."""
  if isinstance(node, ast.Import):
    yield from (alias.name for alias in node.names)
  elif isinstance(node, ast.ImportFrom):
    start = '.' * node.level + (node.module or '')
    joint = '' if start.endswith('.') else '.'
    yield from (f'{start}{joint}{alias.name}' for alias in node.names)
  elif isinstance(node, ast.If) and _is_type_checking(node.test):
    for child in node.orelse:
      yield from _imported(child)
  else:
    for child in ast.iter_child_nodes(node):
      yield from _imported(child)


def _is_type_checking(test: ast.expr) -> bool:
  name = getattr(test, 'id', getattr(test, 'attr', ''))
  return name == 'TYPE_CHECKING'


def _absolute(target: str, name: str, path: pathlib.Path) -> str:
  level = len(target) - len(target.lstrip('.'))
  if not level:
    return target
  parts = name.split('.')
  if path.name != '__init__.py':
    parts = parts[:-1]
  parts = parts[: len(parts) - level + 1]
  return '.'.join([*parts, target[level:]])
