"""Tests of fusion_jax.data.volume_formats."""

import gzip
import itertools
import os
import pathlib
import sys
from unittest import mock

import nibabel
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import image_files, volume_formats
from tests.data import volume_folders

CODES = [
  ''.join(x)
  for axes in itertools.permutations(('LR', 'PA', 'IS'))
  for x in itertools.product(*axes)
]


def _values(shape=(3, 4, 5), dtype=np.int16):
  x = np.arange(np.prod(shape)) % 120
  return x.reshape(shape).astype(dtype)


class VolumeFormatsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)

  def _read(self, name):
    return volume_formats.read(volume_formats.find(self.root, name))

  def _assert_refused(self, name, reason):
    with self.assertRaisesRegex(image_files.NotReadError, reason):
      self._read(name)

  def _put(self, name, raw):
    (self.root / name).write_bytes(raw)
    return name

  @parameterized.parameters(((3, 4, 5), 1), ((3, 4, 5, 2), 2))
  def test_numpy(self, shape, channels):
    x = _values(shape)
    np.save(self.root / 'a.npy', x)
    np.savez(self.root / 'b.npz', x)
    np.savez_compressed(self.root / 'c.npz', volume=x, other=np.zeros(9))
    with open(self.root / 'D.NPY', 'wb') as file:
      np.save(file, np.asfortranarray(x))
    for name in ('a.npy', 'b.npz', 'c.npz', 'D.NPY'):
      found, spacing = self._read(name)
      np.testing.assert_array_equal(found, x.reshape(3, 4, 5, channels))
      self.assertEqual(found.dtype, np.int16)
      self.assertTrue(np.isnan(spacing).all())

  def test_several_arrays(self):
    np.savez(self.root / 'a.npz', mask=_values(), ct=_values())
    self._assert_refused('a.npz', r"no array 'volume'.*it has: mask, ct\)")
    np.savez(self.root / 'b.npz')
    self._assert_refused('b.npz', r'it has: none\)')

  @parameterized.parameters('a.npy', 'a.npz')
  def test_pickles_are_not_opened(self, name):
    x = np.array([[[print]]], object)
    save = np.save if name.endswith('y') else np.savez
    save(self.root / name, x)
    self._assert_refused(name, 'its values are object')

  @parameterized.parameters('a.npy', 'a.npz')
  def test_other_shapes_and_types(self, name):
    save = np.save if name.endswith('y') else np.savez
    save(self.root / name, _values((3, 4, 5, 9)))
    self._assert_refused(name, r'it has shape \(3, 4, 5, 9\); legal are')
    save(self.root / name, np.zeros((2, 2, 2), complex))
    self._assert_refused(name, 'its values are complex128')

  def test_a_header_that_promises_too_much(self):
    np.save(self.root / 'a.npy', _values((10, 10, 10)))
    raw = (self.root / 'a.npy').read_bytes()
    for promised in (b'(99, 99, 99)', b'(9999, 999999, 9)'):
      header = raw[:118].replace(b'(10, 10, 10)', promised)[:118]
      self._put('b.npy', header.ljust(118) + raw[118:])
      with self.assertRaises(ValueError):
        self._read('b.npy')

  @parameterized.parameters(*CODES)
  def test_nifti_orientations(self, codes):
    """The same body, stored along axes of any order and direction."""
    top, front, right = np.indices((3, 4, 5))
    body = (100 * top + 10 * front + right).astype(np.int16)
    stored = body.transpose(2, 1, 0)
    image = nibabel.Nifti1Image(
      stored, volume_folders.affine((0.5, 0.75, 2), 'RAS')
    )
    turned = image.as_reoriented(
      nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt('RAS'),
        nibabel.orientations.axcodes2ornt(codes),
      )
    )
    self.assertEqual(nibabel.aff2axcodes(turned.affine), tuple(codes))
    nibabel.save(turned, self.root / 'a.nii')
    found, spacing = self._read('a.nii')
    self.assertEqual(found.dtype, np.int16)
    np.testing.assert_array_equal(found[..., 0], body)
    np.testing.assert_allclose(spacing, [2, 0.75, 0.5])

  def test_nifti_is_nibabels_canonical_one(self):
    matrix = volume_folders.affine((2, 1, 1.5), 'PIR')
    matrix[:3, :3] += 0.1
    image = nibabel.Nifti1Image(_values(), matrix)
    nibabel.save(image, self.root / 'a.nii.gz')
    found, _ = self._read('a.nii.gz')
    canonical = nibabel.as_closest_canonical(image)
    np.testing.assert_array_equal(
      found[..., 0], np.asarray(canonical.dataobj).T
    )

  def test_nifti_of_channels(self):
    x = _values((3, 4, 5, 2))
    volume_folders.put_nifti(self.root / 'a.nii.gz', x)
    found, _ = self._read('a.nii.gz')
    np.testing.assert_array_equal(found, x.transpose(2, 1, 0, 3))

  def test_nifti_2(self):
    image = nibabel.Nifti2Image(_values(), np.eye(4))
    nibabel.save(image, self.root / 'a.nii')
    np.testing.assert_array_equal(self._read('a.nii')[0][..., 0], _values().T)

  def test_nifti_values_are_scaled(self):
    image = nibabel.Nifti1Image(_values(dtype=np.uint8), np.eye(4))
    image.header.set_slope_inter(2.0, -1000.0)
    nibabel.save(image, self.root / 'a.nii')
    stored = nibabel.load(self.root / 'a.nii').dataobj
    self.assertEqual(stored.slope, 2)
    np.testing.assert_array_equal(stored.get_unscaled(), _values())
    found, _ = self._read('a.nii')
    np.testing.assert_array_equal(found[..., 0], 2 * _values().T - 1000)

  @parameterized.parameters(np.nan, np.inf, 0.0)
  def test_a_slope_that_is_none(self, slope):
    volume_folders.put_nifti(self.root / 'a.nii', _values())
    raw = bytearray((self.root / 'a.nii').read_bytes())
    raw[112:116] = np.float32(slope).tobytes()  # scl_slope
    self._put('a.nii', bytes(raw))
    np.testing.assert_array_equal(self._read('a.nii')[0][..., 0], _values().T)

  @parameterized.parameters(
    ('mm', 1), ('unknown', 1), ('micron', 1e-3), ('meter', 1e3)
  )
  def test_nifti_units(self, unit, factor):
    volume_folders.put_nifti(
      self.root / 'a.nii', _values(), spacing=(1, 2, 3), unit=unit
    )
    np.testing.assert_allclose(
      self._read('a.nii')[1], np.array([3, 2, 1]) * factor
    )

  def test_nifti_and_dicom_of_one_scan_are_alike(self):
    values = np.random.default_rng(0).integers(0, 99, (4, 3, 5))
    values = values.astype(np.int16)
    volume_folders.put_series(self.root / 'ct', values, gap=2.0)
    # Slices go to the top, rows to the back, columns to the left.
    volume_folders.put_nifti(
      self.root / 'ct.nii', values, spacing=(2, 0.5, 0.75), codes='SPL'
    )
    dicom, nifti = self._read('ct'), self._read('ct.nii')
    np.testing.assert_array_equal(dicom[0], nifti[0])
    np.testing.assert_allclose(dicom[1], nifti[1])

  def test_nifti_of_other_shapes(self):
    volume_folders.put_nifti(self.root / 'a.nii', _values((3, 4, 5, 9)))
    self._assert_refused('a.nii', r'it has shape \(3, 4, 5, 9\); legal')
    rgb = np.zeros((2, 2, 2), [('R', 'u1'), ('G', 'u1'), ('B', 'u1')])
    volume_folders.put_nifti(self.root / 'b.nii', rgb)
    self._assert_refused('b.nii', 'its values are .*no real numbers')

  @parameterized.parameters('A.NII', 'A.NII.GZ')
  def test_capitals(self, name):
    volume_folders.put_nifti(self.root / name.lower(), _values())
    os.rename(self.root / name.lower(), self.root / name)
    np.testing.assert_array_equal(self._read(name)[0][..., 0], _values().T)

  @parameterized.parameters(np.nan, 0.0)
  def test_an_affine_that_has_no_axes(self, value):
    matrix = np.eye(4)
    matrix[:3, 1] = value
    image = nibabel.Nifti1Image(_values(), None)
    image.header.set_sform(matrix, code=1)
    nibabel.save(image, self.root / 'a.nii')
    self._assert_refused('a.nii', 'its affine tells no orientation')

  def test_a_volume_larger_than_any(self):
    with mock.patch.object(volume_formats, '_MOST', 50):
      np.save(self.root / 'a.npy', _values())
      volume_folders.put_nifti(self.root / 'a.nii', _values())
      for name in ('a.npy', 'a.nii'):
        self._assert_refused(name, 'volumes are read up to 50 values')

  @parameterized.parameters('a.nii', 'a.nii.gz', 'a.npy', 'a.npz')
  def test_every_cut_is_seen(self, name):
    x = np.random.default_rng(0).integers(0, 99, (4, 5, 6)).astype(np.int16)
    if '.nii' in name:
      volume_folders.put_nifti(self.root / name, x)
    else:
      (np.save if name.endswith('y') else np.savez)(self.root / name, x)
    raw = (self.root / name).read_bytes()
    for cut in range(0, len(raw), 7):
      self._put(name, raw[:cut])
      with self.assertRaises(Exception):  # noqa: B017
        self._read(name)

  @parameterized.parameters(
    ('x.npy', b'', 'the file is empty'),
    ('x.npy', b'\x80\x04pickle', 'no .npy file by its content'),
    ('x.npz', b'\x93NUMPY', 'no .npz file by its content'),
    ('x.nii.gz', b'abc', 'no .nii.gz file by its content'),
    ('x.nii', gzip.compress(b'abc'), 'packed: call it .nii.gz'),
    ('x.nii.gz', b'version https://git-lfs.github.com', 'git lfs pull'),
    ('x.dcm', b'abc', 'legal are .npy, .npz, .* name the folder'),
    ('x.mha', b'abc', 'no known kind; legal are .npy, .npz, .nii, .nii.gz and'),
    ('x.gz', b'abc', 'no known kind'),
  )
  def test_other_files(self, name, raw, reason):
    self._assert_refused(self._put(name, raw), reason)

  def test_paths_stay_inside(self):
    outside = pathlib.Path(self.create_tempdir().full_path)
    np.save(outside / 'a.npy', _values())
    (outside / 'folder').mkdir()
    os.symlink(outside / 'a.npy', self.root / 'link.npy')
    os.symlink(outside / 'folder', self.root / 'link')
    self._assert_refused(str(outside / 'a.npy'), 'absolute path')
    self._assert_refused(f'../{outside.name}/a.npy', 'leaves the data folder')
    self._assert_refused('link.npy', 'leaves the data folder')
    self._assert_refused('link', 'leaves the data folder')

  def test_links_inside_are_legal(self):
    np.save(self.root / 'a.npy', _values())
    os.symlink('a.npy', self.root / 'b.npy')
    self.assertEqual(self._read('b.npy')[0].shape, (3, 4, 5, 1))

  def test_only_regular_files(self):
    os.mkfifo(self.root / 'a.npy')
    with self.assertRaisesRegex(errors.UserError, 'is a named pipe'):
      self._read('a.npy')

  def test_no_file(self):
    with self.assertRaises(FileNotFoundError):
      self._read('a.npy')

  @parameterized.parameters(
    ('nibabel', '.nii', r'fusion_jax\[volumes\]'),
    ('pydicom', 'DICOM', r'fusion_jax\[dicom\]'),
  )
  def test_no_package(self, package, kind, extra):
    with mock.patch.dict(sys.modules, {package: None}):
      volume_formats.require(['.npy', '.npz'])
      with self.assertRaisesRegex(errors.MissingPackageError, extra):
        volume_formats.require(['.npy', kind])


if __name__ == '__main__':
  absltest.main()
