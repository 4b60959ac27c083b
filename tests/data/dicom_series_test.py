"""Tests of fusion_jax.data.dicom_series."""

import os
import pathlib
import sys
from unittest import mock

import numpy as np
import pydicom
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import dicom_series, image_files
from tests.data import volume_folders


def _values(d=4, h=3, w=5, dtype=np.int16):
  x = np.random.default_rng(0).integers(0, 100, (d, h, w))
  return x.astype(dtype)


class DicomSeriesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.folder = self.root / 'ct'

  def _put(self, values=None, **changes):
    values = _values() if values is None else values
    return volume_folders.put_series(self.folder, values, **changes)

  def _read(self):
    found = dicom_series.slice_files(self.folder, self.root)
    return dicom_series.read(found)

  def _assert_refused(self, reason):
    with self.assertRaisesRegex(image_files.NotReadError, reason):
      self._read()

  def _change(self, path, **changes):
    data = pydicom.dcmread(path)
    for tag, value in changes.items():
      setattr(data, tag, value)
    data.save_as(path)

  @parameterized.parameters(np.int16, np.uint16, np.uint8)
  def test_shuffled_slices(self, dtype):
    values = _values(dtype=dtype)
    self._put(values)
    found, spacing = self._read()
    self.assertEqual(found.dtype, dtype)
    # Rows of an axial slice go to the back, columns to the left.
    np.testing.assert_array_equal(found, values[:, ::-1, ::-1])
    np.testing.assert_allclose(spacing, [2, 0.5, 0.75])

  def test_pixels_are_rescaled(self):
    values = _values(dtype=np.uint16)
    self._put(values, RescaleSlope=2, RescaleIntercept=-1024)
    found, _ = self._read()
    self.assertEqual(found.dtype, np.int16)
    expected = values[:, ::-1, ::-1].astype(int) * 2 - 1024
    np.testing.assert_array_equal(found, expected)

  def test_each_slice_has_its_own_scale(self):
    values = _values()
    paths = self._put(values)
    self._change(paths[1], RescaleSlope=0.5, RescaleIntercept=0)
    found, _ = self._read()
    self.assertEqual(found.dtype, np.float32)
    scale = np.array([1, 0.5, 1, 1])[:, None, None]
    np.testing.assert_array_equal(found, (values * scale)[:, ::-1, ::-1])

  def test_empty_scales_are_none(self):
    values = _values()
    self._put(values, RescaleSlope='', RescaleIntercept='')
    np.testing.assert_array_equal(self._read()[0], values[:, ::-1, ::-1])

  @parameterized.named_parameters(
    ('head_first', volume_folders.AXIAL, (0, 0, 1)),
    ('prone', (-1, 0, 0, 0, -1, 0), (0, 0, 1)),
    ('coronal', (1, 0, 0, 0, 0, -1), (0, 1, 0)),
    ('sagittal', (0, 1, 0, 0, 0, -1), (-1, 0, 0)),
    ('tilted', (1, 0, 0, 0, 0.98, 0.199), (0, -0.199, 0.98)),
  )
  def test_all_orientations_give_the_same_axes(self, iop, normal):
    """A body in patient coordinates, sliced in some direction."""
    iop = np.array(iop, float).reshape(2, 3)
    iop /= np.linalg.norm(iop, axis=1, keepdims=True)
    n = 6
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing='ij'), -1)
    for k in range(n):
      # Position of each pixel, to the left, the back and the top.
      place = (
        grid[0, ..., 1:2] * iop[1]
        + grid[0, ..., 2:] * iop[0]
        + k * np.array(normal)
      )
      place = place - 2.5 * (iop.sum(0) + normal)
      right, front, top = place[..., 0] * -1, place[..., 1] * -1, place[..., 2]
      # Places are halves of a mm.
      pixels = np.rint(200 * top + 20 * front + 2 * right).astype(np.int16)
      data = volume_folders.dicom_slice(
        pixels,
        k,
        ImagePositionPatient=[float(x) for x in place[0, 0]],
        ImageOrientationPatient=[float(x) for x in iop.flat],
        PixelSpacing=[1.0, 1.0],
      )
      self.folder.mkdir(exist_ok=True)
      name = f'{(k * 5) % n}.dcm'
      data.save_as(self.folder / name, enforce_file_format=True)
    found, spacing = self._read()
    np.testing.assert_allclose(spacing, 1, rtol=1e-3)
    steps = [float(np.diff(found, axis=i).mean()) for i in range(3)]
    tolerance = 50 if iop[1, 2] > 0.1 else 1e-6
    np.testing.assert_allclose(steps, [200, 20, 2], atol=tolerance)

  def test_one_slice_has_no_known_gap(self):
    self._put(_values(d=1))
    found, spacing = self._read()
    self.assertEqual(found.shape, (1, 3, 5))
    np.testing.assert_array_equal(np.isnan(spacing), [True, False, False])

  def test_what_lies_beside_is_left_out(self):
    paths = self._put()
    for name in ('.hidden', 'DICOMDIR', 'LICENSE', 'notes.txt', 'a.JSON'):
      (self.folder / name).write_text('x')
    found = dicom_series.slice_files(self.folder, self.root)
    self.assertEqual(sorted(found), sorted(paths))

  def test_no_slices(self):
    self.folder.mkdir()
    self._assert_refused('holds no DICOM slices')

  @parameterized.parameters('x.dcm', 'IM0007', '1.2.840.7')
  def test_a_file_that_is_no_slice(self, name):
    self._put()
    (self.folder / name).write_bytes(b'')
    self._assert_refused(f"file '{name}' is no DICOM file")

  def test_a_folder_inside(self):
    self._put()
    (self.folder / 'more').mkdir()
    with self.assertRaisesRegex(errors.UserError, 'is a folder; only regular'):
      self._read()

  def test_a_link_out(self):
    paths = self._put()
    outside = pathlib.Path(self.create_tempdir().full_path) / 'x.dcm'
    os.rename(paths[0], outside)
    os.symlink(outside, paths[0])
    self._assert_refused(f"'{paths[0].name}' is a link out")

  def test_several_series(self):
    paths = self._put()
    self._change(paths[2], SeriesInstanceUID='1.2.9')
    self._assert_refused(r"several series, legal is one \(2: '1.2.3', '1.2.9'")

  @parameterized.parameters(1, 2)
  def test_a_missing_slice(self, lost):
    paths = self._put(_values(d=6))
    paths[lost].unlink()
    self._assert_refused(
      rf"slices are missing \(between '{paths[lost - 1].name}' and "
      rf"'{paths[lost + 1].name}' are 4.00 mm, usual are 2.00\)"
    )

  def test_half_a_gap_more_is_legal(self):
    paths = self._put(_values(d=6))
    self._change(paths[5], ImagePositionPatient=[-10, -20, 5 + 10 + 0.99])
    self._read()

  def test_two_times_in_one_series(self):
    paths = self._put()
    self._change(paths[1], ImagePositionPatient=[-10, -20, 5])
    self._assert_refused('two of its slices are at one place')

  def test_all_at_one_place(self):
    self._put(gap=0.0)
    self._assert_refused('two of its slices are at one place')

  @parameterized.parameters(
    ('ImageOrientationPatient', [0, 1, 0, 0, 0, -1], 'several orientations'),
    ('PixelSpacing', [0.5, 0.8], 'several spacings'),
    ('Columns', 4, 'several sizes'),
  )
  def test_slices_of_several_grids(self, tag, value, reason):
    paths = self._put()
    self._change(paths[2], **{tag: value})
    self._assert_refused(f'its slices have {reason}')

  @parameterized.parameters(
    ({'ImagePositionPatient': None}, 'lack ImagePositionPatient'),
    ({'PixelSpacing': None}, 'lack PixelSpacing'),
    ({'NumberOfFrames': 3}, 'several frames'),
    ({'PhotometricInterpretation': 'MONOCHROME1'}, 'MONOCHROME1, legal'),
    ({'SamplesPerPixel': 3}, 'legal is MONOCHROME2'),
  )
  def test_what_is_not_read(self, changes, reason):
    self._put(**changes)
    self._assert_refused(reason)

  def test_a_table_of_values(self):
    self._put(ModalityLUTSequence=pydicom.Sequence([pydicom.Dataset()]))
    self._assert_refused('a table of values')

  def test_no_package(self):
    self._put()
    with mock.patch.dict(sys.modules, {'pydicom': None}):
      with self.assertRaisesRegex(
        errors.MissingPackageError, r'fusion_jax\[dicom\]'
      ):
        self._read()


if __name__ == '__main__':
  absltest.main()
