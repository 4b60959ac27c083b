"""Files that appear complete or not at all."""

import contextlib
import os
import pathlib
import secrets
import stat
from collections.abc import Iterator

from fusion_jax.core import errors

# Mode of files that name or show single patients: their owner's alone.
PRIVATE = 0o600


@contextlib.contextmanager
def replacing(
  path: str | os.PathLike, *, mode: int = 0o666
) -> Iterator[pathlib.Path]:
  """Yields an empty hidden file beside `path` that becomes `path` at the end.

  It is flushed to disk and takes the place of `path` when the block ends, and
  is removed if the block or the system fails; `path` is then as it was.
  Several writers at once each have a file of their own.

  Args:
    path: what is written.
    mode: who may read and write it, less what the umask takes away.

  Raises:
    OSError: if the file cannot be made, flushed or moved.
  """
  path = pathlib.Path(path)
  part = path.with_name(f'.{path.name}.{secrets.token_hex(4)}.part')
  # Made by `open`, so that its mode follows the umask.
  os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
  try:
    yield part
    _flush(part)
    os.replace(part, path)
  except BaseException:
    # The first error is the one to hear of.
    with contextlib.suppress(OSError):
      part.unlink()
    raise


@contextlib.contextmanager
def saving(
  path: str | os.PathLike, *, mode: int = 0o666
) -> Iterator[pathlib.Path]:
  """Like `replacing`, with the system's errors as one line.

  Raises:
    UserError: if the file cannot be written.
  """
  try:
    with replacing(path, mode=mode) as part:
      yield part
  except OSError as e:
    raise errors.UserError(
      f"Could not write '{path}': {e.strerror or e}."
    ) from None


def regular(path: str | os.PathLike) -> pathlib.Path:
  """`path`, once it is known that reading it ends.

  A pipe would wait for a writer and a device may never end, so every reader
  of a user's file asks here first. A file that is not there, or cannot be
  asked, passes: opening it says why.

  Raises:
    UserError: if there is something else than a file, or a link to one.
  """
  path = pathlib.Path(path)
  try:
    mode = path.stat().st_mode
  except (OSError, ValueError):
    return path
  if not stat.S_ISREG(mode):
    raise errors.UserError(
      f"'{path}' is {_KINDS.get(stat.S_IFMT(mode), 'no regular file')}; only "
      'regular files are read.'
    )
  return path


_KINDS = {
  stat.S_IFDIR: 'a folder',
  stat.S_IFIFO: 'a named pipe',
  stat.S_IFCHR: 'a device',
  stat.S_IFBLK: 'a device',
  stat.S_IFSOCK: 'a socket',
}


def is_within(path: str | os.PathLike, folder: str | os.PathLike) -> bool:
  """Whether `path` lies in `folder`, all links followed."""
  return pathlib.Path(os.path.realpath(path)).is_relative_to(
    os.path.realpath(folder)
  )


def user_cache() -> pathlib.Path:
  """The folder of this library in the user's cache folder; may not exist.

  Raises:
    UserError: if the user has none.
  """
  base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  if not os.path.isabs(base):
    raise errors.UserError(
      'There is no home directory to keep decoded images in: set '
      'cohort.cache_dir (--cache_dir), or XDG_CACHE_HOME, to a folder.'
    )
  return pathlib.Path(base, 'fusion_jax')


def unfinished(folder: pathlib.Path, name: str = '*') -> Iterator[pathlib.Path]:
  """What writers of the file `name` that were killed have left in `folder`."""
  return folder.glob(f'.{name}.*.part')


def _flush(path: pathlib.Path) -> None:
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)
