"""Tests of fusion_jax.data.images."""

import errno
import io
import os
import pathlib
import stat
import struct
import subprocess
import sys
import zlib
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image

from fusion_jax.core import errors
from fusion_jax.data import image_files, images
from tests.data import folders


def _bytes(image: Image.Image, kind='PNG', **options) -> bytes:
  out = io.BytesIO()
  image.save(out, kind, **options)
  return out.getvalue()


def _gradient(h, w, c, dtype=np.uint8):
  top = np.iinfo(dtype).max
  values = np.linspace(0, top, h * w * c).reshape(h, w, c)
  return np.rint(values).astype(dtype)


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
    with mock.patch.object(image_files, 'decode', side_effect=KeyError):
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

  @parameterized.named_parameters(
    ('cut', lambda raw: raw[:150]),
    ('empty', lambda raw: b''),
    ('half_zeros', lambda raw: raw[: len(raw) // 2].ljust(len(raw), b'\0')),
    ('one_bit', lambda raw: raw[:140] + bytes([raw[140] ^ 4]) + raw[141:]),
    ('longer', lambda raw: raw + b'\0'),
    ('without_sums', lambda raw: raw[:236]),
  )
  def test_a_damaged_cache_is_made_again(self, damage):
    name = self._put('a.png', 200 - _gradient(6, 6, 3) // 2)
    first = self._load([[name]])
    expected = np.array(first.images)
    raw = first.path.read_bytes()
    first.path.write_bytes(damage(raw))
    with self.assertLogs(level='WARNING') as logs:
      again = self._load([[name]])
    self.assertLen(logs.output, 1)
    self.assertRegex(logs.output[0], "'.*npy' is damaged .* and is made again")
    self.assertFalse(again.was_cached)
    np.testing.assert_array_equal(again.images, expected)
    self.assertEqual(first.path.read_bytes(), raw)
    self.assertTrue(self._load([[name]]).was_cached)

  def test_the_cache_of_other_images_is_not_taken(self):
    a = self._load([[self._put('a.png', _gradient(6, 6, 3))]])
    b = self._load([[self._put('b.png', 255 - _gradient(6, 6, 3))]])
    expected = np.array(b.images)
    b.path.write_bytes(a.path.read_bytes())
    with self.assertLogs(level='WARNING'):
      again = self._load([['b.png']])
    np.testing.assert_array_equal(again.images, expected)

  def test_one_line_for_all_files_of_a_kind(self):
    good = self._put('a.png', _gradient(6, 6, 3))
    paths = [[good]]
    for i in range(202):
      (self.root / f's{i}.dcm').write_bytes(bytes(128) + b'DICM')
      paths.append([f's{i}.dcm'])
    (self.root / 'x.gif').write_bytes(b'GIF89a')
    (self.root / 'empty.png').write_bytes(b'')
    with self.assertRaises(images.UnreadableError) as caught:
      self._load([*paths, ['x.gif'], ['empty.png']])
    self.assertLen(caught.exception.lines, 3)
    self.assertRegex(
      caught.exception.lines[0],
      "202 of 205 images are DICOM files .'s0.dcm', 's1.dcm', 's2.dcm', ....; "
      'legal are PNG, JPEG, TIFF, BMP and WebP: convert them to 8- or 16-bit',
    )
    self.assertIn('x.gif: the file is a GIF file', caught.exception.lines[1])
    self.assertIn('empty.png', caught.exception.lines[2])
    self.assertIn('204 of 205 images', caught.exception.title)

  @parameterized.parameters('pipe', 'folder', 'device')
  def test_only_regular_files_are_opened(self, kind):
    good = self._put('a.png', _gradient(6, 6, 3))
    path = self.root / 'b.png'
    {
      'pipe': lambda: os.mkfifo(path),
      'folder': path.mkdir,
      'device': lambda: os.symlink('/dev/zero', path),
    }[kind]()
    with self.assertRaises(images.UnreadableError) as caught:
      self._load([[good], ['b.png']])
    (line,) = caught.exception.lines
    self.assertRegex(line, f'b.png: .*b.png. is a .*{kind}; only regular')

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
    self.assertIn('the file is of no known kind; legal are PNG', lines[3])
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

  @parameterized.parameters(1, 2**20)
  def test_images_wait_for_room(self, room):
    paths = [
      [self._put(f'{i}.png', np.full((9, 9, 3), i, np.uint8))]
      for i in range(40)
    ]
    with (
      mock.patch.object(images, '_AT_ONCE', room),
      mock.patch.object(images, '_CHUNK_BYTES', 2000),
    ):
      found = self._load(paths).images
    np.testing.assert_array_equal(found[:, 0, 0, 0, 0], np.arange(40))

  def test_the_cache_is_for_the_user_only(self):
    path = self._load([[self._put('a.png', _gradient(6, 6, 3))]]).path
    self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

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


_PEAK = """
import sys
from fusion_jax.data import images
found = images.load(sys.argv[1], [['x.png']], cache_dir=sys.argv[2])
print(found.images.shape, found.images.dtype, int(found.images.max()))
print(*[x.split()[1] for x in open('/proc/self/status') if 'VmHWM' in x])
"""


@pytest.mark.slow
class MemoryTest(parameterized.TestCase):
  @parameterized.parameters((9000, 16, 6), (14142, 8, 2), (14142, 8, 3))
  def test_peak_of_large_images(self, side, depth, kind):
    root = pathlib.Path(self.create_tempdir().full_path)
    _write_large(root / 'x.png', side, depth, kind)
    ran = subprocess.run(
      [sys.executable, '-c', _PEAK, root, self.create_tempdir().full_path],
      capture_output=True,
      text=True,
      check=True,
      timeout=300,
    )
    shape, peak = ran.stdout.splitlines()
    self.assertStartsWith(shape, '(1, 1, 64, 64, 3) uint')
    self.assertLess(int(peak), 600 * 1024, 'KiB')  # 250 MiB when written.


def _write_large(path, side: int, depth: int, kind: int) -> None:
  """A PNG whose rows all hold the same noise, filtered by their left side."""

  def chunk(name, data):
    check = struct.pack('>I', zlib.crc32(name + data))
    file.write(struct.pack('>I', len(data)) + name + data + check)

  size = side * {2: 3, 3: 1, 6: 4}[kind] * depth // 8
  row = np.random.default_rng(0).integers(0, 3, size, np.uint8).tobytes()
  packer = zlib.compressobj(1)
  with open(path, 'wb') as file:
    file.write(b'\x89PNG\r\n\x1a\n')
    header = struct.pack('>IIBBBBB', side, side, depth, kind, 0, 0, 0)
    chunk(b'IHDR', header)
    if kind == 3:
      chunk(b'PLTE', bytes(range(256)) * 3)
    for _ in range(side):
      chunk(b'IDAT', packer.compress(b'\1' + row))
    chunk(b'IDAT', packer.flush())
    chunk(b'IEND', b'')


if __name__ == '__main__':
  absltest.main()
