"""Tests of fusion_jax.data.png."""

import io
import struct
import zlib
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from fusion_jax.data import png
from tests.data import folders


def _decode(raw: bytes, factor: int = 1) -> np.ndarray:
  return png.decode(io.BytesIO(raw), factor)


def _chunks(raw: bytes):
  at = 8
  while at < len(raw):
    (length,) = struct.unpack('>I', raw[at : at + 4])
    yield raw[at + 4 : at + 8], raw[at + 8 : at + 8 + length]
    at += 12 + length


def _joined(chunks) -> bytes:
  out = b'\x89PNG\r\n\x1a\n'
  for name, data in chunks:
    check = struct.pack('>I', zlib.crc32(name + data))
    out += struct.pack('>I', len(data)) + name + data + check
  return out


def _interlaced(raw: bytes) -> bytes:
  """The same image in Adam7 order, of whole bytes a pixel, unfiltered."""
  header = png.read_header(io.BytesIO(raw))
  step = header.depth * header.channels // 8
  data = b''.join(x for name, x in _chunks(raw) if name == b'IDAT')
  rows = np.frombuffer(zlib.decompress(data), np.uint8)
  rows = rows.reshape(header.height, -1)[:, 1:]
  pixels = rows.reshape(header.height, header.width, step)
  out = b''
  for x, y, dx, dy in png._PASSES[1]:
    part = pixels[y::dy, x::dx]
    if part.size:
      out += b''.join(b'\0' + row.tobytes() for row in part)
  return _joined(
    (name, {b'IHDR': x[:-1] + b'\1', b'IDAT': zlib.compress(out)}.get(name, x))
    for name, x in _chunks(raw)
  )


def _saved(image: Image.Image, **options) -> bytes:
  out = io.BytesIO()
  image.save(out, 'PNG', **options)
  return out.getvalue()


def _smooth(h, w, c, top=255):
  """Pixels that make encoders choose all kinds of filters."""
  rng = np.random.default_rng(0)
  y, x = np.mgrid[:h, :w]
  waves = [np.sin(x / (5 + i)) * np.cos(y / (7 + 2 * i)) for i in range(c)]
  values = np.stack(waves, 2) * 0.4 + 0.5
  values[:, w // 2 :] += rng.normal(0, 0.03, (h, w - w // 2, c))
  return np.rint(np.clip(values, 0, 1) * top)


class DecodeTest(parameterized.TestCase):
  @parameterized.product(
    mode=('1', 'L', 'P', 'LA', 'RGB', 'RGBA'), band=(1, 300, 2**22)
  )
  def test_as_pillow_does(self, mode, band):
    image = Image.fromarray(_smooth(41, 37, 3).astype(np.uint8)).convert(mode)
    if mode in ('LA', 'RGBA'):
      image.putalpha(Image.fromarray(_smooth(41, 37, 1)[:, :, 0].astype('u1')))
    flat = image.convert('RGBA')
    black = Image.new('RGBA', flat.size, (0, 0, 0, 255))
    grey = mode in ('1', 'L', 'LA')
    expected = Image.alpha_composite(black, flat).convert(
      'L' if grey else 'RGB'
    )
    expected = np.asarray(expected).reshape(41, 37, -1).astype(int)
    with mock.patch.object(png, '_BAND', band):
      found = _decode(_saved(image)).astype(int)
    # Pillow rounds blended values in another way.
    self.assertLessEqual(
      np.abs(found - expected).max(), 1 if mode in ('LA', 'RGBA') else 0
    )

  @parameterized.parameters(1, 2, 4)
  def test_few_bits(self, bits):
    codes = np.arange(7 * 5).reshape(5, 7) % 2**bits
    image = Image.fromarray(codes.astype(np.uint8)).convert('P')
    image.putpalette([3 * i for i in range(48)])
    found = _decode(_saved(image, bits=bits))
    np.testing.assert_array_equal(
      found, np.stack([9 * codes + 3 * i for i in range(3)], 2)
    )
    header = struct.pack('>IIBBBBB', 7, 5, bits, 0, 0, 0, 0)
    grey = [
      (name, header if name == b'IHDR' else x)
      for name, x in _chunks(_saved(image, bits=bits))
      if name != b'PLTE'
    ]
    found = _decode(_joined(grey))[:, :, 0]
    np.testing.assert_array_equal(found, codes * (255 // (2**bits - 1)))

  @parameterized.product(channels=(1, 2, 3, 4), band=(1, 200, 2**22))
  def test_sixteen_bits(self, channels, band):
    pixels = _smooth(23, 19, channels, 65535).astype(np.uint16)
    with mock.patch.object(png, '_BAND', band):
      found = _decode(folders.png16(pixels))
    if channels in (2, 4):
      alpha = pixels[:, :, -1:] / 65535
      pixels = np.rint(pixels[:, :, :-1] * alpha)
    np.testing.assert_array_equal(found, pixels)

  @parameterized.product(channels=(1, 2, 3, 4), factor=(1, 2, 3))
  def test_interlaced(self, channels, factor):
    pixels = _smooth(21, 18, channels, 65535).astype(np.uint16)
    raw = folders.png16(pixels)
    np.testing.assert_array_equal(
      _decode(_interlaced(raw), factor), _decode(raw, factor)
    )

  @parameterized.parameters((1, 1), (3, 2), (9, 17))
  def test_interlaced_small(self, h, w):
    raw = folders.png16(_smooth(h, w, 3, 65535).astype(np.uint16))
    np.testing.assert_array_equal(_decode(_interlaced(raw)), _decode(raw))

  @parameterized.product(factor=(2, 5, 100), band=(1, 400, 2**22))
  def test_means_of_squares(self, factor, band):
    pixels = _smooth(23, 19, 3, 65535).astype(np.uint16)
    with mock.patch.object(png, '_BAND', band):
      found = _decode(folders.png16(pixels), factor)
    for y in range(found.shape[0]):
      for x in range(found.shape[1]):
        part = pixels[y * factor :, x * factor :][:factor, :factor]
        expected = part.reshape(-1, 3).mean(0)
        self.assertLessEqual(np.abs(found[y, x] - expected).max(), 0.5)

  def test_a_transparent_value(self):
    pixels = np.arange(6, dtype=np.uint16).reshape(2, 3, 1)
    chunks = list(_chunks(folders.png16(pixels)))
    chunks.insert(1, (b'tRNS', b'\0\4'))
    found = _decode(_joined(chunks))[:, :, 0]
    np.testing.assert_array_equal(found, [[0, 1, 2], [3, 0, 5]])

  def test_image_data_in_many_chunks(self):
    pixels = _smooth(23, 19, 3, 65535).astype(np.uint16)
    chunks = []
    for name, data in _chunks(folders.png16(pixels)):
      parts = range(0, len(data), 10) if name == b'IDAT' else [0]
      chunks += [
        (name, data[x : x + 10 if len(parts) > 1 else None]) for x in parts
      ]
    np.testing.assert_array_equal(_decode(_joined(chunks)), pixels)

  def test_damage_is_an_error(self):
    raw = _saved(Image.fromarray(_smooth(31, 30, 3).astype(np.uint8)))
    expected = _decode(raw)
    bad = (OSError, SyntaxError, ValueError, zlib.error)
    silent = 0
    for at in range(len(raw)):
      with self.assertRaises(bad, msg=at):
        if at < len(raw) - 12:
          _decode(raw[:at])
        else:
          raise OSError('only the end is missing')
      damaged = raw[:at] + bytes([raw[at] ^ 8]) + raw[at + 1 :]
      try:
        np.testing.assert_array_equal(_decode(damaged), expected)
        silent += 1
      except bad:
        pass
    self.assertLessEqual(silent, 12)  # The last chunk.

  @parameterized.parameters(
    (16, 3, 0), (8, 1, 0), (5, 0, 0), (8, 2, 2), (0, 0, 0)
  )
  def test_a_header_that_is_none(self, depth, kind, interlace):
    header = struct.pack('>IIBBBBB', 2, 2, depth, kind, 0, 0, interlace)
    with self.assertRaisesRegex(ValueError, 'values that PNG does not have'):
      _decode(_joined([(b'IHDR', header)]))


if __name__ == '__main__':
  absltest.main()
