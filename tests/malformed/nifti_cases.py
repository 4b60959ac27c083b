"""Cases of NIfTI volumes, whose reading is an extra."""

import gzip
import importlib.util
import struct

import numpy as np

from tests.malformed import arrays, case, modality_cases, volume_cases

_EVENTS = modality_cases.EVENTS
_NAN = np.where(arrays.volume() == arrays.volume().max(), np.nan, 1.0)


def _nifti(array=None, *, change=None) -> bytes:
  import nibabel

  array = arrays.volume() if array is None else array
  image = nibabel.Nifti1Image(array, np.eye(4))
  data = bytearray(image.to_bytes())
  if change:
    change(data)
  return bytes(data)


def _scan(name, words, first, code=1, outcome=case.REFUSED, **rest):
  """A case of NIfTI; `first` makes the bytes when the case is made."""
  packed = gzip.compress

  def put(path):
    case.write(path, first())

  options = {
    'suffix': '.nii.gz',
    'sound': lambda i: packed(_nifti(arrays.volume(i))),
    **rest,
  }
  return volume_cases.volumes(
    f'nifti_{name}', outcome, words, code, put, **options
  )


def _set(offset, form, *values):
  """A change of the header of a NIfTI file."""
  return lambda data: struct.pack_into(form, data, offset, *values)


def _affine(name, words, rows, **rest):
  """A scan whose place in space is told by these 3 x 4 numbers."""

  def first():
    return gzip.compress(_nifti(change=_set(280, '12f', *rows)))

  return _scan(f'affine_{name}', words, first, **rest)


def _truncated_gzip() -> bytes:
  return gzip.compress(_nifti())[:-30]


def _corrupt_gzip() -> bytes:
  data = bytearray(gzip.compress(_nifti()))
  data[len(data) // 2] ^= 0xFF
  return bytes(data)


_SCANS = (
  _scan(
    'sound',
    _EVENTS,
    lambda: gzip.compress(_nifti(arrays.volume(99))),
    0,
    case.READ,
  ),
  _scan('empty', 'the file is empty', lambda: b''),
  _scan(
    'text', 'the file is no .nii.gz file by its content', lambda: b'no scan'
  ),
  _scan('not_packed', 'the file is no .nii.gz file by its content', _nifti),
  _scan('gzip_cut', arrays.DAMAGED, _truncated_gzip),
  _scan('gzip_corrupt', arrays.DAMAGED, _corrupt_gzip),
  _scan(
    'cut',
    arrays.DAMAGED,
    lambda: gzip.compress(_nifti()[:-60]),
  ),
  _scan(
    'cut_header',
    arrays.DAMAGED,
    lambda: gzip.compress(_nifti()[:100]),
  ),
  _scan(
    'header_only',
    arrays.DAMAGED,
    lambda: gzip.compress(_nifti()[:352]),
  ),
  _scan(
    'no_magic',
    arrays.DAMAGED,
    lambda: gzip.compress(_nifti(change=_set(344, 'i', 0))),
  ),
  _scan(
    'zeros',
    arrays.DAMAGED,
    lambda: gzip.compress(bytes(4096)),
  ),
  _scan(
    'time',
    'it has shape (4, 5, 6, 20)',
    lambda: gzip.compress(_nifti(np.zeros((4, 5, 6, 20), np.uint8))),
  ),
  _scan(
    'flat',
    'it has shape (4, 5)',
    lambda: gzip.compress(_nifti(np.zeros((4, 5), np.uint8))),
  ),
  _scan(
    'huge_shape',
    'it has shape (32000, 32000, 32000)',
    lambda: gzip.compress(_nifti(change=_set(42, '3h', *[32000] * 3))),
  ),
  _scan(
    'negative_shape',
    arrays.DAMAGED,
    lambda: gzip.compress(_nifti(change=_set(42, '3h', -4, 5, 6))),
  ),
  _scan(
    'type',
    arrays.DAMAGED,
    lambda: gzip.compress(_nifti(change=_set(70, 'h', 999))),
  ),
  _scan(
    'complex',
    'its values are complex64, no real numbers',
    lambda: gzip.compress(_nifti(arrays.volume().astype('c8'))),
  ),
  _scan(
    'nan',
    'it holds NaN or infinity (2 of 120 values)',
    lambda: gzip.compress(_nifti(_NAN.astype(np.float32))),
  ),
  _affine('zeros', 'its affine tells no orientation', [0.0] * 12),
  _affine('nan', 'its affine tells no orientation', [np.nan] * 12),
  _affine(
    'flat',
    'its affine tells no orientation',
    [0.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
  ),
  _affine(
    'infinite',
    'its affine tells no orientation',
    [np.inf, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
  ),
  _affine(
    'twice',
    'its affine tells no orientation',
    [1.0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0],
  ),
  _scan(
    'voxel_of_zero',
    _EVENTS,
    lambda: gzip.compress(_nifti(change=_set(80, '3f', 0, 1, 1))),
    0,
    case.READ,
  ),
  _scan(
    'voxel_nan',
    _EVENTS,
    lambda: gzip.compress(_nifti(change=_set(80, '3f', np.nan, 1, 1))),
    0,
    case.READ,
  ),
  _scan(
    'offset',
    arrays.DAMAGED,
    lambda: gzip.compress(_nifti(change=_set(108, 'f', 1e9))),
  ),
)

CASES = _SCANS if importlib.util.find_spec('nibabel') else ()
