"""Runs commands in forks of one process that has imported the library before.

A command's imports take seconds, a fork milliseconds. What is to run comes as
lines of JSON on standard input, answers leave likewise on standard output.
"""

import atexit
import functools
import importlib
import json
import os
import pathlib
import pkgutil
import resource
import runpy
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence

from fusion_jax.core import commands
from tests import imports

_POLL = 0.01
_COMMANDS = 'fusion_jax.launch'


class Server:
  """A process that launches; ends with this one."""

  def __init__(self):
    self._process = subprocess.Popen(
      [sys.executable, '-m', 'tests.launch.server'],
      cwd=imports.ROOT,
      env={
        **os.environ,
        'PYTHONPATH': str(imports.ROOT),
        'OPENBLAS_NUM_THREADS': '1',
        'MPLBACKEND': 'Agg',
      },
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
    )
    atexit.register(self._end)

  def _end(self) -> None:
    self._process.stdin.close()
    self._process.wait()
    self._process.stdout.close()

  def run(
    self,
    module: str,
    flags: Sequence[str],
    *,
    folder: pathlib.Path,
    aside: pathlib.Path,
    limit: float,
    limits: Mapping[int, int] | None = None,
    environment: Mapping[str, str] | None = None,
    report: bool = True,
  ) -> tuple[int | None, str, str]:
    """Exit code (None after `limit` seconds), standard output and error.

    Args:
      module: a command, '' for none, or the dotted name of a study.
      flags: of it.
      folder: where it runs.
      aside: an existing folder for what it prints and for temporary files.
      limit: in seconds.
      limits: what is set by `resource.setrlimit`.
      environment: variables that it gets besides those of the server.
      report: whether the files of a report are made, which takes seconds; else
        its page is empty.
    """
    asked = {
      'folder': str(folder),
      'aside': str(aside),
      'module': module,
      'flags': [str(x) for x in flags],
      'limits': [*(limits or {}).items()],
      'environment': dict(environment or {}),
      'limit': limit,
      'report': report,
    }
    print(json.dumps(asked), file=self._process.stdin, flush=True)
    code = json.loads(self._process.stdout.readline())
    return (
      code,
      *(
        (aside / x).read_text(encoding='utf-8', errors='replace')
        for x in ('stdout', 'stderr')
      ),
    )


@functools.cache
def started() -> Server:
  """The server of this process."""
  return Server()


def _import_all() -> None:
  import fusion_jax

  for found in pkgutil.walk_packages(fusion_jax.__path__, 'fusion_jax.'):
    # Commands use the same names of flags.
    if not found.name.startswith(_COMMANDS):
      importlib.import_module(found.name)
  for name in (
    f'{_COMMANDS}.launch',
    'matplotlib.pyplot',
    'sklearn.linear_model',
    'PIL.PngImagePlugin',
  ):
    importlib.import_module(name)


def _become(command) -> None:
  """Turns a fork into the launcher; does not return."""
  aside = command['aside']
  os.chdir(command['folder'])
  os.environ['TMPDIR'] = aside
  os.environ.update(command['environment'])
  os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
  for stream, name in ((1, 'stdout'), (2, 'stderr')):
    os.dup2(
      os.open(f'{aside}/{name}', os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600),
      stream,
    )
  module = command['module']
  # Imports open one file more than the standard streams.
  os.closerange(3, 1024)
  for number, limit in command['limits']:
    resource.setrlimit(number, (limit, limit))
  if not command['report']:
    bundle = importlib.import_module('fusion_jax.report.bundle')
    bundle.contents = lambda *_, **__: {bundle.PAGE: b''}
  code = 0
  try:
    if '.' in module:
      sys.argv = [module, *command['flags']]
      runpy.run_module(module, run_name='__main__', alter_sys=True)
    else:
      # As if the console's script had been started.
      sys.modules['__main__'].__spec__ = None
      given = [module, *command['flags']] if module else command['flags']
      sys.argv = [f'/bin/{commands.NAME}', *given]
      importlib.import_module(f'{_COMMANDS}.command').main()
  except SystemExit as e:
    code = e.code if isinstance(e.code, int) else int(e.code is not None)
  except BaseException:
    traceback.print_exc()
    code = 1
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(code)


def _wait(child: int, limit: float) -> int | None:
  end = time.monotonic() + limit
  while True:
    found, status = os.waitpid(child, os.WNOHANG)
    if found:
      return os.waitstatus_to_exitcode(status)
    if time.monotonic() > end:
      os.kill(child, signal.SIGKILL)
      os.waitpid(child, 0)
      return None
    time.sleep(_POLL)


def main() -> None:
  """Answers until standard input ends."""
  warnings.filterwarnings('ignore', message='.*fork')
  _import_all()
  for line in sys.stdin:
    command = json.loads(line)
    child = os.fork()
    if not child:
      _become(command)
    print(json.dumps(_wait(child, command['limit'])), flush=True)


if __name__ == '__main__':
  main()
