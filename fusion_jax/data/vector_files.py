"""Vectors of a cohort, from one file of all or one file a study."""

import pathlib
import zipfile
from collections.abc import Sequence

import numpy as np

from fusion_jax.core import errors, files, spellings

STUDY, VECTOR = 'study', 'vector'
LARGEST = 65_536
# Studies that a message names.
_NAMED = 3


def read_one(
  root: pathlib.Path, name: str, study: np.ndarray, *, missing: str
) -> tuple[np.ndarray, tuple[str, ...]]:
  """(n, c) float32 from one .npz of all studies, and notes.

  It holds 'study' (k,) of text or whole numbers and 'vector' (k, c).

  Args:
    root: the data folder.
    name: of the file in it.
    study: (n,) str, the studies that are wanted.
    missing: 'error' if each must have one, 'absent' if not.

  Returns:
    Rows of NaN for studies without, and a note on rows of other studies.

  Raises:
    UserError: for a file that cannot be read, or as `missing` says.
  """
  arrays = _npz(root, name)
  for key in (STUDY, VECTOR):
    if key not in arrays:
      raise errors.UserError(
        f"'{name}' lacks the array '{key}': expected 'study' (k,) and 'vector' "
        f'(k, c), got {", ".join(sorted(arrays)) or "none"}.'
      )
  ids, values = arrays[STUDY], arrays[VECTOR]
  if ids.ndim != 1 or ids.dtype.kind not in 'iuU':
    raise errors.UserError(
      f"'{name}': 'study' is {ids.dtype} of shape {ids.shape}, expected (k,) "
      'of text or whole numbers.'
    )
  _check(name, values, 2)
  if len(values) != len(ids):
    raise errors.UserError(
      f"'{name}': {len(ids)} studies and {len(values)} vectors."
    )
  ids = spellings.unify_identifiers(ids.astype(str).astype(object))
  row: dict[str, int] = {}
  for at, text in enumerate(ids):
    if text in row:
      raise errors.UserError(
        f"'{name}': study '{text}' has two vectors (rows {row[text]} and {at})."
      )
    row[text] = at
  at = np.array([row.get(x, -1) for x in study])
  lacking = study[at < 0]
  if len(lacking) and missing == 'error':
    raise errors.UserError(
      f"'{name}' has no vector of {len(lacking)} of {len(study)} studies "
      f'({_some(lacking)}): set missing = "absent" if they have none.'
    )
  others = len(ids) - int((at >= 0).sum())
  notes = (
    (f"'{name}': {others} of {len(ids)} vectors are of other studies.",)
    if others
    else ()
  )
  out = values.astype(np.float32)[at]
  out[at < 0] = np.nan
  return out, notes


def read_each(
  root: pathlib.Path, paths: Sequence[Sequence[str]], study: np.ndarray
) -> np.ndarray:
  """(n, c) float32 from one .npy of (c,) or (1, c) a study.

  Args:
    root: the data folder.
    paths: per study, its file relative to `root`; empty for none.
    study: (n,) str, for messages.

  Raises:
    UserError: naming the file that cannot be read or has another length.
  """
  found: dict[int, np.ndarray] = {}
  first = ''
  for row, names in enumerate(paths):
    if len(names) > 1:
      raise errors.UserError(
        f"Study '{study[row]}' has {len(names)} vectors ({_some(names)}); "
        'expected one.'
      )
    for name in names:
      value = _npy(root, name)
      value = value[0] if value.ndim == 2 and len(value) == 1 else value
      _check(name, value, 1)
      if found and len(value) != len(found[min(found)]):
        raise errors.UserError(
          f"'{name}' has {len(value)} numbers, '{first}' has "
          f'{len(found[min(found)])}.'
        )
      first = first or name
      found[row] = value
  width = len(found[min(found)]) if found else 0
  out = np.full((len(paths), width), np.nan, np.float32)
  for row, value in found.items():
    out[row] = value
  return out


def _npz(root, name) -> dict[str, np.ndarray]:
  try:
    with np.load(_inside(root, name), allow_pickle=False) as f:
      if not isinstance(f, np.lib.npyio.NpzFile):
        raise errors.UserError(f"'{name}' is no .npz file.")
      return {key: f[key] for key in f.files}
  except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as e:
    raise _unreadable(name, e) from None


def _npy(root, name) -> np.ndarray:
  try:
    value = np.load(_inside(root, name), allow_pickle=False)
  except (OSError, ValueError, EOFError, zipfile.BadZipFile) as e:
    raise _unreadable(name, e) from None
  if not isinstance(value, np.ndarray):
    raise errors.UserError(
      f"'{name}' holds several arrays; expected a .npy file of one vector."
    )
  return value


def _inside(root, name) -> pathlib.Path:
  path = pathlib.Path(root) / name
  if not files.is_within(path, root):
    raise errors.UserError(f"'{name}' leads out of the data folder.")
  return files.regular(path)


def _unreadable(name, error) -> errors.UserError:
  if isinstance(error, FileNotFoundError):
    return errors.UserError(f"No such file of vectors: '{name}'.")
  reason = str(error).splitlines()[0] if str(error) else type(error).__name__
  return errors.UserError(f"'{name}' cannot be read: {reason}.")


def _check(name, values, axes) -> None:
  expected = '(k, c)' if axes == 2 else '(c,)'
  if values.ndim != axes or values.dtype.kind not in 'iuf':
    raise errors.UserError(
      f"'{name}': vectors are {values.dtype} of shape {values.shape}, expected "
      f'{expected} of numbers.'
    )
  if not 1 <= values.shape[-1] <= LARGEST:
    raise errors.UserError(
      f"'{name}': vectors of {values.shape[-1]} numbers; legal are 1 to "
      f'{LARGEST}.'
    )


def _some(names) -> str:
  more = ', ...' if len(names) > _NAMED else ''
  return ', '.join(f"'{x}'" for x in names[:_NAMED]) + more
