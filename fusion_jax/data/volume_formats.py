"""One volume's file or folder: of which kind it is, and what it holds."""

import dataclasses
import logging
import math
import os
import pathlib
import zipfile
from collections.abc import Iterable

import numpy as np

from fusion_jax.core import errors, files
from fusion_jax.data import (
  array_headers,
  dicom_series,
  image_files,
  volume_values,
)

NPY, NPZ, NIFTI, NIFTI_GZ = SUFFIXES = ('.npy', '.npz', '.nii', '.nii.gz')
DICOM = 'DICOM'
LEGAL = f'{", ".join(SUFFIXES)} and folders of DICOM slices'
# The array of an .npz file that has several.
ARRAY = 'volume'
EXTRA = 'volumes'

# More values are no volume of a patient, but a damaged or hostile header.
_MOST = 2**31
_MAGIC = {NPY: array_headers.MAGIC, NPZ: b'PK', NIFTI_GZ: b'\x1f\x8b'}
_GIT_LFS = b'version https://git-lfs'
_HEAD = 64
_MILLIMETRES = {'meter': 1e3, 'mm': 1.0, 'micron': 1e-3, 'unknown': 1.0}


@dataclasses.dataclass(frozen=True)
class Source:
  """Where a volume is.

  Attributes:
    path: the file or folder.
    kind: one of SUFFIXES or DICOM.
    files: that it is made of.
  """

  path: pathlib.Path
  kind: str
  files: tuple[pathlib.Path, ...]


def find(root: pathlib.Path, name: str) -> Source:
  """The volume called `name` in the folder `root`.

  Raises:
    NotReadError: if it is not there, not in `root` or of no kind that is read.
    UserError: if it is no regular file.
    OSError: if it cannot be asked.
  """
  path = root / name
  if os.path.isabs(name):
    raise image_files.NotReadError(
      'it is named by an absolute path; legal are paths relative to the data '
      'folder and inside it'
    )
  if not files.is_within(path, root):
    raise image_files.NotReadError(
      'it leaves the data folder; legal are paths inside it, links followed'
    )
  if not os.path.lexists(path):
    raise FileNotFoundError(name)
  if path.is_dir():
    return Source(path, DICOM, dicom_series.slice_files(path, root))
  lower = name.lower()
  kind = next((x for x in reversed(SUFFIXES) if lower.endswith(x)), '')
  if not kind:
    advice = ''
    if lower.endswith(('.dcm', '.ima')):
      advice = ': name the folder of the series instead'
    raise image_files.NotReadError(
      f'the file is of no known kind; legal are {LEGAL}{advice}'
    )
  _check_head(path, kind)
  return Source(path, kind, (path,))


def _check_head(path, kind) -> None:
  with image_files.opened(path) as file:
    head = file.read(_HEAD)
  if not head:
    raise image_files.NotReadError('the file is empty')
  if head.startswith(_GIT_LFS):
    raise image_files.NotReadError(
      'the file is a Git LFS pointer: fetch with git lfs pull'
    )
  if not head.startswith(_MAGIC.get(kind, b'')):
    raise image_files.NotReadError(f'the file is no {kind} file by its content')
  if kind == NIFTI and head.startswith(_MAGIC[NIFTI_GZ]):
    raise image_files.NotReadError('the file is packed: call it .nii.gz')


def require(kinds: Iterable[str]) -> None:
  """Raises MissingPackageError if a package that reads them is missing."""
  kinds = set(kinds)
  if kinds & {NIFTI, NIFTI_GZ}:
    _nibabel()
  if DICOM in kinds:
    dicom_series.package()


def _nibabel():
  try:
    import nibabel
  except ImportError:
    raise errors.MissingPackageError(
      'Reading NIfTI volumes', 'nibabel', extra=EXTRA
    ) from None
  # Of headers that it mends.
  nibabel.imageglobals.logger.setLevel(logging.CRITICAL)
  return nibabel


def read(source: Source) -> tuple[np.ndarray, np.ndarray]:
  """Values (d, h, w, c) of any real type, and (3,) spacing in mm.

  Arrays of NumPy are taken as they are. In NIfTI and DICOM d goes from bottom
  to top, h from back to front and w from left to right of the patient, as near
  as that is possible without interpolation; so d, h, w are z, y, x of nibabel's
  canonical axes.

  Spacing is NaN where it is not known.

  Raises:
    NotReadError: for what is not read of a kind.
    MissingPackageError: if a package is not installed.
    Exception: whatever NumPy, nibabel and pydicom raise for a damaged file.
  """
  spacing = np.full(3, np.nan)
  if source.kind == DICOM:
    values, spacing = dicom_series.read(source.files)
  elif source.kind == NPY:
    values = _npy(source.path)
  elif source.kind == NPZ:
    values = _npz(source.path)
  else:
    values, spacing = _nifti(source.path)
  return values.reshape(volume_values.checked_shape(values.shape)), spacing


def _check(shape: tuple[int, ...], dtype: np.dtype) -> None:
  """Raises NotReadError before anything of the values is read."""
  volume_values.checked_shape(shape)
  if math.prod(map(int, shape)) > _MOST:
    raise image_files.NotReadError(
      f'it has shape {tuple(map(int, shape))}; volumes are read up to '
      f'{_MOST} values'
    )
  if dtype.kind not in 'biuf':
    raise image_files.NotReadError(f'its values are {dtype}, no real numbers')


def _npy(path) -> np.ndarray:
  with image_files.opened(path) as file:
    _check(*array_headers.read(file))
  return np.load(path, mmap_mode='r', allow_pickle=False)


def _npz(path) -> np.ndarray:
  with zipfile.ZipFile(path) as members:
    names = [x for x in members.namelist() if x.endswith(NPY)]
    arrays = [x.removesuffix(NPY) for x in names]
    if ARRAY not in arrays and len(arrays) != 1:
      raise image_files.NotReadError(
        f"it has no array '{ARRAY}', legal is that or a single one (it has: "
        f'{", ".join(arrays) or "none"})'
      )
    name = f'{ARRAY if ARRAY in arrays else arrays[0]}{NPY}'
    with members.open(name) as file:
      _check(*array_headers.read(file))
    with members.open(name) as file:
      return np.lib.format.read_array(file, allow_pickle=False)


def _nifti(path) -> tuple[np.ndarray, np.ndarray]:
  nibabel = _nibabel()
  image = nibabel.load(path)
  if not isinstance(image, nibabel.Nifti1Image):
    raise image_files.NotReadError(
      f'the file is {type(image).__name__}, no NIfTI volume of one file'
    )
  _check(image.shape, image.get_data_dtype())
  try:
    image = nibabel.as_closest_canonical(image)
  except (np.linalg.LinAlgError, nibabel.orientations.OrientationError):
    raise image_files.NotReadError(
      'its affine tells no orientation: mend its sform or qform'
    ) from None
  values = np.asanyarray(image.dataobj)
  unit = image.header.get_xyzt_units()[0]
  # Not the header's zooms, of which nibabel makes 1 where they are 0.
  spacing = nibabel.affines.voxel_sizes(image.affine)
  spacing = spacing * _MILLIMETRES.get(unit, np.nan)
  spacing[~(spacing > 0)] = np.nan
  return values.transpose(2, 1, 0, *range(3, values.ndim)), spacing[::-1]
