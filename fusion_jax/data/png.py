"""PNG by bands of rows, for 16 bits a sample and for images of any size.

Pillow holds a PNG whole, in 4 bytes a pixel, and keeps 8 bits of colour. Here
a band at a time is decompressed and, as a small PNG of its own, handed to
Pillow for what takes long in Python: undoing the filters (PNG specification,
third edition, section 9). Bands are averaged as they come.
"""

import dataclasses
import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import PngImagePlugin

_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}
_DEPTHS = {
  _GREY: (1, 2, 4, 8, 16),
  _RGB: (8, 16),
  _PALETTE: (1, 2, 4, 8),
  _GREY_ALPHA: (8, 16),
  _RGBA: (8, 16),
}
# First column and row, and the steps, of the passes of an interlaced image.
_PASSES = {
  0: ((0, 0, 1, 1),),
  1: (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
  ),
}
_BAND = 2**22  # Bytes of filtered rows.
_PIECE = 2**16  # Compressed bytes read at once.


@dataclasses.dataclass(frozen=True)
class Header:
  """The first chunk of a file: shape, and how samples are stored."""

  width: int
  height: int
  depth: int
  kind: int
  interlace: int

  @property
  def channels(self) -> int:
    return _CHANNELS[self.kind]

  @property
  def colour(self) -> bool:
    return self.kind not in (_GREY, _GREY_ALPHA)


def read_header(file: BinaryIO) -> Header:
  """Reads it from the start of the file.

  Raises:
    OSError: if it is cut, damaged or no PNG.
    ValueError: for values that do not exist.
  """
  head = file.read(33)
  if len(head) < 33 or head[:16] != _SIGNATURE + b'\0\0\0\rIHDR':
    raise OSError('image file is truncated')
  if struct.unpack('>I', head[29:])[0] != zlib.crc32(head[12:29]):
    raise OSError('its header has a wrong checksum')
  width, height, depth, kind, *rest = struct.unpack('>IIBBBBB', head[16:29])
  legal = depth in _DEPTHS.get(kind, ()) and rest[:2] == [0, 0]
  if not (legal and width and height and rest[2] in _PASSES):
    raise ValueError('its header has values that PNG does not have')
  return Header(width, height, depth, kind, rest[2])


def decode(file: BinaryIO, factor: int = 1) -> np.ndarray:
  """Decodes a PNG to (h, w, c) uint8 or uint16, c 1 or 3.

  Transparent pixels are blended with black.

  Args:
    file: the open file, at its start.
    factor: squares of so many pixels become one, their mean.

  Raises:
    OSError, SyntaxError, ValueError, zlib.error: for a damaged file.
  """
  header = read_header(file)
  chunks = _Chunks(file)
  rows = _Inflated(chunks)
  out = _Means(header, factor)
  for x, y, dx, dy in _PASSES[header.interlace]:
    width = -(-(header.width - x) // dx)
    height = -(-(header.height - y) // dy)
    if width <= 0 or height <= 0:
      continue
    for start, band in _bands(rows, header, width, height):
      pixels = _pixels(header, band, width, chunks)
      out.add(pixels, y + dy * start, dy, x, dx)
  rows.finish()
  return out.result()


class _Chunks:
  """The palette and the image data of a file, checksums verified."""

  def __init__(self, file):
    self._file = file
    self._left = self._check = 0
    self.palette = self.transparency = b''
    self._next()

  def _exactly(self, count: int) -> bytes:
    data = self._file.read(count)
    if len(data) < count:
      raise OSError('image file is truncated')
    return data

  def _next(self) -> None:
    """Goes to the next chunk of image data."""
    while True:
      length, name = struct.unpack('>I4s', self._exactly(8))
      if name == b'IDAT':
        self._left, self._check = length, zlib.crc32(name)
        return
      if name == b'IEND':
        raise OSError('image file is truncated')
      data = b''
      if name in (b'PLTE', b'tRNS') and length <= 768:
        data = self._exactly(length)
      else:
        self._file.seek(length, io.SEEK_CUR)
      check = struct.unpack('>I', self._exactly(4))[0]
      if data and check != zlib.crc32(name + data):
        raise OSError(f'its chunk {name.decode()} has a wrong checksum')
      if name == b'PLTE':
        self.palette = data
      elif name == b'tRNS':
        self.transparency = data

  def read(self) -> bytes:
    """Some bytes of image data."""
    while not self._left:
      self._verify()
      self._next()
    data = self._exactly(min(self._left, _PIECE))
    self._left -= len(data)
    self._check = zlib.crc32(data, self._check)
    return data

  def _verify(self) -> None:
    if struct.unpack('>I', self._exactly(4))[0] != self._check:
      raise OSError('its image data have a wrong checksum')

  def finish(self) -> None:
    """Reads the rest of the chunk and its checksum."""
    while self._left:
      self.read()
    self._verify()


class _Inflated:
  """The decompressed image data."""

  def __init__(self, chunks: _Chunks):
    self._chunks = chunks
    self._inflate = zlib.decompressobj()

  def read(self, count: int) -> bytearray:
    out = bytearray()
    while len(out) < count:
      if self._inflate.eof:
        raise OSError('image file is truncated')
      data = self._inflate.unconsumed_tail or self._chunks.read()
      out += self._inflate.decompress(data, count - len(out))
    return out

  def finish(self) -> None:
    """Reads on to the checksum of the data and that of their chunk."""
    more = 0
    # More rows than the image has are nobody's.
    while not self._inflate.eof and more < _BAND:
      data = self._inflate.unconsumed_tail or self._chunks.read()
      more += len(self._inflate.decompress(data, _PIECE))
    self._chunks.finish()


def _bands(rows, header, width, height) -> Iterator[tuple[int, np.ndarray]]:
  """First row and (n, bytes) uint8 of bands of unfiltered rows."""
  size = -(-width * header.depth * header.channels // 8)
  step = max(1, header.depth * header.channels // 8)
  count = max(1, _BAND // size)
  last = np.zeros(size, np.uint8)
  for start in range(0, height, count):
    n = min(count, height - start)
    filtered = rows.read(n * (size + 1))
    band = _unfiltered(filtered, last, n, step)
    last = band[-1]
    yield start, band


def _unfiltered(filtered, last, n: int, step: int) -> np.ndarray:
  """(n, bytes) uint8; `last` is the row before, `step` the bytes a pixel."""
  # A pixel of so many bytes, whatever they mean.
  depth, kind = {
    1: (8, _GREY),
    2: (16, _GREY),
    3: (8, _RGB),
    4: (8, _RGBA),
    6: (16, _RGB),
    8: (16, _RGBA),
  }[step]
  raw = _small_png(
    len(last) // step, n + 1, depth, kind, b'\0' + last.tobytes() + filtered
  )
  high = _opened(raw)
  if step == 2:
    return high[1:].astype('>u2').view(np.uint8).reshape(n, -1)
  if step < 6:
    return high[1:].reshape(n, -1)
  # Pillow keeps the high bytes; as little-endian samples, the low ones.
  low = _opened(raw, ('16B', '16L'))
  return np.stack([high[1:], low[1:]], axis=-1).reshape(n, -1)


def _small_png(width, height, depth, kind, rows) -> bytes:
  header = struct.pack('>IIBBBBB', width, height, depth, kind, 0, 0, 0)
  data = zlib.compress(rows, 0)
  parts = [_SIGNATURE]
  for name, body in ((b'IHDR', header), (b'IDAT', data), (b'IEND', b'')):
    check = zlib.crc32(body, zlib.crc32(name))
    parts += [struct.pack('>I', len(body)), name, body]
    parts.append(struct.pack('>I', check))
  return b''.join(parts)


def _opened(raw: bytes, replaced: tuple[str, str] = ('', '')) -> np.ndarray:
  with PngImagePlugin.PngImageFile(io.BytesIO(raw)) as image:
    image.tile = [
      x._replace(args=x.args.replace(*replaced) if replaced[0] else x.args)
      for x in image.tile
    ]
    return np.asarray(image)


def _pixels(header, band, width, chunks) -> np.ndarray:
  """(n, width, c) uint8 or uint16 of (n, bytes) unfiltered rows, c 1 or 3."""
  depth, kind = header.depth, header.kind
  if depth == 16:
    band = band.view('>u2').astype(np.uint16)
  elif depth < 8:
    bits = np.unpackbits(band, axis=1).reshape(len(band), -1, depth)
    band = np.zeros(bits.shape[:2], np.uint8)
    for at in range(depth):
      band = band << 1 | bits[:, :, at]
    band = band[:, :width]
  pixels = band.reshape(len(band), width, header.channels)
  top = 2**depth - 1
  if kind == _PALETTE:
    return _coloured(pixels[:, :, 0], chunks)
  if kind in (_GREY_ALPHA, _RGBA):
    return blended(pixels[:, :, :-1], pixels[:, :, -1:])
  if len(chunks.transparency) == 2 * header.channels:
    # One value is transparent, the others opaque.
    value = np.frombuffer(chunks.transparency, '>u2')
    clear = (pixels == value).all(axis=2, keepdims=True)
    pixels = np.where(clear, pixels.dtype.type(0), pixels)
  return pixels * np.uint8(255 // top) if depth < 8 else pixels


def _coloured(codes: np.ndarray, chunks) -> np.ndarray:
  """(n, width, 3) uint8 of (n, width) places in the palette."""
  colours = np.zeros((256, 3), np.uint8)
  found = np.frombuffer(chunks.palette, np.uint8)
  found = found[: len(found) // 3 * 3].reshape(-1, 3)
  if not len(found):
    raise OSError('it has no palette')
  colours[: len(found)] = found
  alpha = np.full((256, 1), 255, np.uint8)
  some = np.frombuffer(chunks.transparency[:256], np.uint8)
  alpha[: len(some), 0] = some
  return blended(colours, alpha)[codes]


def blended(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
  """Pixels over black, of uint8 or uint16, rounded to the nearest."""
  top = np.iinfo(pixels.dtype).max
  scaled = pixels.astype(np.uint64) * alpha + top // 2
  return (scaled // top).astype(pixels.dtype)


class _Means:
  """Means over squares of pixels that come in any order."""

  def __init__(self, header: Header, factor: int):
    self._dtype = np.uint16 if header.depth == 16 else np.uint8
    self._shape = header.height, header.width
    self._factor = factor
    height, width = (-(-x // factor) for x in self._shape)
    channels = 3 if header.colour else 1
    # Sums of whole numbers are exact.
    kind = self._dtype if factor == 1 else np.uint64
    self._out = np.zeros((height, width, channels), kind)

  def add(self, pixels, y: int, dy: int, x: int, dx: int) -> None:
    """Adds (n, w, c) pixels, the first at (y, x), `dy` and `dx` apart."""
    n, w, _ = pixels.shape
    if self._factor == 1:
      self._out[y : y + n * dy : dy, x : x + w * dx : dx] = pixels
      return
    columns = (x + dx * np.arange(w)) // self._factor
    rows = (y + dy * np.arange(n)) // self._factor
    columns, first = np.unique(columns, return_index=True)
    sums = np.add.reduceat(pixels, first, axis=1, dtype=np.uint64)
    rows, first = np.unique(rows, return_index=True)
    sums = np.add.reduceat(sums, first, axis=0)
    self._out[np.ix_(rows, columns)] += sums

  def result(self) -> np.ndarray:
    if self._factor == 1:
      return self._out
    counts = [
      np.minimum(
        self._factor, n - self._factor * np.arange(-(-n // self._factor))
      )
      for n in self._shape
    ]
    count = np.outer(*counts).astype(np.uint64)[:, :, None]
    return ((self._out + count // 2) // count).astype(self._dtype)
