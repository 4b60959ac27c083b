"""Images decoded once into one array that later runs map into memory.

The array is kept in a user cache folder under a name made of the files'
contents, the size and the version of this decoding; the cohort's own folder
is never written to.
"""

import concurrent.futures
import contextlib
import dataclasses
import errno
import hashlib
import os
import pathlib
import re
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

from fusion_jax.core import errors, files
from fusion_jax.data import array_files, image_files, tables

# Part of the cache key: raise it when the same file decodes to other pixels.
DECODING = 2

# The side where neither the user nor the descriptor gives one.
MAX_DEFAULT_SIZE = 64

# Results that wait to be written: at most so many, and about so many bytes.
_CHUNK = 256
_CHUNK_BYTES = 2**28
# About how many bytes the images that are decoded at once may take.
_AT_ONCE = 2**30
# So many files of a kind that is not read are named.
_EXAMPLES = 3
_UNREADABLE = (
  errors.UserError,
  OSError,
  MemoryError,
  SyntaxError,
  ValueError,
  ArithmeticError,
  EOFError,
  LookupError,
  TypeError,
  struct.error,
  zlib.error,
  Image.DecompressionBombError,
)
# What the system lacks says nothing of an image.
_NOT_OF_THE_FILE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@dataclasses.dataclass(frozen=True, eq=False)
class Decoded:
  """Images of n studies.

  Attributes:
    images: (n, i, s, s, c) uint8 or uint16, read-only and memory-mapped.
    mask: (n, i) bool, True where there is an image.
    digest: hex hash of everything that determines `images`.
    hashes: per study, the hash of each file's bytes.
    path: the cached file.
    was_cached: whether nothing had to be decoded.
  """

  images: np.ndarray
  mask: np.ndarray
  digest: str
  hashes: list[list[str]]
  path: pathlib.Path
  was_cached: bool


def cache_folder(cache_dir: str = '') -> pathlib.Path:
  """`cache_dir`, or fusion_jax in the user's cache folder.

  Raises:
    UserError: if neither is there.
  """
  if cache_dir:
    return pathlib.Path(os.path.expanduser(cache_dir))
  return files.user_cache()


def load(
  root: str | os.PathLike,
  paths: Sequence[Sequence[str]],
  *,
  size: int = 0,
  cache_dir: str = '',
  places: Sequence[Sequence[str]] | None = None,
  on_progress: Callable[[int, int], None] | None = None,
) -> Decoded:
  """Decodes images, or maps what an earlier call decoded.

  They are PNG, JPEG, TIFF, BMP or WebP files.

  EXIF orientation is applied, aspect is kept and the square is filled with
  zeros. If any image has 16 bits all are uint16 (8-bit values times 257);
  if any has colour all are RGB; transparent pixels are blended with black.

  Args:
    root: the data folder.
    paths: per study, image paths relative to `root`.
    size: the side s in pixels; 0 for the longest side found, at most 64.
    cache_dir: where to keep the result; empty for the user cache folder.
    places: per study, where each path was named, for messages.
    on_progress: called with the numbers of images done and of all.

  Raises:
    UnreadableError: listing every unreadable file.
    UserError: if the cache folder is full or not writable.
  """
  root = pathlib.Path(root)
  reading = _Reading(root, paths, places)
  counts = np.array([len(x) for x in paths])
  mask = np.arange(counts.max()) < counts[:, None]
  with (
    image_files.quiet_pillow(),
    concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
  ):
    hashes = list(reading.keep(pool.map(_guard(_hash), reading.files)))
    digest = _key(size, counts, [x or '' for x in hashes])
    path = cache_folder(cache_dir) / 'images' / f'{digest}.npy'
    images = None if reading.problems else _kept(path, mask, digest)
    was_cached = images is not None
    if images is None:
      headers = list(reading.keep(pool.map(_guard(_header), reading.files)))
      form = _common([x for x in headers if x is not None], size)
      if form is None:
        reading.check()
      # Decoding meets these files again.
      reading.forget()
      jobs = list(zip(reading.files, headers, strict=True))
      decoded = _stream(pool, jobs, form, on_progress)
      _write(path, mask, form, decoded, reading, digest)
      images = _kept(path, mask, digest)
  nested = iter(hashes)
  by_study = [[next(nested) for _ in study] for study in paths]
  return Decoded(images, mask, digest, by_study, path, was_cached)


class UnreadableError(errors.ProblemsError):
  """Images that cannot be decoded; `problems` has one entry each."""

  def __init__(self, problems: Sequence[tables.Problem], title: str):
    self.problems = tuple(problems)
    super().__init__(title, [str(x) for x in problems])


class _Reading:
  """The files of one call and what is wrong with them."""

  def __init__(self, root, paths, places):
    self._root = root
    self._names = [x for study in paths for x in study]
    self._places = [x for study in places for x in study] if places else []
    self.files = [root / x for x in self._names]
    self.problems: list[tables.Problem] = []
    # By name of a kind that is not read: the first error, numbers of files.
    self._foreign: dict[str, tuple[image_files.FormatError, list[int]]] = {}
    if not self._names:
      raise errors.UserError(f"No images to read under '{root}'.")

  def keep(self, results):
    """Yields `results`, None in place of errors, which become problems."""
    for at, result in enumerate(results):
      if isinstance(result, Exception):
        if isinstance(result, image_files.FormatError):
          self._foreign.setdefault(result.name, (result, []))[1].append(at)
        self.problems.append(self._problem(at, _reason(result)))
        result = None
      yield result

  def _problem(self, at: int, reason: str) -> tables.Problem:
    named = f' (named on {self._places[at]})' if self._places else ''
    return tables.Problem(tables.ERROR, f'{reason}{named}.', self._names[at])

  def forget(self) -> None:
    """Starts anew: each file is reported once."""
    self.problems.clear()
    self._foreign.clear()

  def check(self) -> None:
    if self.problems:
      raise UnreadableError(
        self._summed_up(),
        f'{len(self.problems)} of {len(self.files)} images under '
        f"'{self._root}' cannot be read:",
      )

  def _summed_up(self) -> list[tables.Problem]:
    """The problems, one for all files of a kind that is not read."""
    several, listed = [], set()
    for name, (error, places) in self._foreign.items():
      if len(places) == 1:
        continue
      listed |= {self._names[x] for x in places}
      kind = f'are {name} files' if name else 'are of no known kind'
      examples = ', '.join(f"'{self._names[x]}'" for x in places[:_EXAMPLES])
      more = ', ...' if len(places) > _EXAMPLES else ''
      message = (
        f'{len(places)} of {len(self.files)} images {kind} ({examples}{more}); '
        f'legal are {image_files.LEGAL}: {error.advice}.'
      )
      several.append(tables.Problem(tables.ERROR, message))
    rest = [x for x in self.problems if x.file not in listed]
    # What stands in brackets is of one file: its row, how much is missing.
    kinds = [re.sub(r' *\([^()]*\)', '', x.message).rstrip('.') for x in rest]
    return several + tables.summed_up(zip(kinds, rest, strict=True))


def _guard(function):
  """`function` returning, rather than raising, what a bad file causes."""

  def guarded(argument):
    try:
      return function(argument)
    except _UNREADABLE as e:
      if getattr(e, 'errno', None) in _NOT_OF_THE_FILE:
        raise
      return e

  return guarded


def _reason(error: Exception) -> str:
  if isinstance(error, FileNotFoundError):
    return 'no such image'
  if isinstance(error, PermissionError):
    return 'the image may not be read'
  if isinstance(error, image_files.NotReadError | errors.UserError):
    return str(error).rstrip('.')
  if isinstance(error, MemoryError):
    return 'the image takes more memory than there is'
  text = str(error).splitlines()[0] if str(error) else type(error).__name__
  return f'truncated or unreadable image: {text.rstrip(".")}'


def _key(size, counts, hashes) -> str:
  digest = hashlib.sha256(f'{DECODING} {size} {counts.tolist()}'.encode())
  for x in hashes:
    digest.update(x.encode())
  return digest.hexdigest()


def _hash(path) -> str:
  with image_files.opened(path) as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def _header(path) -> image_files.Header:
  with image_files.opened(path) as file:
    return image_files.read_header(file)


@dataclasses.dataclass(frozen=True)
class _Form:
  side: int
  channels: int
  dtype: np.dtype

  @property
  def bytes(self) -> int:
    return self.side * self.side * self.channels * self.dtype.itemsize


def _common(headers: Sequence[image_files.Header], size: int) -> _Form | None:
  """The form that holds all of them; None if there are none."""
  if not headers:
    return None
  return _Form(
    size or min(MAX_DEFAULT_SIZE, max(max(x.width, x.height) for x in headers)),
    3 if any(x.colour for x in headers) else 1,
    np.dtype(np.uint16 if any(x.depth == 16 for x in headers) else np.uint8),
  )


class _Room:
  """Lets threads in as long as what they take together fits.

  One that needs more than there is waits to be alone.
  """

  def __init__(self, total: int):
    self._total = self._free = total
    self._changed = threading.Condition()

  @contextlib.contextmanager
  def taken(self, count: int):
    count = min(count, self._total)
    with self._changed:
      self._changed.wait_for(lambda: self._free >= count)
      self._free -= count
    try:
      yield
    finally:
      with self._changed:
        self._free += count
        self._changed.notify_all()


def fit_square(pixels: np.ndarray, side: int) -> np.ndarray:
  """Resizes (h, w, c) to fit (side, side, c), aspect kept, zeros around."""
  height, width = pixels.shape[:2]
  scale = side / max(height, width)
  h = max(1, round(height * scale))
  w = max(1, round(width * scale))
  if (h, w) != (height, width):
    pixels = _resized(pixels, h, w)
  out = np.zeros((side, side, pixels.shape[2]), pixels.dtype)
  top, left = (side - h) // 2, (side - w) // 2
  out[top : top + h, left : left + w] = pixels
  return out


def _resized(pixels, h, w):
  lanczos = Image.Resampling.LANCZOS
  if pixels.dtype == np.uint8:
    squeezed = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    image = Image.fromarray(np.ascontiguousarray(squeezed))
    return np.asarray(image.resize((w, h), lanczos)).reshape(h, w, -1)
  channels = []
  for c in range(pixels.shape[2]):
    image = Image.fromarray(pixels[:, :, c].astype(np.float32))
    channels.append(np.asarray(image.resize((w, h), lanczos)))
  stacked = np.rint(np.stack(channels, axis=2))
  return np.clip(stacked, 0, 65535).astype(np.uint16)


def _decode_job(path, header, form, room) -> np.ndarray:
  """(s, s, c) of one file in the cohort's common form."""
  with image_files.opened(path) as file:
    # Where there is none, this says again why.
    header = header or image_files.read_header(file)
    with room.taken(header.cost):
      pixels = image_files.decode(file, header, side=form.side)
      pixels = fit_square(pixels, form.side)
  if pixels.dtype != form.dtype:
    pixels = pixels.astype(np.uint16) * np.uint16(257)
  if pixels.shape[2] != form.channels:
    pixels = np.repeat(pixels, form.channels, axis=2)
  return pixels


def _stream(pool, jobs, form, on_progress):
  """Results in order, a bounded number of them in memory."""
  room = _Room(_AT_ONCE)
  chunk = max(1, min(_CHUNK, _CHUNK_BYTES // form.bytes))
  decode = _guard(lambda job: _decode_job(*job, form, room))
  for start in range(0, len(jobs), chunk):
    results = list(pool.map(decode, jobs[start : start + chunk]))
    if on_progress:
      on_progress(start + len(results), len(jobs))
    yield from results


def _kept(path: pathlib.Path, mask, digest: str) -> np.ndarray | None:
  """The cached array, if it is there and whole."""
  shape = (*mask.shape, None, None, None)
  return array_files.read(path, shape=shape, name=digest)


def _write(path, mask, form, decoded, reading, digest) -> None:
  """Writes the array in one sweep; the file appears whole or not at all.

  Raises:
    UnreadableError: listing every unreadable file.
    UserError: if the cache folder is full or not writable.
  """
  shape = (*mask.shape, form.side, form.side, form.channels)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    array_files.write(
      path,
      _blocks(mask, form, reading.keep(decoded), reading),
      shape=shape,
      dtype=form.dtype,
      name=digest,
    )
  except OSError as e:
    megabytes = int(np.prod(shape)) * form.dtype.itemsize / 2**20
    raise errors.UserError(
      f"Cannot keep {megabytes:.0f} MiB of decoded images in '{path.parent}': "
      f'{_cannot_write(e)}. Nothing was left behind; free space there or set '
      'cohort.cache_dir to another folder.'
    ) from None


def _blocks(mask, form, decoded, reading) -> Iterator[bytes]:
  """The bytes of each place, as long as all files could be read."""
  blank = bytes(form.bytes)
  for exists in mask.flat:
    pixels = next(decoded) if exists else None
    if not reading.problems:
      yield blank if pixels is None else pixels.tobytes()
  reading.check()


def _cannot_write(error: OSError) -> str:
  if error.errno in (errno.ENOSPC, errno.EDQUOT):
    return 'the disk is full'
  return (error.strerror or str(error)).lower()
