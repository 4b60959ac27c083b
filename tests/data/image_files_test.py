"""Tests of fusion_jax.data.image_files."""

import io
import struct
import zlib
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from fusion_jax.data import image_files
from tests.data import folders


def decode(raw: bytes, side: int = 0) -> np.ndarray:
  file = io.BytesIO(raw)
  return image_files.decode(file, image_files.read_header(file), side=side)


def _bytes(image: Image.Image, kind='PNG', **options) -> bytes:
  out = io.BytesIO()
  image.save(out, kind, **options)
  return out.getvalue()


def _gradient(h, w, c, dtype=np.uint8):
  top = np.iinfo(dtype).max
  values = np.linspace(0, top, h * w * c).reshape(h, w, c)
  return np.rint(values).astype(dtype)


class DecodeTest(parameterized.TestCase):
  @parameterized.parameters('L', 'RGB')
  def test_png_is_exact(self, mode):
    pixels = _gradient(5, 7, len(mode))
    image = Image.fromarray(pixels[:, :, 0] if mode == 'L' else pixels)
    np.testing.assert_array_equal(decode(_bytes(image)), pixels)

  @parameterized.parameters(1, 3)
  def test_sixteen_bits_are_exact(self, channels):
    pixels = _gradient(5, 7, channels, np.uint16)
    decoded = decode(folders.png16(pixels))
    self.assertEqual(decoded.dtype, np.uint16)
    np.testing.assert_array_equal(decoded, pixels)

  @parameterized.parameters(2, 4)
  def test_sixteen_bits_with_alpha_are_blended_with_black(self, channels):
    pixels = _gradient(5, 7, channels, np.uint16)
    decoded = decode(folders.png16(pixels))
    alpha = pixels[:, :, -1:] / 65535
    np.testing.assert_array_equal(decoded, np.rint(pixels[:, :, :-1] * alpha))

  @parameterized.parameters('1', 'P', 'LA', 'RGBA', 'CMYK')
  def test_other_modes(self, mode):
    kind = 'JPEG' if mode == 'CMYK' else 'PNG'
    source = Image.fromarray(_gradient(4, 6, 3)).convert(mode)
    decoded = decode(_bytes(source, kind))
    self.assertEqual(decoded.shape, (4, 6, 1 if mode in ('1', 'LA') else 3))
    self.assertEqual(decoded.dtype, np.uint8)

  def test_transparent_pixels_are_black(self):
    source = Image.new('RGBA', (2, 2), (255, 255, 255, 0))
    self.assertEqual(decode(_bytes(source)).max(), 0)

  @parameterized.parameters(*range(1, 9))
  def test_exif_orientation_is_honoured_at_both_depths(self, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = _gradient(4, 6, 1)[:, :, 0]
    # What a camera turned that way stores.
    turn = {
      1: lambda x: x,
      2: np.fliplr,
      3: lambda x: np.rot90(x, 2),
      4: np.flipud,
      5: np.transpose,
      6: lambda x: np.rot90(x, 1),
      7: lambda x: np.rot90(x, 2).T,
      8: lambda x: np.rot90(x, -1),
    }[orientation]
    stored = np.ascontiguousarray(turn(upright))
    raw = _bytes(Image.fromarray(stored), exif=exif)
    np.testing.assert_array_equal(decode(raw)[:, :, 0], upright)
    deep = Image.fromarray(stored.astype(np.uint16) * 257)
    decoded = decode(_bytes(deep, exif=exif))
    np.testing.assert_array_equal(decoded[:, :, 0] // 257, upright)


def tiff16(pixels, *, order='<', extra=(), photometric=2, planar=1) -> bytes:
  """An uncompressed 16-bit TIFF of (h, w, c) uint16; Pillow writes none."""
  h, w, c = pixels.shape
  data = pixels.astype(order + 'u2').tobytes()
  entries = [
    (256, 3, [w]),
    (257, 3, [h]),
    (258, 3, [16] * c),
    (259, 3, [1]),
    (262, 3, [photometric]),
    (273, 4, [0]),
    (277, 3, [c]),
    (278, 3, [h]),
    (279, 4, [len(data)]),
    (284, 3, [planar]),
  ]
  if extra:
    entries.append((338, 3, list(extra)))
  start = 8 + 2 + 12 * len(entries) + 4
  bits = struct.pack(f'{order}{c}H', *[16] * c)
  head = struct.pack(f'{order}2sHI', {'<': b'II', '>': b'MM'}[order], 42, 8)
  body = struct.pack(f'{order}H', len(entries))
  for tag, kind, values in entries:
    if tag == 258 and c > 2:
      values, field = [], struct.pack(f'{order}I', start)
    elif tag == 273:
      field = struct.pack(f'{order}I', start + len(bits))
    else:
      field = struct.pack(
        f'{order}{len(values)}{"HI"[kind == 4]}', *values
      ).ljust(4, b'\0')
    count = c if tag == 258 else len(values) or 1
    body += struct.pack(f'{order}HHI', tag, kind, count) + field
  return head + body + struct.pack(f'{order}I', 0) + bits + data


class FormatsTest(parameterized.TestCase):
  """TIFF, BMP and WebP beside PNG and JPEG."""

  @parameterized.product(
    kind=('TIFF', 'BMP', 'WEBP'), mode=('L', 'RGB', 'P', '1')
  )
  def test_eight_bits_are_exact(self, kind, mode):
    image = Image.fromarray(_gradient(5, 7, 3)).convert(mode)
    expected = np.asarray(image.convert('L' if mode in 'L1' else 'RGB'))
    options = {'lossless': True} if kind == 'WEBP' else {}
    if kind == 'WEBP':
      image = image.convert('RGB')
      expected = np.asarray(image)
    found = decode(_bytes(image, kind, **options))
    self.assertEqual(found.dtype, np.uint8)
    np.testing.assert_array_equal(found.squeeze(), expected)
    if kind == 'BMP' and mode == 'L':
      self.assertEqual(found.shape, (5, 7, 1))

  @parameterized.parameters('tiff_lzw', 'tiff_adobe_deflate', 'packbits')
  def test_compressed_tiff(self, compression):
    pixels = _gradient(5, 7, 3)
    raw = _bytes(Image.fromarray(pixels), 'TIFF', compression=compression)
    np.testing.assert_array_equal(decode(raw), pixels)
    deep = _gradient(5, 7, 1, np.uint16)
    image = Image.fromarray(deep[:, :, 0])
    raw = _bytes(image, 'TIFF', compression=compression)
    np.testing.assert_array_equal(decode(raw), deep)

  @parameterized.parameters('TIFF', 'WEBP')
  def test_transparent_pixels_are_black(self, kind):
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[:2, :, 3] = 0
    pixels[2:, :, 3] = 255
    options = {'lossless': True, 'exact': True} if kind == 'WEBP' else {}
    found = decode(_bytes(Image.fromarray(pixels), kind, **options))
    np.testing.assert_array_equal(found[:2], 0)
    np.testing.assert_array_equal(found[2:], 200)

  @parameterized.product(order=('<', '>'), channels=(3, 4))
  def test_sixteen_bit_tiff(self, order, channels):
    pixels = _gradient(5, 7, channels, np.uint16)
    extra = (2,) if channels == 4 else ()
    found = decode(tiff16(pixels, order=order, extra=extra))
    self.assertEqual(found.dtype, np.uint16)
    if channels == 4:
      alpha = pixels[:, :, 3:] / 65535
      pixels = np.rint(pixels[:, :, :3] * alpha)
    np.testing.assert_array_equal(found, pixels)

  @parameterized.product(order=('<', '>'), photometric=(0, 1))
  def test_sixteen_bit_grey_tiff(self, order, photometric):
    pixels = _gradient(5, 7, 1, np.uint16)
    raw = tiff16(pixels, order=order, photometric=photometric)
    if (order, photometric) == ('>', 0):
      with self.assertRaisesRegex(SyntaxError, 'unknown pixel mode'):
        decode(raw)
      return
    expected = pixels if photometric else 65535 - pixels
    np.testing.assert_array_equal(decode(raw), expected)

  @parameterized.parameters(*range(1, 9))
  def test_orientation_of_tiff(self, orientation):
    upright = _gradient(4, 6, 1)[:, :, 0]
    exif = Image.Exif()
    exif[0x0112] = orientation
    raw = _bytes(Image.fromarray(upright), exif=exif)
    expected = decode(raw)[:, :, 0]
    raw = _bytes(Image.fromarray(upright), 'TIFF', tiffinfo={274: orientation})
    np.testing.assert_array_equal(decode(raw)[:, :, 0], expected)
    deep = Image.fromarray(upright.astype(np.uint16) * 257)
    raw = _bytes(deep, 'TIFF', tiffinfo={274: orientation})
    np.testing.assert_array_equal(decode(raw)[:, :, 0] // 257, expected)

  @parameterized.parameters('TIFF', 'WEBP')
  def test_several_pages(self, kind):
    pages = [Image.fromarray(_gradient(5, 7, 3) // x) for x in (1, 2)]
    raw = _bytes(pages[0], kind, save_all=True, append_images=pages[1:])
    with self.assertRaisesRegex(image_files.NotReadError, 'several pages'):
      decode(raw)

  def test_the_first_picture_of_a_phone_counts(self):
    pixels = np.full((16, 24, 3), 90, np.uint8)
    image, small = Image.fromarray(pixels), Image.new('RGB', (8, 8))
    raw = _bytes(image, 'MPO', save_all=True, append_images=[small])
    np.testing.assert_allclose(decode(raw), pixels, atol=1)

  @parameterized.parameters('I', 'F')
  def test_samples_that_are_not_read(self, mode):
    image = Image.fromarray(_gradient(5, 7, 1)[:, :, 0]).convert(mode)
    with self.assertRaisesRegex(image_files.NotReadError, '32 bits or a sign'):
      decode(_bytes(image, 'TIFF'))

  def test_premultiplied_sixteen_bits(self):
    raw = tiff16(_gradient(5, 7, 4, np.uint16), extra=(1,))
    with self.assertRaisesRegex(image_files.NotReadError, 'premultiplied'):
      decode(raw)

  @parameterized.parameters(
    (b'GIF89a', 'GIF'),
    (bytes(128) + b'DICM', 'DICOM'),
    (b'\0\0\0\x18ftypheic', 'HEIC'),
    (b'\x1f\x8b\x08', 'gzip'),
    (b'<!DOCTYPE html>', 'HTML or XML'),
    (b'version https://git-lfs.github.com/spec/v1', 'Git LFS pointer'),
  )
  def test_other_kinds_are_named(self, raw, name):
    with self.assertRaises(image_files.FormatError) as caught:
      decode(raw)
    self.assertEqual(caught.exception.name, name)
    self.assertIn(f'is a {name} file; legal are PNG', str(caught.exception))


class LargeTest(parameterized.TestCase):
  def test_limits_are_named(self):
    header = struct.pack('>IIBBBBB', 20000, 20000, 8, 2, 0, 0, 0)
    check = struct.pack('>I', zlib.crc32(b'IHDR' + header))
    raw = b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR' + header + check
    with self.assertRaisesRegex(
      image_files.NotReadError,
      '20000 x 20000 pixels; PNG is read up to 300 million pixels',
    ):
      decode(raw)

  @parameterized.parameters('TIFF', 'BMP', 'WEBP', 'JPEG')
  def test_limits_of_other_kinds(self, kind):
    raw = _bytes(Image.new('RGB', (40, 30)), kind)
    name = {'WEBP': 'WebP'}.get(kind, kind)
    with mock.patch.dict(image_files._MOST, {name: 1000}):
      with self.assertRaisesRegex(
        image_files.NotReadError, f'40 x 30 pixels; {name} is read up to'
      ):
        decode(raw)

  def test_sides(self):
    raw = _bytes(Image.new('1', (1_000_001, 1)))
    with self.assertRaisesRegex(image_files.NotReadError, 'sides are read up'):
      decode(raw)

  @parameterized.parameters('L', 'RGB', 'RGBA', 'P')
  def test_a_large_png_is_read_at_a_fraction_of_its_size(self, mode):
    y, x = np.mgrid[:120, :90]
    pixels = np.stack([y * 2, x * 2, (x + y)], 2).astype(np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    whole = decode(_bytes(image))
    with mock.patch.object(image_files, '_SMALL', 1000):
      found = decode(_bytes(image), side=20)
    self.assertEqual(found.shape[:2], (40, 30))
    means = whole.reshape(40, 3, 30, 3, -1).mean((1, 3))
    self.assertLessEqual(np.abs(found - means).max(), 1.0)

  @parameterized.parameters(*range(1, 9))
  def test_orientation(self, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    raw = _bytes(Image.fromarray(_gradient(40, 60, 3)), exif=exif)
    expected = decode(raw)
    with mock.patch.object(image_files, '_SMALL', 1000):
      np.testing.assert_array_equal(decode(raw), expected)


if __name__ == '__main__':
  absltest.main()
