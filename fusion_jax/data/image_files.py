"""One image file: of which kind it is, and its pixels in bounded memory."""

import dataclasses
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from PIL import (
  BmpImagePlugin,
  Image,
  ImageOps,
  JpegImagePlugin,
  PngImagePlugin,
  TiffImagePlugin,
  WebPImagePlugin,
)

from fusion_jax.core import files
from fusion_jax.data import png

PNG, JPEG, TIFF, BMP, WEBP = KINDS = ('PNG', 'JPEG', 'TIFF', 'BMP', 'WebP')
LEGAL = f'{", ".join(KINDS[:-1])} and {KINDS[-1]}'

# Images are read up to so many pixels: PNG by rows and JPEG at a fraction of
# its size, the others whole. A progressive JPEG is held whole as coefficients.
_MOST = {PNG: 300e6, JPEG: 300e6, TIFF: 50e6, BMP: 50e6, WEBP: 50e6}
_MOST_PROGRESSIVE = 600e6  # Pixels times channels.
_LONGEST = 1_000_000  # A row has to fit, too.

# A PNG of at most so many pixels, and bytes, is decoded at once.
_SMALL = 2**22
_SMALL_FILE = 2**26

# Classes rather than `Image.open`, which takes a phone's JPEG with a preview
# for a file of another kind, and has a limit of pixels of its own.
_READERS = {
  PNG: PngImagePlugin.PngImageFile,
  JPEG: JpegImagePlugin.JpegImageFile,
  TIFF: TiffImagePlugin.TiffImageFile,
  BMP: BmpImagePlugin.BmpImageFile,
  WEBP: WebPImagePlugin.WebPImageFile,
}
_GREY = ('1', 'L', 'LA', 'I;16', 'I;16B')
_MAGIC = (
  (0, b'\x89PNG\r\n\x1a\n', PNG),
  (0, b'\xff\xd8\xff', JPEG),
  (0, b'II*\0', TIFF),
  (0, b'MM\0*', TIFF),
  (0, b'II+\0', TIFF),
  (0, b'MM\0+', TIFF),
  (0, b'BM', BMP),
)
_CONVERT = 'convert them to PNG'
_WINDOWED = 'convert them to 8- or 16-bit PNG with one window for all'
# What other files are called, and what to do about them.
_FOREIGN = (
  (128, b'DICM', 'DICOM', _WINDOWED),
  (0, b'\x1f\x8b', 'gzip', 'unpack them; a volume such as NIfTI is no image'),
  (344, b'n+1\0', 'NIfTI', f'take slices and {_WINDOWED}'),
  (0, b'NRRD', 'NRRD', f'take slices and {_WINDOWED}'),
  (0, b'ObjectType', 'MetaImage', f'take slices and {_WINDOWED}'),
  (0, b'GIF8', 'GIF', _CONVERT),
  (4, b'ftyphei', 'HEIC', _CONVERT),
  (4, b'ftypmif', 'HEIC', _CONVERT),
  (4, b'ftypavif', 'AVIF', _CONVERT),
  (0, b'\0\0\0\x0cjP  ', 'JPEG 2000', _CONVERT),
  (0, b'\xff\x4f\xff\x51', 'JPEG 2000', _CONVERT),
  (0, b'\0\0\0\x0cJXL ', 'JPEG XL', _CONVERT),
  (0, b'\xff\x0a', 'JPEG XL', _CONVERT),
  (0, b'\x89HDF', 'HDF5', _CONVERT),
  (0, b'\x93NUMPY', 'NumPy', _CONVERT),
  (0, b'%PDF', 'PDF', _CONVERT),
  (0, b'PK\x03\x04', 'ZIP', 'unpack them'),
  (0, b'version https://git-lfs', 'Git LFS pointer', 'fetch with git lfs pull'),
  (0, b'<', 'HTML or XML', 'download them again'),
)
_HEAD = 512


class NotReadError(ValueError):
  """A file that may be whole, but is not read; `str()` of it says why."""


class FormatError(NotReadError):
  """A file of a kind that is not read.

  Attributes:
    name: of the kind; empty if it is not known.
    advice: what to do with such files.
  """

  def __init__(self, name: str = '', advice: str = _CONVERT):
    self.name, self.advice = name, advice
    kind = f'is a {name} file' if name else 'is of no known kind'
    super().__init__(f'the file {kind}; legal are {LEGAL}: {advice}')


@dataclasses.dataclass(frozen=True)
class Header:
  """What a file says of itself.

  Attributes:
    kind: one of KINDS.
    width: in pixels.
    height: in pixels.
    depth: bits a sample.
    bands: samples a pixel.
    colour: whether it has any colour.
    quantisation: JPEG: the sum of its first quantisation table, else 0.
    progressive: JPEG: whether it comes in several scans.
    size: of the file in bytes.
  """

  kind: str
  width: int
  height: int
  depth: int
  bands: int
  colour: bool
  quantisation: int = 0
  progressive: bool = False
  size: int = 0

  @property
  def pixels(self) -> int:
    return self.width * self.height

  @property
  def cost(self) -> int:
    """About how many bytes `decode` takes at a small side."""
    if self.kind == JPEG:
      return self.pixels * self.bands * 2 if self.progressive else self.pixels
    return 12 * (min(self.pixels, _SMALL) if self.kind == PNG else self.pixels)


@contextmanager
def opened(path: str | os.PathLike) -> Iterator[BinaryIO]:
  """The file `path` for reading.

  Raises:
    UserError: if it is no regular file.
    OSError: if it cannot be opened.
  """
  with open(files.regular(path), 'rb') as file:
    yield file


@contextmanager
def quiet_pillow():
  """Silences what Pillow says of large images and of damaged EXIF blocks.

  Large images are legal, and one whose EXIF cannot be read is upright.
  """
  with warnings.catch_warnings():
    warnings.filterwarnings('ignore', category=UserWarning, module='PIL')
    warnings.simplefilter('ignore', Image.DecompressionBombWarning)
    yield


def kind_of(file: BinaryIO) -> str:
  """One of KINDS; the place in the file stays.

  Raises:
    FormatError: for any other kind.
    NotReadError: for an empty file.
  """
  head = file.read(_HEAD)
  file.seek(0)
  if not head:
    raise NotReadError('the file is empty')
  if head[:4] == b'RIFF' and head[8:12] == b'WEBP':
    return WEBP
  for at, magic, kind in _MAGIC:
    if head.startswith(magic, at):
      return kind
  for at, magic, name, advice in _FOREIGN:
    if head.startswith(magic, at):
      raise FormatError(name, advice)
  raise FormatError


def read_header(file: BinaryIO) -> Header:
  """What the file says, without decoding it; the place is then at its start.

  Raises:
    NotReadError: for a kind that is not read, or what is not read of a kind,
      such as several pages or more pixels than fit.
    OSError, SyntaxError and others of Pillow: for a damaged file.
  """
  kind = kind_of(file)
  size = os.fstat(file.fileno()).st_size if _is_on_disk(file) else 0
  if kind == PNG:
    found = png.read_header(file)
    header = Header(
      kind,
      found.width,
      found.height,
      found.depth,
      found.channels,
      found.colour,
      size=size,
    )
  else:
    if kind == WEBP:
      _check_size(kind, *_webp_size(file))
    with _READERS[kind](file) as image:
      header = _header_of(kind, image, size)
  file.seek(0)
  _check_size(kind, header.width, header.height)
  most = _MOST_PROGRESSIVE
  if header.progressive and header.pixels * header.bands > most:
    raise NotReadError(
      f'it has {header.width} x {header.height} pixels; progressive JPEG is '
      f'read up to {most / header.bands / 1e6:.0f} million'
    )
  return header


def _is_on_disk(file) -> bool:
  try:
    file.fileno()
  except OSError:
    return False
  return True


def _check_size(kind: str, width: int, height: int) -> None:
  if width * height > _MOST[kind]:
    raise NotReadError(
      f'it has {width} x {height} pixels; {kind} is read up to '
      f'{_MOST[kind] / 1e6:.0f} million pixels'
    )
  if max(width, height) > _LONGEST:
    raise NotReadError(
      f'it has {width} x {height} pixels; sides are read up to {_LONGEST}'
    )


def _header_of(kind: str, image: Image.Image, size: int) -> Header:
  tables = getattr(image, 'quantization', None) if kind == JPEG else None
  depth = 8
  if kind == TIFF:
    depth = _tiff_depth(image)
  if kind in (TIFF, WEBP) and getattr(image, 'is_animated', False):
    raise NotReadError(
      'it holds several pages: save the one that counts as a file of its own'
    )
  return Header(
    kind,
    *image.size,
    depth,
    len(image.getbands()),
    image.mode not in _GREY,
    sum(tables[min(tables)]) if tables else 0,
    bool(image.info.get('progressive')),
    size,
  )


def _tiff_depth(image) -> int:
  bits = max(image.tag_v2.get(258, (1,)))
  if bits > 16 or 8 < bits < 16 or image.mode in ('I', 'F'):
    raise NotReadError(
      f'its samples have {bits} bits or a sign; legal are whole numbers of up '
      'to 8 bits or of 16 from 0'
    )
  apart = image.tag_v2.get(284, 1) == 2
  rawmode = image.tile[0].args[0]
  if bits == 16 and (
    apart or image.mode == 'CMYK' or rawmode.startswith('RGBa')
  ):
    raise NotReadError(
      'it has 16 bits and stores CMYK, planes apart or premultiplied colour: '
      'save it as 16-bit PNG'
    )
  return bits


def _webp_size(file) -> tuple[int, int]:
  """Width and height, which Pillow would decode the whole file for."""
  head = file.read(30)
  file.seek(0)
  kind = head[12:16]
  if len(head) < 30:
    raise OSError('image file is truncated')
  if kind == b'VP8X':
    found = (int.from_bytes(head[x : x + 3], 'little') + 1 for x in (24, 27))
    return tuple(found)
  if kind == b'VP8L':
    bits = int.from_bytes(head[21:25], 'little')
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
  width, height = struct.unpack('<HH', head[26:30])
  return width & 0x3FFF, height & 0x3FFF


def decode(file: BinaryIO, header: Header, *, side: int = 0) -> np.ndarray:
  """Decodes a file to (h, w, c) uint8 or uint16, c 1 or 3.

  EXIF orientation is applied; transparent pixels are blended with black.

  Args:
    file: the open file, at its start.
    header: what `read_header` has found in it.
    side: if above 0, a JPEG or a large PNG may be read at a fraction of its
      size that still has at least twice this side.

  Raises:
    OSError, SyntaxError and others of Pillow: for a damaged file.
  """
  if header.kind == PNG and (
    header.depth == 16 or header.pixels > _SMALL or header.size > _SMALL_FILE
  ):
    longest = max(header.width, header.height)
    factor = max(1, longest // (2 * side)) if side else 1
    if header.pixels <= _SMALL:
      factor = 1
    pixels = png.decode(file, factor)
    file.seek(0)
    with PngImagePlugin.PngImageFile(file) as image:
      # Its own method would decode the image to look behind it as well.
      return _turned(pixels, Image.Image.getexif(image).get(0x0112, 1))
  if header.kind == TIFF and header.depth == 16:
    return _deep_tiff(file)
  with _READERS[header.kind](file) as image:
    if side and header.kind == JPEG:
      image.draft(None, (2 * side, 2 * side))
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
      grey = image.mode in _GREY
      image = image.convert('RGBA')
      black = Image.new('RGBA', image.size, (0, 0, 0, 255))
      image = Image.alpha_composite(black, image)
      image = image.convert('L' if grey else 'RGB')
    else:
      image = image.convert('L' if image.mode in _GREY else 'RGB')
    pixels = np.asarray(image)
  return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _deep_tiff(file) -> np.ndarray:
  """(h, w, c) uint16 of a 16-bit TIFF, c 1 or 3.

  Pillow reads 16-bit grey, but keeps only the high byte of colour: its reader
  of samples in the other byte order gives the low byte.
  """
  with TiffImagePlugin.TiffImageFile(file) as image:
    inverted = image.tag_v2.get(262) == 0
    image.load()
    high = np.asarray(image).astype(np.uint16)
  if high.ndim == 2:
    return (np.uint16(65535) - high if inverted else high)[:, :, None]
  file.seek(0)
  with TiffImagePlugin.TiffImageFile(file) as image:
    # 'N' is the byte order of this machine.
    native = 'L' if np.little_endian else 'B'
    for at, tile in enumerate(image.tile):
      rawmode, *rest = tile.args
      order = native if rawmode[-1] == 'N' else rawmode[-1]
      rawmode = rawmode[:-1] + {'L': 'B', 'B': 'L'}[order]
      image.tile[at] = tile._replace(args=(rawmode, *rest))
    image.load()
    low = np.asarray(image).astype(np.uint16)
  pixels = (high << 8) | low
  if pixels.shape[2] == 4:
    return png.blended(pixels[:, :, :3], pixels[:, :, 3:])
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
