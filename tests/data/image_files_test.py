"""Tests of fusion_jax.data.image_files."""

import io

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from fusion_jax.data import image_files
from tests.data import folders


def decode(raw: bytes, side: int = 0) -> np.ndarray:
  return image_files.decode(io.BytesIO(raw), side=side)


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


if __name__ == '__main__':
  absltest.main()
