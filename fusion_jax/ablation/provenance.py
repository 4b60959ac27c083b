"""Which library made a run, and on top of which others."""

import importlib.metadata
import pathlib
import shlex
import subprocess
import sys
from typing import Any

import fusion_jax
from fusion_jax.ablation import learners

_NAME = 'fusion_jax'
# Seconds that git may take.
_PATIENCE = 5


def facts() -> dict[str, Any]:
  """`versions`, and `commit` if it is known."""
  package = pathlib.Path(fusion_jax.__file__).resolve().parent
  return {'versions': versions(), **commit(package)}


def command() -> str:
  """The command line as it can be given again, less the interpreter's path."""
  spec = getattr(sys.modules.get('__main__'), '__spec__', None)
  program = pathlib.Path(sys.argv[0]).name
  name = [program] if spec is None else ['python', '-m', spec.name]
  return shlex.join([*name, *sys.argv[1:]])


def versions() -> dict[str, str]:
  """The library's own version first, then those of what results depend on."""
  result = {_NAME: fusion_jax.__version__}
  names = [x for cls in learners.LEARNERS.values() for x in cls.packages]
  for name in dict.fromkeys(names):
    result[name] = importlib.metadata.version(name)
  return result


def commit(package: pathlib.Path) -> dict[str, Any]:
  """`commit` and whether its files are `changed`; {} where nobody knows.

  Known only where the package lies at the top of a git checkout of its own,
  not in a checkout that it was merely installed or copied into.

  Args:
    package: the folder of the library's modules.
  """
  root = package.parent
  try:
    project = (root / 'setup.cfg').read_text(encoding='utf-8')
    if f'name = {_NAME}\n' not in project or not (root / '.git').exists():
      return {}
    # A checkout below another one's root would tell that one's commit.
    top = _git(root, 'rev-parse', '--show-toplevel')
    if pathlib.Path(top).resolve() != root.resolve():
      return {}
    result = _git(root, 'rev-parse', 'HEAD')
    changed = _git(root, 'status', '--porcelain', '--', package.name)
  except (OSError, ValueError, subprocess.SubprocessError):
    return {}
  return {'commit': result, 'changed': bool(changed)}


def _git(root: pathlib.Path, *arguments: str) -> str:
  return subprocess.run(
    ['git', '-C', str(root), *arguments],
    capture_output=True,
    check=True,
    encoding='utf-8',
    timeout=_PATIENCE,
    stdin=subprocess.DEVNULL,
  ).stdout.strip()
