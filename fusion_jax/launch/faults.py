"""What nobody foresaw: one line for the user, the rest in a report file.

Imported before all else, so it imports little.
"""

import errno
import os
import pathlib
import platform
import resource
import secrets
import sys
import tempfile
import time
import traceback
from importlib import metadata

from fusion_jax.core import plain

_PACKAGES = ('fusion_jax', 'jax', 'jaxlib', 'flax', 'numpy', 'pyarrow', 'rich')

# Errors of the system that say all there is to say, with the file's name.
_OF_THE_SYSTEM = (
  errno.EACCES,
  errno.EIO,
  errno.ELOOP,
  errno.ENAMETOOLONG,
  errno.EPERM,
  errno.EROFS,
)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_TOO_MANY = (errno.EMFILE, errno.ENFILE)
# What XLA, the loader of libraries and the starting of threads say.
_MEMORY_WORDS = (
  'RESOURCE_EXHAUSTED',
  'failed to map segment',
  "can't start new thread",
  'Cannot allocate memory',
)


def of_the_system(error: Exception) -> str:
  """What a user can do about an error of the system; empty if not known."""
  if not isinstance(error, OSError):
    return ''
  name = f"'{error.filename}'" if error.filename else ''
  if error.errno in _FULL:
    place = f' while writing {name}' if name else ''
    return f'The disk is full{place}: free some space and run this again.'
  if error.errno in _TOO_MANY:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
      f'Too many open files (at most {limit} are allowed): raise the limit, '
      'for example with ulimit -n 1024.'
    )
  if error.errno in _OF_THE_SYSTEM and name:
    return f'{name}: {error.strerror}.'
  return ''


def report(error: BaseException, folder: pathlib.Path | None = None) -> str:
  """Writes a report and returns the line for the user.

  Args:
    error: what was raised.
    folder: where the report is to be if it holds a run, else it goes to the
      folder of temporary files.
  """
  places = [tempfile.gettempdir()] if _has_temporary() else []
  if folder and (folder / 'config.json').is_file():
    places.insert(0, folder)
  name = type(error).__name__
  what = 'Not enough memory' if _of_memory(error) else f'Unforeseen {name}'
  detail = ' '.join(str(error).split())
  what = f'{what}: {detail}' if detail else what
  for place in places:
    path = pathlib.Path(place) / f'fault-{secrets.token_hex(4)}.txt'
    try:
      handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
      with open(handle, 'w', encoding='utf-8', errors='replace') as f:
        f.write(_text(error))
    except OSError:
      continue
    return (
      f"{what.rstrip('.')}. The report is in '{path}'; it may name patients, "
      'so that you should read it before you pass it on.'
    )
  return f'{what.rstrip(".")}. No report could be written.'


def hook(kind: type, error: BaseException, trace: object) -> None:
  """Reports what was raised outside `launch.main`, such as by imports."""
  del kind, trace
  print(plain.on_terminal(report(error)), file=sys.stderr, flush=True)


def _of_memory(error: BaseException) -> bool:
  if isinstance(error, OSError) and error.errno == errno.ENOMEM:
    return True
  return isinstance(error, MemoryError) or any(
    x in str(error) for x in _MEMORY_WORDS
  )


def _has_temporary() -> bool:
  try:
    tempfile.gettempdir()
  except OSError:
    return False
  return True


def _text(error: BaseException) -> str:
  lines = [
    f'command: {" ".join([*sys.orig_argv])}',
    f'time: {time.strftime("%Y-%m-%d %H:%M:%S %z")}',
    f'python: {platform.python_version()} on {platform.platform()}',
  ]
  for name in _PACKAGES:
    try:
      lines.append(f'{name}: {metadata.version(name)}')
    except metadata.PackageNotFoundError:
      lines.append(f'{name}: not installed')
  trace = traceback.format_exception(error)
  return '\n'.join([*lines, '', *(x.rstrip('\n') for x in trace), ''])
