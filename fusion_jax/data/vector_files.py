"""Vectors of a cohort, from one file of all or one file a study."""

import math
import pathlib
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np

from fusion_jax.core import errors, files, spellings
from fusion_jax.data import array_headers

STUDY, VECTOR = 'study', 'vector'
LARGEST = 65_536
_NPY = '.npy'
# Values of one array: what is packed may unfold to far more than its file.
_MOST = 2**30
# Of damaged files; RuntimeError of those with a password.
_ERRORS = (
  OSError,
  ValueError,
  EOFError,
  MemoryError,
  RuntimeError,
  zipfile.BadZipFile,
  zlib.error,
)
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
  ids, values = _npz(root, name)
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
  if len(lacking) == len(study):
    raise errors.UserError(
      f"'{name}': none of {len(ids)} vectors is of a study of the cohort (here "
      f'{_some(ids)}, there {_some(study)}).'
    )
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
  _check_size(name, values)
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
      _check_size(name, value)
      first = first or name
      found[row] = value
  width = len(found[min(found)]) if found else 0
  out = np.full((len(paths), width), np.nan, np.float32)
  for row, value in found.items():
    out[row] = value
  return out


def _npz(root, name) -> tuple[np.ndarray, np.ndarray]:
  """The arrays STUDY and VECTOR of a file."""
  try:
    with zipfile.ZipFile(_inside(root, name)) as members:
      found = [x.removesuffix(_NPY) for x in members.namelist()]
      for key in (STUDY, VECTOR):
        if key not in found:
          raise errors.UserError(
            f"'{name}' lacks the array '{key}': expected 'study' (k,) and "
            f"'vector' (k, c), got {', '.join(sorted(found)) or 'none'}."
          )
      return _member(members, name, STUDY), _member(members, name, VECTOR)
  except _ERRORS as e:
    raise _unreadable(name, e) from None


def _member(members, name, key) -> np.ndarray:
  with members.open(key + _NPY) as file:
    shape, _ = array_headers.read(file)
  if math.prod(shape) > _MOST:
    raise errors.UserError(
      f"'{name}': '{key}' is of shape {shape}; arrays are read up to {_MOST:,} "
      'values.'
    )
  with members.open(key + _NPY) as file:
    return np.lib.format.read_array(file, allow_pickle=False)


def _npy(root, name) -> np.ndarray:
  try:
    with open(_inside(root, name), 'rb') as file:
      shape, _ = array_headers.read(file)
      if math.prod(shape) > LARGEST:
        raise errors.UserError(
          f"'{name}' is of shape {shape}; legal are vectors of 1 to {LARGEST} "
          'numbers.'
        )
      file.seek(0)
      return np.lib.format.read_array(file, allow_pickle=False)
  except _ERRORS as e:
    raise _unreadable(name, e) from None


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


def _check_size(name, values) -> None:
  """Raises UserError if some number is beyond float32."""
  if values.dtype.kind != 'f' or not values.size:
    return
  most = np.max(np.abs(values), where=np.isfinite(values), initial=0)
  if most > np.finfo(np.float32).max:
    raise errors.UserError(
      f"'{name}': it holds {most:g}, too much for float32."
    )


def _some(names) -> str:
  more = ', ...' if len(names) > _NAMED else ''
  return ', '.join(f"'{x}'" for x in names[:_NAMED]) + more
