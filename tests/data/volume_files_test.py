"""Tests of fusion_jax.data.volume_files."""

import errno
import os
import pathlib
import stat
import sys
from unittest import mock

import nibabel
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import array_files, images, volume_files, volume_formats
from tests.data import volume_folders

KITS = (
  pathlib.Path(__file__).resolve().parents[3] / 'shared/data/kits19_volumes'
)


def _values(shape=(3, 4, 5), dtype=np.int16, seed=0):
  x = np.random.default_rng(seed).integers(0, 100, shape)
  return x.astype(dtype)


class LoadTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir('data').full_path)
    self.cache = pathlib.Path(self.create_tempdir('cache').full_path)

  def _put(self, name, values):
    if name.endswith('.npz'):
      np.savez_compressed(self.root / name, volume=values)
    elif '.nii' in name:
      volume_folders.put_nifti(self.root / name, values)
    elif name.endswith('.npy'):
      np.save(self.root / name, values)
    else:
      volume_folders.put_series(self.root / name, values)
    return name

  def _load(self, paths, **options):
    return volume_files.load(
      self.root, paths, cache_dir=str(self.cache), **options
    )

  def _left(self):
    return sorted(os.listdir(self.cache / 'volumes'))

  def _cached(self, d):
    return self.cache / 'volumes' / f'{d.digest}.npy'

  def _lines(self, paths, **options):
    with self.assertRaises(images.UnreadableError) as caught:
      self._load(paths, **options)
    return caught.exception.lines

  def test_some_studies_have_none(self):
    a, b = _values(), _values(seed=1)
    self._put('a.npy', a)
    self._put('b.npz', b)
    d = self._load(['a.npy', '', 'b.npz', 'a.npy'])
    self.assertEqual(d.mask.tolist(), [True, False, True, True])
    self.assertEqual(d.mask.dtype, bool)
    self.assertEqual(
      (d.volumes.shape, d.volumes.dtype), ((4, 3, 4, 5, 1), 'i2')
    )
    np.testing.assert_array_equal(
      d.volumes[..., 0], np.stack([a, np.zeros_like(a), b, a])
    )
    self.assertIsInstance(d.volumes, np.memmap)
    self.assertFalse(d.volumes.flags.writeable)
    self.assertEqual(d.spacing, ())
    self.assertEqual(stat.S_IMODE(self._cached(d).stat().st_mode), 0o600)
    self.assertEqual(sorted(os.listdir(self.root)), ['a.npy', 'b.npz'])

  def test_every_format(self):
    x = _values((4, 3, 5))
    # Patients' axes go to the top, the front and the right.
    self._put('a.npy', x)
    self._put('b.npz', x)
    self._put('c.nii', x.T)
    self._put('d.nii.gz', x.T)
    self._put('e', x[:, ::-1, ::-1])
    d = self._load(['a.npy', 'b.npz', 'c.nii', 'd.nii.gz', 'e'])
    for found in d.volumes:
      np.testing.assert_array_equal(found[..., 0], x)
    self.assertEqual(d.spacing, ())

  @parameterized.parameters(
    (['u1', 'u1'], 'u1'),
    (['i1', 'i1'], 'i1'),
    (['u2', 'u2'], 'u2'),
    (['>i2', 'i2'], 'i2'),
    (['i4', 'f8'], 'i2'),
    (['u1', 'i2'], 'f4'),
    (['f4', 'i2'], 'f4'),
  )
  def test_one_type_for_all(self, dtypes, expected):
    paths = [
      self._put(f'{i}.npy', _values(dtype=x, seed=i))
      for i, x in enumerate(dtypes)
    ]
    d = self._load(paths)
    self.assertEqual(d.volumes.dtype, np.dtype(expected))
    for i in range(len(paths)):
      np.testing.assert_array_equal(d.volumes[i, ..., 0], _values(seed=i))

  def test_spacing(self):
    for name, spacing in (('a', (1, 2, 3)), ('b', (1, 2, 3.0001))):
      volume_folders.put_nifti(
        self.root / f'{name}.nii', _values(), spacing=spacing
      )
    volume_folders.put_nifti(self.root / 'c.nii', _values(), spacing=(1, 2, 4))
    self._put('d.npy', _values((5, 4, 3)))
    for _ in range(2):
      d = self._load(['a.nii', '', 'b.nii'])
      self.assertEqual(d.spacing, (3.0, 2.0, 1.0))
    self.assertTrue(d.was_cached)
    for other in ('c.nii', 'd.npy'):
      for _ in range(2):
        self.assertEqual(self._load(['a.nii', other]).spacing, ())

  def test_spacing_follows_the_grid(self):
    volume_folders.put_nifti(
      self.root / 'a.nii', _values((4, 6, 8)), spacing=(1, 2, 3)
    )
    d = self._load(['a.nii'], size=2)
    self.assertEqual(d.spacing, (12.0, 6.0, 2.0))

  def test_resampled_to_one_cube(self):
    a = _values((8, 12, 4)).astype(np.float32)
    b = _values((6, 5, 7), seed=1).astype(np.float32)
    d = self._load([self._put('a.npy', a), self._put('b.npy', b)], size=4)
    self.assertEqual(d.volumes.shape, (2, 4, 4, 4, 1))
    np.testing.assert_allclose(
      d.volumes.mean((1, 2, 3, 4)), [a.mean(), b.mean()], rtol=1e-5
    )
    self.assertEqual(self._load(['a.npy'], size=6).volumes.shape[1:4], (6,) * 3)

  def test_several_shapes_need_a_size(self):
    self._put('a.npy', _values())
    self._put('b.npy', _values((3, 4, 6)))
    with self.assertRaisesRegex(
      errors.UserError,
      r"'a.npy' \(3, 4, 5, 1\) and 'b.npy' \(3, 4, 6, 1\); set size, such as",
    ):
      self._load(['a.npy', 'b.npy'])
    self.assertEqual(self._left(), [])
    self._put('c.npy', _values((3, 4, 6, 2)))
    with self.assertRaisesRegex(errors.UserError, 'same number of channels'):
      self._load(['a.npy', 'c.npy'], size=4)

  def test_channels_are_kept(self):
    x = _values((3, 4, 5, 2))
    d = self._load([self._put('a.npy', x)])
    np.testing.assert_array_equal(d.volumes[0], x)

  def test_classes(self):
    x = _values((4, 4, 4)) % 3
    name = self._put('a.npy', x)
    d = self._load([name, ''], classes=4)
    self.assertEqual(
      (d.volumes.shape, d.volumes.dtype), ((2, 4, 4, 4, 4), 'u1')
    )
    np.testing.assert_array_equal(d.volumes[0], 255 * np.eye(4)[x])
    self.assertEqual(d.volumes[1].max(), 0)
    small = self._load([name], classes=3, size=2)
    np.testing.assert_array_equal(
      small.volumes[0], 255 * np.eye(3)[x[1::2, 1::2, 1::2]]
    )

  def test_classes_of_any_type_are_alike(self):
    paths = [
      self._put(f'{x}.npy', (_values() % 3).astype(x)) for x in ('u1', 'f8')
    ]
    d = self._load(paths, classes=3)
    self.assertEqual(d.volumes.dtype, np.uint8)
    np.testing.assert_array_equal(d.volumes[0], d.volumes[1])

  def test_other_classes(self):
    x = _values() % 3
    self._put('a.npy', x)
    (line,) = self._lines(['a.npy'], classes=2)
    self.assertEqual(
      line,
      'a.npy: it holds the class 2; legal are whole numbers from 0 to 1.',
    )

  @parameterized.parameters(np.nan, np.inf, -np.inf)
  def test_values_that_are_none(self, value):
    x = _values().astype(np.float32)
    x[1, 2, 3] = value
    self._put('a.npy', x)
    (line,) = self._lines(['a.npy'])
    self.assertIn('a.npy: it holds NaN or infinity (1 of 60 values).', line)

  def test_second_load_reads_the_cache(self):
    name = self._put('a.nii.gz', _values())
    first = self._load([name])
    with mock.patch.object(volume_formats, 'read', side_effect=KeyError):
      second = self._load([name])
    self.assertEqual((first.was_cached, second.was_cached), (False, True))
    self.assertEqual(first.digest, second.digest)
    self.assertEqual(first.spacing, second.spacing)
    np.testing.assert_array_equal(first.volumes, second.volumes)
    self.assertLen(self._left(), 2)

  def test_the_key_is_what_determines_the_voxels(self):
    x = _values((4, 4, 4)) % 3
    self._put('a.npy', x)
    self._put('b.npy', x)
    self._put('c.npy', 2 - x)
    first = self._load(['a.npy'])
    self.assertTrue(self._load(['b.npy']).was_cached)
    digests = {
      first.digest,
      self._load(['c.npy']).digest,
      self._load(['a.npy', '']).digest,
      self._load(['', 'a.npy']).digest,
      self._load(['a.npy'], size=4).digest,
      self._load(['a.npy'], classes=3).digest,
      self._load(['a.npy'], classes=4).digest,
    }
    with mock.patch.object(volume_files, 'DECODING', 0):
      digests.add(self._load(['a.npy']).digest)
    self.assertLen(digests, 8)

  def test_the_names_of_slices_do_not_count(self):
    x = _values((4, 3, 5))
    volume_folders.put_series(self.root / 'a', x, seed=0)
    volume_folders.put_series(self.root / 'b', x, seed=1)
    first = self._load(['a'])
    self.assertTrue(self._load(['b']).was_cached)
    # The one on top may be absent without leaving a gap.
    slices = volume_folders.put_series(self.root / 'b', x, seed=1)
    slices[-1].unlink()
    self.assertNotEqual(first.digest, self._load(['b']).digest)

  @parameterized.named_parameters(
    ('cut', lambda raw: raw[:150]),
    ('empty', lambda raw: b''),
    ('one_bit', lambda raw: raw[:140] + bytes([raw[140] ^ 4]) + raw[141:]),
    ('longer', lambda raw: raw + b'\0'),
  )
  def test_a_damaged_cache_is_made_again(self, damage):
    name = self._put('a.nii', _values())
    first = self._load([name])
    expected = np.array(first.volumes)
    for path in (self.cache / 'volumes').iterdir():
      raw = path.read_bytes()
      path.write_bytes(damage(raw))
      with self.assertLogs(level='WARNING') as logs:
        again = self._load([name])
      self.assertLen(logs.output, 1)
      self.assertRegex(logs.output[0], "'.*npy' is damaged .* is made again")
      self.assertFalse(again.was_cached)
      np.testing.assert_array_equal(again.volumes, expected)
      self.assertEqual(again.spacing, first.spacing)
      self.assertEqual(path.read_bytes(), raw)
      self.assertTrue(self._load([name]).was_cached)

  def test_every_unreadable_volume_is_listed(self):
    self._put('a.npy', _values())
    raw = (self.root / 'a.npy').read_bytes()
    (self.root / 'cut.npy').write_bytes(raw[:-9])
    (self.root / 'x.mha').write_bytes(b'ObjectType')
    (self.root / 'empty').mkdir()
    np.save(self.root / 'nan.npy', np.full((2, 2, 2), np.nan))
    paths = ['a.npy', 'cut.npy', 'x.mha', 'empty', '', 'no.nii', 'nan.npy']
    with self.assertRaises(images.UnreadableError) as caught:
      self._load(paths, places=[f'line {i + 2}' for i in range(len(paths))])
    lines = caught.exception.lines
    self.assertLen(lines, 5)
    for name, place, reason in (
      ('cut.npy', 'line 3', 'damaged or unreadable volume: '),
      ('x.mha', 'line 4', 'no known kind'),
      ('empty', 'line 5', 'no DICOM slices'),
      ('no.nii', 'line 7', 'no such file or folder'),
      ('nan.npy', 'line 8', 'NaN or infinity'),
    ):
      (line,) = [x for x in lines if x.startswith(f'{name}: ')]
      self.assertIn(reason, line)
      self.assertIn(f'(named on {place}).', line)
    self.assertIn(
      f"5 of 6 volumes under '{self.root}' cannot be read",
      caught.exception.title,
    )
    self.assertEqual(self._left(), [])

  def test_many_alike_are_summed_up(self):
    paths = []
    for i in range(40):
      np.save(self.root / f'{i}.npy', np.full((2, 2, 2), np.nan))
      paths.append(f'{i}.npy')
    lines = self._lines(paths)
    self.assertLess(len(lines), 10)
    self.assertIn('more of these (it holds NaN or infinity)', lines[-1])

  def test_no_traceback_for_a_damaged_slice(self):
    self._put('ct', _values((3, 4, 5)))
    path = self.root / 'ct/001.dcm'
    raw = path.read_bytes()
    path.write_bytes(raw[:-20])
    (line,) = self._lines(['ct'])
    self.assertIn('ct: damaged or unreadable volume: ', line)
    path.write_bytes(raw[:140])
    self.assertLen(self._lines(['ct']), 1)

  @parameterized.parameters(
    ('a.nii', 'nibabel', 'volumes'), ('ct', 'pydicom', 'dicom')
  )
  def test_no_package(self, name, package, extra):
    self._put(name, _values())
    self._put('b.npy', _values())
    with mock.patch.dict(sys.modules, {package: None}):
      self._load(['b.npy'])
      with self.assertRaisesRegex(
        errors.MissingPackageError, rf"'{package}'.*fusion_jax\[{extra}\]"
      ):
        self._load(['b.npy', name])

  def test_a_full_disk(self):
    name = self._put('a.npy', _values())
    full = OSError(errno.ENOSPC, 'No space left on device')
    for where in ('write', 'add'):
      target = array_files if where == 'write' else volume_files._Scratch
      with mock.patch.object(target, where, side_effect=full):
        with self.assertRaisesRegex(
          errors.UserError, 'volumes.: no space left on device. Nothing was'
        ):
          self._load([name])
      self.assertEqual(self._left(), [])

  def test_a_cache_that_is_a_file(self):
    name = self._put('a.npy', _values())
    (self.cache / 'volumes').write_text('')
    with self.assertRaisesRegex(errors.UserError, 'Cannot keep decoded'):
      self._load([name])

  def test_what_the_system_lacks_is_no_fault_of_the_file(self):
    name = self._put('a.npy', _values())
    lack = OSError(errno.EMFILE, 'Too many open files')
    with mock.patch.object(volume_formats, 'read', side_effect=lack):
      with self.assertRaises(OSError):
        self._load([name])

  def test_one_volume_at_a_time_is_held(self):
    for i in range(4):
      self._put(f'{i}.npy', _values(seed=i))
    held = []
    read = volume_formats.read

    def counting(source):
      held.append(source.path.name)
      return read(source)

    with mock.patch.object(volume_formats, 'read', counting):
      self._load(['0.npy', '1.npy', '0.npy', '2.npy', '3.npy'])
    self.assertEqual(held, ['0.npy', '1.npy', '2.npy', '3.npy'])

  def test_nothing_to_read(self):
    for paths in ([], ['', '']):
      with self.assertRaisesRegex(errors.UserError, 'No volumes to read'):
        self._load(paths)

  @parameterized.parameters({'size': -1}, {'classes': -1})
  def test_arguments(self, **options):
    with self.assertRaisesRegex(errors.UserError, 'legal are whole numbers'):
      self._load(['a.npy'], **options)


class KitsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    if not KITS.is_dir():
      self.skipTest('no ../shared/data/kits19_volumes beside the checkout')
    self.cache = self.create_tempdir().full_path

  def _load(self, paths, **options):
    return volume_files.load(KITS, paths, cache_dir=self.cache, **options)

  def test_arrays(self):
    paths = [f'volumes/case_{i:05d}.npz' for i in range(6)]
    d = self._load(paths, classes=3)
    self.assertEqual(d.volumes.shape, (6, 40, 40, 40, 3))
    self.assertTrue((d.volumes.sum(-1, dtype=int) == 255).all())
    for i, path in enumerate(paths):
      with np.load(KITS / path) as file:
        tumour = file['volume'] == 2
      np.testing.assert_array_equal(d.volumes[i, ..., 2] == 255, tumour)

  def test_nifti(self):
    paths = ['nifti/case_00061.nii.gz', 'nifti/case_00110.nii.gz']
    d = self._load(paths, size=32, classes=3)
    self.assertEqual(d.volumes.shape, (2, 32, 32, 32, 3))
    self.assertEqual(d.spacing, ())
    for i, path in enumerate(paths):
      image = nibabel.load(KITS / path)
      # They are stored from top to bottom, front to back and right to left.
      self.assertEqual(nibabel.aff2axcodes(image.affine), ('I', 'P', 'L'))
      upright = np.asarray(image.dataobj)[::-1, ::-1, ::-1]
      share = (upright == 1).mean((1, 2))
      found = (d.volumes[i, ..., 1] == 255).mean((1, 2))
      old = (np.arange(len(share)) + 0.5) / len(share)
      new = (np.arange(32) + 0.5) / 32
      expected = np.interp(new, old, share)
      self.assertGreater(np.corrcoef(found, expected)[0, 1], 0.95)
    one = self._load(paths[:1])
    self.assertEqual(one.volumes.shape, (1, 29, 512, 512, 1))
    np.testing.assert_allclose(one.spacing, (5, 0.976562, 0.976562), rtol=1e-6)


if __name__ == '__main__':
  absltest.main()
