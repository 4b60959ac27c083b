"""Volumes decoded once into one array that later runs map into memory.

The array is kept in a user cache folder under a name made of the files'
contents, the size, the classes and the version of this decoding; the cohort's
own folder is never written to.
"""

import contextlib
import dataclasses
import errno
import hashlib
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import (
  array_files,
  image_files,
  images,
  tables,
  volume_formats,
  volume_values,
)

# Part of the cache key: raise it when the same file decodes to other voxels.
DECODING = 1

FOLDER = 'volumes'
# Spacings that differ by less are alike.
_TOLERANCE = 1e-3
_DECIMALS = 6
# What the system lacks says nothing of a volume.
_NOT_OF_THE_FILE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@dataclasses.dataclass(frozen=True, eq=False)
class Decoded:
  """Volumes of n studies.

  Attributes:
    volumes: (n, d, h, w, c) whole numbers of 8 or 16 bits or float32, zeros
      where there is none; read-only and memory-mapped.
    mask: (n,) bool, True where there is a volume.
    digest: hex hash of everything that determines `volumes`.
    spacing: of the voxels of `volumes` along d, h and w in mm; empty if it is
      not known or not the same in all.
    was_cached: whether nothing had to be decoded.
  """

  volumes: np.ndarray
  mask: np.ndarray
  digest: str
  spacing: tuple[float, ...]
  was_cached: bool


def load(
  root: str | os.PathLike,
  paths: Sequence[str],
  *,
  size: int = 0,
  classes: int = 0,
  cache_dir: str = '',
  places: Sequence[str] | None = None,
) -> Decoded:
  """Decodes volumes, or maps what an earlier call decoded.

  They are NumPy arrays (.npy, or .npz with an array 'volume' or a single one),
  NIfTI files (.nii, .nii.gz) or folders of DICOM slices of one series, of
  shape (d, h, w) or (d, h, w, c) with at most 8 channels. The axes of NIfTI and
  DICOM volumes are turned alike (see volume_formats.read).

  Whole numbers of 8 or 16 bits stay what they are if all volumes are of one
  type; wider numbers that fit int16 become that; else all become float32.

  Args:
    root: the data folder.
    paths: of each study, relative to `root`; '' for none.
    size: the side of the cube that each is resampled to, by the mean of the
      space a voxel covers where it shrinks, linearly where it grows, and to
      the nearest voxel for classes; 0 to keep the grid, which must be the same
      in all.
    classes: number k of classes 0..k-1 that the values stand for; they become
      k channels of 0 and 255. 0 if the values are quantities.
    cache_dir: where to keep the result; empty for the user cache folder.
    places: where each path was named, for messages.

  Raises:
    UnreadableError: listing every unreadable volume.
    MissingPackageError: if a package that reads them is not installed.
    UserError: if shapes differ, or the cache folder is full or not writable.
  """
  if size < 0 or classes < 0:
    raise errors.UserError(
      f'size = {size} and classes = {classes}: legal are whole numbers from 0.'
    )
  reading = _Reading(pathlib.Path(root), paths, places)
  mask = np.array([bool(x) for x in paths], bool)
  reading.find()
  hashes = reading.hashes()
  digest = _key(size, classes, [hashes.get(x, '') for x in paths])
  folder = images.cache_folder(cache_dir) / FOLDER
  kept = None if reading.problems else _kept(folder, digest, len(mask))
  was_cached = kept is not None
  if kept is None:
    with _scratch(folder) as scratch:
      for name in reading.names:
        found = reading.decode(name, size, classes)
        if found is not None and not reading.problems:
          with _keeping(folder):
            scratch.add(name, *found)
      reading.check()
      scratch.check_shapes(size)
      with _keeping(folder):
        _write(folder, digest, paths, scratch)
    kept = _kept(folder, digest, len(mask))
    if kept is None:
      raise errors.UserError(
        f"Decoded volumes in '{folder}' changed while they were written: is "
        'the disk sound? Set cohort.cache_dir to another folder.'
      )
  volumes, spacing = kept
  return Decoded(volumes, mask, digest, spacing, was_cached)


class _Reading:
  """The volumes of one call and what is wrong with them."""

  def __init__(self, root, paths, places):
    self._root = root
    self._places = {}
    for path, place in zip(paths, places or [''] * len(paths), strict=True):
      self._places.setdefault(path, place)
    # Several studies may share one.
    self.names = [x for x in dict.fromkeys(paths) if x]
    self.problems: list[tables.Problem] = []
    self._sources: dict[str, volume_formats.Source] = {}
    if not self.names:
      raise errors.UserError(f"No volumes to read under '{root}'.")

  def find(self) -> None:
    for name in self.names:
      with self._reporting(name):
        self._sources[name] = volume_formats.find(self._root, name)
    volume_formats.require(x.kind for x in self._sources.values())

  def hashes(self) -> dict[str, str]:
    """By name: of the bytes of all its files, in whatever order."""
    found = {}
    for name, source in list(self._sources.items()):
      try:
        with self._reporting(name):
          each = sorted(map(_hash, source.files))
          found[name] = f'{source.kind}:{",".join(each)}'
      finally:
        if name not in found:
          del self._sources[name]
    return found

  def decode(
    self, name: str, size: int, classes: int
  ) -> tuple[np.ndarray, np.ndarray] | None:
    """(d, h, w, c) and its (3,) spacing; None for what cannot be read."""
    if name not in self._sources:
      return None
    with self._reporting(name):
      return _decoded(self._sources[name], size, classes)
    return None

  @contextlib.contextmanager
  def _reporting(self, name: str):
    """Makes what a bad file causes a problem."""
    try:
      yield
    except errors.MissingPackageError:
      raise
    # Damaged files raise whatever zip, nibabel and pydicom raise.
    except Exception as e:
      if getattr(e, 'errno', None) in _NOT_OF_THE_FILE:
        raise
      place = self._places[name]
      named = f' (named on {place})' if place else ''
      message = f'{_reason(e)}{named}.'
      self.problems.append(tables.Problem(tables.ERROR, message, name))

  def check(self) -> None:
    if not self.problems:
      return
    # What stands in brackets is of one file.
    kinds = [
      re.sub(r' *\([^()]*\)', '', x.message).rstrip('.') for x in self.problems
    ]
    raise images.UnreadableError(
      tables.summed_up(zip(kinds, self.problems, strict=True)),
      f'{len(self.problems)} of {len(self.names)} volumes under '
      f"'{self._root}' cannot be read:",
    )


def _reason(error: Exception) -> str:
  if isinstance(error, FileNotFoundError):
    return 'no such file or folder'
  if isinstance(error, PermissionError):
    return 'the volume may not be read'
  if isinstance(error, image_files.NotReadError | errors.UserError):
    return str(error).rstrip('.')
  if isinstance(error, MemoryError):
    return 'the volume takes more memory than there is'
  text = str(error).strip().splitlines()
  reason = errors.brief(text[0]) if text else type(error).__name__
  return f'damaged or unreadable volume: {reason.rstrip(".")}'


def _hash(path) -> str:
  with image_files.opened(path) as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def _key(size: int, classes: int, hashes: Sequence[str]) -> str:
  digest = hashlib.sha256(f'{DECODING} {size} {classes}\n'.encode())
  for x in hashes:
    digest.update(f'{x}\n'.encode())
  return digest.hexdigest()


def _decoded(source, size, classes) -> tuple[np.ndarray, np.ndarray]:
  """(d, h, w, c) and (3,) spacing of one volume in its final form."""
  values, spacing = volume_formats.read(source)
  values = volume_values.settled(values)
  shape = values.shape
  if classes:
    volume_values.check_classes(values, classes)
    if size:
      values = volume_values.nearest(values, size)
    values = volume_values.one_hot(values, classes)
  elif size:
    values = volume_values.resampled(values, size)
  return values, spacing * np.array(shape[:3]) / values.shape[:3]


class _Scratch:
  """Volumes of a common grid, but each of its own type, in a nameless file."""

  def __init__(self, file):
    self._file = file
    self._places: dict[str, int] = {}
    self._shapes: dict[tuple[int, ...], str] = {}
    self._dtypes: dict[str, np.dtype] = {}
    self._spacings: list[np.ndarray] = []

  def add(self, name: str, values: np.ndarray, spacing: np.ndarray) -> None:
    self._spacings.append(spacing)
    self._dtypes[name] = values.dtype
    self._shapes.setdefault(values.shape, name)
    # With several shapes there will be no result.
    if len(self._shapes) == 1:
      self._places[name] = self._file.tell()
      self._file.write(np.ascontiguousarray(values).data)

  def check_shapes(self, size: int) -> None:
    if len(self._shapes) == 1:
      return
    (a, first), (b, second) = list(self._shapes.items())[:2]
    advice = (
      'give all the same number of channels'
      if size
      else 'set size, such as size = 64, to bring all to one grid'
    )
    raise errors.UserError(
      f"Volumes have several shapes (d, h, w, c): '{first}' {_text(a)} and "
      f"'{second}' {_text(b)}; {advice}."
    )

  @property
  def shape(self) -> tuple[int, ...]:
    return next(iter(self._shapes))

  @property
  def dtype(self) -> np.dtype:
    found = set(self._dtypes.values())
    return found.pop() if len(found) == 1 else np.dtype(np.float32)

  @property
  def spacing(self) -> np.ndarray:
    """(3,) in mm, NaN if not known or not alike."""
    first = self._spacings[0]
    if all(np.allclose(x, first, rtol=_TOLERANCE) for x in self._spacings):
      return first.round(_DECIMALS)
    return np.full(3, np.nan)

  def bytes(self, name: str) -> bytes:
    """Of the volume in the common type."""
    dtype = self._dtypes[name]
    count = int(np.prod(self.shape))
    self._file.seek(self._places[name])
    raw = self._file.read(count * dtype.itemsize)
    if dtype == self.dtype:
      return raw
    return np.frombuffer(raw, dtype).astype(self.dtype).tobytes()


def _text(shape) -> str:
  return f'({", ".join(map(str, shape))})'


@contextlib.contextmanager
def _scratch(folder: pathlib.Path) -> Iterator[_Scratch]:
  with contextlib.ExitStack() as stack:
    with _keeping(folder):
      folder.mkdir(parents=True, exist_ok=True)
      file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
    yield _Scratch(file)


@contextlib.contextmanager
def _keeping(folder: pathlib.Path):
  """The system's errors while writing as one line."""
  try:
    yield
  except OSError as e:
    raise errors.UserError(
      f"Cannot keep decoded volumes in '{folder}': "
      f'{(e.strerror or str(e)).lower()}. Nothing was left behind; free space '
      'there or set cohort.cache_dir to another folder.'
    ) from None


def _files(folder: pathlib.Path, digest: str) -> tuple[pathlib.Path, ...]:
  return folder / f'{digest}.npy', folder / f'{digest}.spacing.npy'


def _write(folder, digest, paths, scratch) -> None:
  volumes, spacing = _files(folder, digest)
  array_files.write(
    spacing,
    [scratch.spacing.tobytes()],
    shape=(3,),
    dtype=scratch.spacing.dtype,
    name=digest,
  )
  blank = bytes(int(np.prod(scratch.shape)) * scratch.dtype.itemsize)
  array_files.write(
    volumes,
    (scratch.bytes(x) if x else blank for x in paths),
    shape=(len(paths), *scratch.shape),
    dtype=scratch.dtype,
    name=digest,
  )


def _kept(folder, digest, n) -> tuple[np.ndarray, tuple[float, ...]] | None:
  """The cached volumes and spacing, if both are there and whole."""
  volumes, spacing = _files(folder, digest)
  values = array_files.read(volumes, shape=(n, *[None] * 4), name=digest)
  if values is None:
    return None
  found = array_files.read(spacing, shape=(3,), name=digest)
  if found is None:
    return None
  return values, tuple(found.tolist()) if np.isfinite(found).all() else ()
