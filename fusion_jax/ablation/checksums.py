"""Checksums of what a folder holds, so that damage is seen before it is used.

They guard against disks, half copied folders and files of another model, not
against a person, who can write checksums as well.
"""

import hashlib
import json
import os
import pathlib
import stat
from collections.abc import Iterable

from fusion_jax.core import files

NAME = 'checksums.json'
_OF, _FILES, _OWN = 'of', 'files', 'checksum'
_BLOCK = 1 << 20


def write(folder: pathlib.Path, of: str, names: Iterable[str] = ()) -> None:
  """Writes the checksums of files in `folder`.

  Args:
    folder: where they lie.
    of: what the folder is; it is not that of anything else.
    names: of the files; all that the folder holds if empty.

  Raises:
    OSError: if a file cannot be read or written.
  """
  found = {name: _digest(folder / name) for name in names or _names(folder)}
  content = {_OF: of, _FILES: found, _OWN: _own(of, found)}
  text = json.dumps(content, indent=1, sort_keys=True)
  with files.replacing(folder / NAME) as part:
    part.write_text(text + '\n', encoding='utf-8')


def faults(folder: pathlib.Path, of: str) -> dict[str, str]:
  """By file that is not as it was written, what is wrong with it.

  Without checksums, that is said of the file of checksums.

  Args:
    folder: where the files lie.
    of: what the folder should be.
  """
  recorded = _recorded(folder)
  if isinstance(recorded, str):
    return {NAME: recorded}
  name, kept = recorded
  if name != of:
    return {NAME: f"was written for '{name}', not for '{of}'"}
  found = {}
  for file, expected in sorted(kept.items()):
    trouble = _trouble(folder / file, expected)
    if trouble:
      found[file] = trouble
  return found


def strangers(folder: pathlib.Path) -> list[str]:
  """Files below `folder` without a checksum, its own file of them aside."""
  recorded = _recorded(folder)
  known = set() if isinstance(recorded, str) else set(recorded[1])
  return [x for x in _names(folder) if x not in known]


def _recorded(folder: pathlib.Path) -> tuple[str, dict[str, str]] | str:
  """What the folder is and its checksums, or why there are none."""
  try:
    with _opened(folder / NAME) as f:
      found = json.loads(f.read())
  except FileNotFoundError:
    return 'is not there'
  except (OSError, ValueError, RecursionError) as e:
    return _reason(e)
  names = found.get(_FILES) if isinstance(found, dict) else None
  texts = isinstance(names, dict) and all(
    isinstance(x, str) for x in names.values()
  )
  if not texts or not isinstance(found.get(_OF), str):
    return 'is damaged: it holds no checksums'
  if found.get(_OWN) != _own(found[_OF], names):
    return 'is damaged: its own checksum differs'
  for name in names:
    parts = pathlib.PurePosixPath(name).parts
    if name.startswith('/') or '..' in parts or not parts:
      return f"is damaged: it names '{name}'"
  return found[_OF], names


def _own(of: str, found: dict[str, str]) -> str:
  """The checksum of what the file of checksums says."""
  text = json.dumps([of, found], sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()


def _trouble(path: pathlib.Path, expected: str) -> str:
  try:
    same = _digest(path) == expected
  except FileNotFoundError:
    return 'is not there'
  except (OSError, ValueError) as e:
    return _reason(e)
  return '' if same else 'is damaged: its checksum differs'


def _reason(e: Exception) -> str:
  if isinstance(e, OSError):
    return f'cannot be read: {e.strerror or e}'
  return 'is damaged: it cannot be read'


def _opened(path: pathlib.Path):
  """A file to read; links, pipes and devices are no files of ours.

  Raises:
    OSError: if it is none or cannot be read.
  """
  handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
  if not stat.S_ISREG(os.fstat(handle).st_mode):
    os.close(handle)
    raise OSError(0, 'it is no regular file')
  return open(handle, 'rb')


def _digest(path: pathlib.Path) -> str:
  total = hashlib.sha256()
  with _opened(path) as f:
    while block := f.read(_BLOCK):
      total.update(block)
  return total.hexdigest()


def _names(folder: pathlib.Path) -> list[str]:
  """All that is not a folder below `folder`, but for its checksums."""
  found = []
  for place, folders, plain in os.walk(folder):
    linked = [x for x in folders if pathlib.Path(place, x).is_symlink()]
    for name in (*plain, *linked):
      path = pathlib.Path(place, name).relative_to(folder).as_posix()
      if path != NAME:
        found.append(path)
  return sorted(found)
