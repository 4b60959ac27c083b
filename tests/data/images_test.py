"""Tests of fusion_jax.data.images."""

import errno
import io
import os
import pathlib
import stat
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from fusion_jax.core import errors
from fusion_jax.data import images
from tests.data import folders


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
    np.testing.assert_array_equal(images.decode(_bytes(image)), pixels)

  @parameterized.parameters(1, 3)
  def test_sixteen_bits_are_exact(self, channels):
    pixels = _gradient(5, 7, channels, np.uint16)
    decoded = images.decode(folders.png16(pixels))
    self.assertEqual(decoded.dtype, np.uint16)
    np.testing.assert_array_equal(decoded, pixels)

  @parameterized.parameters(2, 4)
  def test_sixteen_bits_with_alpha_are_blended_with_black(self, channels):
    pixels = _gradient(5, 7, channels, np.uint16)
    decoded = images.decode(folders.png16(pixels))
    alpha = pixels[:, :, -1:] / 65535
    np.testing.assert_array_equal(decoded, np.rint(pixels[:, :, :-1] * alpha))

  @parameterized.parameters('1', 'P', 'LA', 'RGBA', 'CMYK')
  def test_other_modes(self, mode):
    kind = 'JPEG' if mode == 'CMYK' else 'PNG'
    source = Image.fromarray(_gradient(4, 6, 3)).convert(mode)
    decoded = images.decode(_bytes(source, kind))
    self.assertEqual(decoded.shape, (4, 6, 1 if mode in ('1', 'LA') else 3))
    self.assertEqual(decoded.dtype, np.uint8)

  def test_transparent_pixels_are_black(self):
    source = Image.new('RGBA', (2, 2), (255, 255, 255, 0))
    self.assertEqual(images.decode(_bytes(source)).max(), 0)

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
    np.testing.assert_array_equal(images.decode(raw)[:, :, 0], upright)
    deep = Image.fromarray(stored.astype(np.uint16) * 257)
    decoded = images.decode(_bytes(deep, exif=exif))
    np.testing.assert_array_equal(decoded[:, :, 0] // 257, upright)


class FitSquareTest(parameterized.TestCase):
  @parameterized.parameters(np.uint8, np.uint16)
  def test_aspect_is_kept_and_zeros_fill_up(self, dtype):
    pixels = np.full((10, 40, 3), np.iinfo(dtype).max, dtype)
    out = images.fit_square(pixels, 8)
    self.assertEqual((out.shape, out.dtype), ((8, 8, 3), dtype))
    self.assertEqual(out[3:5].min(), np.iinfo(dtype).max)
    self.assertEqual(out[:3].max(), 0)
    self.assertEqual(out[5:].max(), 0)

  def test_sixteen_bits_are_not_crushed_to_eight(self):
    pixels = np.full((16, 16, 1), 1003, np.uint16)
    self.assertTrue((images.fit_square(pixels, 4) == 1003).all())

  def test_shrinking_averages(self):
    pixels = np.indices((32, 32)).sum(0)[:, :, None] % 2 * np.uint8(255)
    out = images.fit_square(pixels.astype(np.uint8), 8)
    self.assertLess(np.abs(out.astype(int) - 127.5).max(), 40)

  def test_a_line_of_pixels(self):
    out = images.fit_square(np.full((1, 500, 1), 9, np.uint8), 4)
    self.assertEqual(out.shape, (4, 4, 1))


class LoadTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir('data').full_path)
    self.cache = self.create_tempdir('cache').full_path

  def _put(self, name, pixels, **options):
    squeezed = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(squeezed).save(self.root / name, **options)
    return name

  def _load(self, paths, **options):
    return images.load(self.root, paths, cache_dir=self.cache, **options)

  def _left(self):
    return sorted(os.listdir(pathlib.Path(self.cache) / 'images'))

  def test_several_a_study_and_none(self):
    a = self._put('a.png', np.full((4, 4, 3), 7, np.uint8))
    b = self._put('b.png', np.full((4, 4, 3), 9, np.uint8))
    d = self._load([[a, b], [], [b]])
    self.assertEqual(d.mask.tolist(), [[1, 1], [0, 0], [1, 0]])
    self.assertEqual(d.images[:, :, 0, 0, 0].tolist(), [[7, 9], [0, 0], [9, 0]])
    self.assertEqual(d.images.shape, (3, 2, 4, 4, 3))
    self.assertFalse(d.images.flags.writeable)
    self.assertEqual(d.hashes[0][1], d.hashes[2][0])
    self.assertEqual(stat.S_IMODE(d.path.stat().st_mode), 0o600)

  def test_mixed_depth_and_colour(self):
    grey = self._put('g.png', np.full((4, 4, 1), 255, np.uint8))
    deep = folders.png16(np.full((4, 4, 1), 300, np.uint16))
    (self.root / 'd.png').write_bytes(deep)
    rgb = self._put('c.jpg', np.full((4, 4, 3), 128, np.uint8))
    d = self._load([[grey], ['d.png'], [rgb]])
    self.assertEqual(d.images.dtype, np.uint16)
    self.assertEqual(d.images.shape[-1], 3)
    self.assertTrue((d.images[0] == 65535).all())
    self.assertTrue((d.images[1] == 300).all())
    self.assertLess(np.abs(d.images[2].astype(int) - 128 * 257).max(), 600)

  def test_all_grey_stays_one_channel(self):
    name = self._put('g.png', np.full((4, 4, 1), 255, np.uint8))
    self.assertEqual(self._load([[name]]).images.shape, (1, 1, 4, 4, 1))

  @parameterized.parameters((0, 64), (16, 16), (128, 128))
  def test_size(self, asked, side):
    name = self._put('a.jpg', _gradient(100, 90, 3))
    self.assertEqual(self._load([[name]], size=asked).images.shape[2], side)

  def test_second_load_reads_the_cache(self):
    name = self._put('a.png', _gradient(6, 6, 3))
    first = self._load([[name]])
    with mock.patch.object(images, 'decode', side_effect=AssertionError):
      second = self._load([[name]])
    self.assertFalse(first.was_cached)
    self.assertTrue(second.was_cached)
    np.testing.assert_array_equal(first.images, second.images)
    self.assertIsInstance(second.images, np.memmap)
    self.assertEqual(os.listdir(self.root), ['a.png'])

  def test_the_key_is_the_content(self):
    name = self._put('a.png', _gradient(6, 6, 3))
    first = self._load([[name]])
    os.rename(self.root / 'a.png', self.root / 'b.png')
    self.assertTrue(self._load([['b.png']]).was_cached)
    self._put('b.png', 255 - _gradient(6, 6, 3))
    changed = self._load([['b.png']])
    self.assertNotEqual(first.digest, changed.digest)
    self.assertFalse((first.images == changed.images).all())

  def test_a_damaged_cache_is_made_again(self):
    name = self._put('a.png', _gradient(6, 6, 3))
    first = self._load([[name]])
    expected = np.array(first.images)
    first.path.write_bytes(first.path.read_bytes()[:150])
    again = self._load([[name]])
    self.assertFalse(again.was_cached)
    np.testing.assert_array_equal(again.images, expected)

  def test_every_unreadable_file_is_listed_with_its_row(self):
    good = self._put('a.png', _gradient(30, 30, 3))
    raw = (self.root / 'a.png').read_bytes()
    (self.root / 'cut.png').write_bytes(raw[: len(raw) // 2])
    self._put('b.jpg', _gradient(90, 90, 3))
    raw = (self.root / 'b.jpg').read_bytes()
    (self.root / 'cut.jpg').write_bytes(raw[: len(raw) // 2])
    (self.root / 'empty.png').write_bytes(b'')
    (self.root / 'text.png').write_text('not an image')
    deep = folders.png16(_gradient(9, 9, 3, np.uint16))
    (self.root / 'deep.png').write_bytes(deep[:60])
    bad = ['cut.png', 'cut.jpg', 'empty.png', 'text.png', 'deep.png', 'no.png']
    paths = [[good], *([x] for x in bad)]
    places = [[f't.csv line {i}'] for i in range(len(paths))]
    with self.assertRaises(images.UnreadableError) as caught:
      self._load(paths, places=places)
    self.assertEqual([x.file for x in caught.exception.problems], bad)
    lines = caught.exception.lines
    self.assertIn('cut.png: truncated', lines[0])
    self.assertIn('(named on t.csv line 1)', lines[0])
    self.assertIn('truncated', lines[1])
    self.assertIn('the file is empty', lines[2])
    self.assertIn('neither PNG nor JPEG', lines[3])
    self.assertIn('no such image', lines[5])
    self.assertEqual(self._left(), [])

  def test_damaged_exif_is_no_fault(self):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = _gradient(6, 6, 3)
    raw = bytearray(_bytes(Image.fromarray(pixels), 'JPEG', exif=exif))
    at = raw.index(b'Exif') + 14
    raw[at : at + 2] = b'\xff\xff'  # More entries than there are.
    (self.root / 'a.jpg').write_bytes(raw)
    self.assertEqual(self._load([['a.jpg']]).images.shape, (1, 1, 6, 6, 3))

  def test_all_files_bad(self):
    (self.root / 'a.png').write_bytes(b'x')
    with self.assertRaises(images.UnreadableError):
      self._load([['a.png']])

  def test_full_disk_is_one_line_and_leaves_nothing(self):
    name = self._put('a.png', _gradient(6, 6, 3))
    full = OSError(errno.ENOSPC, 'No space left on device')
    with mock.patch.object(images.os, 'fsync', side_effect=full):
      with self.assertRaises(errors.UserError) as caught:
        self._load([[name]])
    self.assertIn('the disk is full', str(caught.exception))
    self.assertNotIn('\n', str(caught.exception))
    self.assertEqual(self._left(), [])

  def test_unwritable_cache_is_one_line(self):
    name = self._put('a.png', _gradient(6, 6, 3))
    (self.root / 'file').write_text('')
    with self.assertRaisesRegex(errors.UserError, 'set cohort.cache_dir'):
      images.load(self.root, [[name]], cache_dir=str(self.root / 'file'))

  def test_progress_reaches_the_end(self):
    name = self._put('a.png', _gradient(6, 6, 3))
    seen = []
    self._load([[name]] * 3, on_progress=lambda *x: seen.append(x))
    self.assertEqual(seen[-1], (3, 3))

  def test_cache_folder(self):
    with mock.patch.dict(os.environ, {'XDG_CACHE_HOME': '/somewhere'}):
      expected = pathlib.Path('/somewhere/fusion_jax')
      self.assertEqual(images.cache_folder(), expected)
    self.assertEqual(images.cache_folder('/x'), pathlib.Path('/x'))


if __name__ == '__main__':
  absltest.main()
