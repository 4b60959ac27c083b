"""Files below a run folder: they lie there themselves and lead nowhere else."""

import errno
import json
import os
import pathlib
import stat
from typing import IO, Any

from fusion_jax.core import errors, files

_FLAGS = {'r+': os.O_RDWR, 'a': os.O_WRONLY | os.O_APPEND}


def opened(path: pathlib.Path, mode: str) -> IO[str]:
  """A text file to write to, made if need be; never what a link names.

  Args:
    path: of the file.
    mode: 'r+' or 'a'.

  Raises:
    UserError: if a link, a pipe or the like stands in its place.
    OSError: if it cannot be opened.
  """
  flags = _FLAGS[mode] | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
  try:
    handle = os.open(path, flags, files.PRIVATE)
  except OSError as e:
    # A link, and a pipe that nobody reads.
    if e.errno not in (errno.ELOOP, errno.ENXIO):
      raise
  else:
    if stat.S_ISREG(os.fstat(handle).st_mode):
      return open(handle, mode, encoding='utf-8')
    os.close(handle)
  refuse_link(path)
  raise errors.UserError(
    f"'{path}' is no regular file. Remove it, and run this again."
  )


def refuse_link(path: pathlib.Path) -> None:
  """Raises a UserError if `path` is a link."""
  if path.is_symlink():
    raise errors.UserError(
      f"'{path}' is a link: what a run writes stays in its folder. Remove it, "
      'and run this again.'
    )


def read_object(path: pathlib.Path) -> dict[str, Any]:
  """The object in a JSON file.

  Raises:
    UserError: if it cannot be read or holds none.
  """
  try:
    found = json.loads(files.regular(path).read_text(encoding='utf-8'))
  except OSError as e:
    raise errors.UserError(
      f"'{path}' cannot be read: {e.strerror or e}."
    ) from None
  except RecursionError:
    raise errors.UserError(f"'{path}' is nested too deeply.") from None
  except ValueError as e:
    raise errors.UserError(f"'{path}' is not JSON: {e}.") from None
  if not isinstance(found, dict):
    raise errors.UserError(f"'{path}' is damaged: it holds no JSON object.")
  return found
