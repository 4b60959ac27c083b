"""Files that hold volumes, for tests."""

import pathlib

import nibabel
import numpy as np
import pydicom
from pydicom import uid

AXIAL = (1, 0, 0, 0, 1, 0)


def affine(spacing, codes='RAS', origin=(0.0, 0.0, 0.0)) -> np.ndarray:
  """(4, 4) of an image whose axes go towards `codes`."""
  out = np.zeros((4, 4))
  out[3, 3] = 1
  out[:3, 3] = origin
  for axis, code in enumerate(codes):
    world = next(i for i, x in enumerate(('LR', 'PA', 'IS')) if code in x)
    out[world, axis] = spacing[axis] * (1 if code in 'RAS' else -1)
  return out


def put_nifti(path, values, *, spacing=(1, 1, 1), codes='RAS', unit='mm'):
  """Writes `values`, whose first axes go towards `codes`."""
  image = nibabel.Nifti1Image(values, affine(spacing, codes))
  image.header.set_xyzt_units(unit)
  nibabel.save(image, path)


def dicom_slice(pixels, z, **changes) -> pydicom.Dataset:
  """A CT slice of `pixels` (h, w) at height z, the last tag of `changes`."""
  data = pydicom.Dataset()
  data.file_meta = pydicom.dataset.FileMetaDataset()
  data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
  data.file_meta.MediaStorageSOPClassUID = uid.CTImageStorage
  data.file_meta.MediaStorageSOPInstanceUID = f'1.2.3.{int(1e6 + 100 * z)}'
  data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID
  data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID
  data.SeriesInstanceUID = '1.2.3'
  data.Modality = 'CT'
  data.ImagePositionPatient = [-10, -20, float(z)]
  data.ImageOrientationPatient = list(AXIAL)
  data.PixelSpacing = [0.5, 0.75]
  data.Rows, data.Columns = pixels.shape[:2]
  data.SamplesPerPixel = 1
  data.PhotometricInterpretation = 'MONOCHROME2'
  data.BitsAllocated = data.BitsStored = 8 * pixels.itemsize
  data.HighBit = data.BitsStored - 1
  data.PixelRepresentation = int(pixels.dtype.kind == 'i')
  for tag, value in changes.items():
    if value is None:
      del data[tag]
    else:
      setattr(data, tag, value)
  if changes.get('PixelData', '') is not None:
    data.PixelData = pixels.tobytes()
  return data


def put_series(folder, values, *, gap=2.0, seed=0, **changes):
  """Writes (d, h, w) as axial slices, bottom first, named in no order."""
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  names = np.random.default_rng(seed).permutation(len(values))
  for at, pixels in enumerate(values):
    data = dicom_slice(pixels, 5 + gap * at, **changes)
    data.save_as(folder / f'{names[at]:03d}.dcm', enforce_file_format=True)
  return [folder / f'{x:03d}.dcm' for x in names]
