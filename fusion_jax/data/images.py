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
import io
import os
import pathlib
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageOps

from fusion_jax.core import errors, files
from fusion_jax.data import tables

# Part of the cache key: raise it when the same file decodes to other pixels.
DECODING = 1

# The side where neither the user nor the descriptor gives one.
MAX_DEFAULT_SIZE = 64

_CHUNK = 256
_UNREADABLE = (
  OSError,
  SyntaxError,
  ValueError,
  EOFError,
  IndexError,
  KeyError,
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
  """Decodes PNG and JPEG images, or maps what an earlier call decoded.

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
    quiet_pillow(),
    concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
  ):
    hashes = list(reading.keep(pool.map(_guard(_hash), reading.files)))
    digest = _key(size, counts, [x or '' for x in hashes])
    path = cache_folder(cache_dir) / 'images' / f'{digest}.npy'
    images = None if reading.problems else _map(path, mask.shape)
    was_cached = images is not None
    if images is None:
      headers = reading.keep(pool.map(_guard(_header), reading.files))
      form = _common([x for x in headers if x is not None], size)
      if form is None:
        reading.check()
      # Decoding meets these files again: each is reported once.
      reading.problems.clear()
      decoded = _stream(pool, reading.files, form, on_progress)
      _write(path, mask, form, decoded, reading)
      images = _map(path, mask.shape)
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
    if not self._names:
      raise errors.UserError(f"No images to read under '{root}'.")

  def keep(self, results):
    """Yields `results`, None in place of errors, which become problems."""
    for at, result in enumerate(results):
      if isinstance(result, Exception):
        named = f' (named on {self._places[at]})' if self._places else ''
        message = f'{_reason(result)}{named}.'
        self.problems.append(
          tables.Problem(tables.ERROR, message, self._names[at])
        )
        result = None
      yield result

  def check(self) -> None:
    if self.problems:
      raise UnreadableError(
        self.problems,
        f'{len(self.problems)} of {len(self.files)} images under '
        f"'{self._root}' cannot be read:",
      )


@contextlib.contextmanager
def quiet_pillow():
  """Silences what Pillow says of large images and of damaged EXIF blocks.

  Large images are legal, and one whose EXIF cannot be read is upright.
  """
  with warnings.catch_warnings():
    warnings.filterwarnings('ignore', category=UserWarning, module='PIL')
    warnings.simplefilter('ignore', Image.DecompressionBombWarning)
    yield


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
  if isinstance(error, Image.UnidentifiedImageError):
    return 'neither PNG nor JPEG'
  text = str(error).splitlines()[0] if str(error) else type(error).__name__
  return f'truncated or unreadable image: {text.rstrip(".")}'


def _key(size, counts, hashes) -> str:
  digest = hashlib.sha256(f'{DECODING} {size} {counts.tolist()}'.encode())
  for x in hashes:
    digest.update(x.encode())
  return digest.hexdigest()


def _hash(path) -> str:
  return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclasses.dataclass(frozen=True)
class _Header:
  longest: int
  colour: bool
  deep: bool


@dataclasses.dataclass(frozen=True)
class _Form:
  side: int
  channels: int
  dtype: np.dtype


def _common(headers: Sequence[_Header], size: int) -> _Form | None:
  """The form that holds all of them; None if there are none."""
  if not headers:
    return None
  return _Form(
    size or min(MAX_DEFAULT_SIZE, max(x.longest for x in headers)),
    3 if any(x.colour for x in headers) else 1,
    np.dtype(np.uint16 if any(x.deep for x in headers) else np.uint8),
  )


def _open(raw: bytes) -> Image.Image:
  if not raw:
    raise ValueError('the file is empty')
  return Image.open(io.BytesIO(raw), formats=('PNG', 'JPEG'))


def _is_deep(raw: bytes) -> bool:
  """Whether a PNG has 16 bits a sample (byte 24 of the file says so)."""
  return raw[:4] == b'\x89PNG' and raw[24] == 16


def _header(path) -> _Header:
  raw = path.read_bytes()
  with _open(raw) as image:
    colour = image.mode not in ('1', 'L', 'LA', 'I', 'I;16', 'I;16B')
    if raw[:4] == b'\x89PNG':
      colour = raw[25] not in (0, 4)
    return _Header(max(image.size), colour, _is_deep(raw))


def decode(raw: bytes, *, side: int = 0) -> np.ndarray:
  """Decodes a PNG or JPEG file to (h, w, c) uint8 or uint16, c 1 or 3.

  Args:
    raw: the file's bytes.
    side: if above 0, a JPEG may be read at a fraction of its size that still
      has at least twice this side, which is much faster.
  """
  if _is_deep(raw):
    pixels = _deep(raw)
    with _open(raw) as image:
      return _turned(pixels, image.getexif().get(0x0112, 1))
  with _open(raw) as image:
    if side and image.format != 'PNG':
      image.draft(None, (2 * side, 2 * side))
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
      grey = image.mode in ('L', 'LA', '1')
      image = image.convert('RGBA')
      black = Image.new('RGBA', image.size, (0, 0, 0, 255))
      image = Image.alpha_composite(black, image)
      image = image.convert('L' if grey else 'RGB')
    elif image.mode in ('1', 'L'):
      image = image.convert('L')
    else:
      image = image.convert('RGB')
    pixels = np.asarray(image)
  return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _deep(raw: bytes) -> np.ndarray:
  """(h, w, c) uint16 of a 16-bit PNG, c 1 or 3.

  Pillow reads 16-bit grey, but keeps only the high byte of colour: its
  reader of little-endian samples, applied to the big-endian file, gives the
  low byte.
  """
  kind = raw[25]
  if kind == 0:
    with _open(raw) as image:
      return np.asarray(image).astype(np.uint16)[:, :, None]
  if kind == 4:
    # Grey + alpha of 16 bits are the four bytes of an 8-bit RGBA pixel.
    header = raw[12:24] + b'\x08\x06' + raw[26:29]
    check = struct.pack('>I', zlib.crc32(header))
    with _open(raw[:12] + header + check + raw[33:]) as image:
      four = np.asarray(image.convert('RGBA')).astype(np.uint16)
    high, low = four[:, :, [0, 2]], four[:, :, [1, 3]]
  else:
    with _open(raw) as image:
      high = np.asarray(image).astype(np.uint16)
    with _open(raw) as image:
      tile = image.tile[0]
      args = tile.args.replace('16B', '16L')
      image.tile = [tile._replace(args=args)]
      low = np.asarray(image).astype(np.uint16)
  pixels = (high << 8) | low
  if kind in (4, 6):
    alpha = pixels[:, :, -1:] / np.float64(65535)
    pixels = np.rint(pixels[:, :, :-1] * alpha).astype(np.uint16)
  return pixels


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
  """`pixels` as EXIF `orientation` (1 to 8) says they are to be seen."""
  if orientation in (5, 6, 7, 8):
    pixels = pixels.transpose(1, 0, 2)
  if orientation in (2, 3, 6, 7):
    pixels = pixels[:, ::-1]
  if orientation in (3, 4, 7, 8):
    pixels = pixels[::-1]
  return pixels


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


def _decode_job(job) -> np.ndarray:
  """(s, s, c) of one file in the cohort's common form."""
  path, form = job
  pixels = fit_square(decode(path.read_bytes(), side=form.side), form.side)
  if pixels.dtype != form.dtype:
    pixels = pixels.astype(np.uint16) * np.uint16(257)
  if pixels.shape[2] != form.channels:
    pixels = np.repeat(pixels, form.channels, axis=2)
  return pixels


def _stream(pool, names, form, on_progress):
  """Results in order, a bounded number of them in memory."""
  for start in range(0, len(names), _CHUNK):
    jobs = [(x, form) for x in names[start : start + _CHUNK]]
    results = list(pool.map(_guard(_decode_job), jobs))
    if on_progress:
      on_progress(start + len(jobs), len(names))
    yield from results


def _map(path: pathlib.Path, shape) -> np.ndarray | None:
  """The cached array, if it is there and whole."""
  try:
    images = np.load(path, mmap_mode='r', allow_pickle=False)
  except (OSError, ValueError, EOFError):
    return None
  return images if images.shape[:2] == shape else None


def _write(path, mask, form, decoded, reading) -> None:
  """Writes the array in one sweep; the file appears whole or not at all.

  Raises:
    UnreadableError: listing every unreadable file.
    UserError: if the cache folder is full or not writable.
  """
  decoded = reading.keep(decoded)
  shape = (*mask.shape, form.side, form.side, form.channels)
  blank = np.zeros(shape[2:], form.dtype)
  header = {
    'descr': np.lib.format.dtype_to_descr(form.dtype),
    'fortran_order': False,
    'shape': shape,
  }
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path, mode=files.PRIVATE) as part:
      with open(part, 'wb') as f:
        np.lib.format.write_array_header_1_0(f, header)
        for exists in mask.flat:
          pixels = next(decoded) if exists else blank
          if not reading.problems:
            f.write(pixels.tobytes())
      reading.check()
  except OSError as e:
    megabytes = int(np.prod(shape)) * form.dtype.itemsize / 2**20
    raise errors.UserError(
      f"Cannot keep {megabytes:.0f} MiB of decoded images in '{path.parent}': "
      f'{_cannot_write(e)}. Nothing was left behind; free space there or set '
      'cohort.cache_dir to another folder.'
    ) from None


def _cannot_write(error: OSError) -> str:
  if error.errno in (errno.ENOSPC, errno.EDQUOT):
    return 'the disk is full'
  return (error.strerror or str(error)).lower()
