"""A folder of DICOM slices of one series as one volume."""

import dataclasses
import itertools
import os
import pathlib
import warnings
from collections.abc import Sequence

import numpy as np

from fusion_jax.core import errors, files
from fusion_jax.data import image_files, volume_values

EXTRA = 'dicom'
# What lies beside slices and is none.
_BESIDE_NAMES = ('dicomdir', 'license', 'readme', 'thumbs.db')
_BESIDE_SUFFIXES = (
  '.csv',
  '.html',
  '.jpeg',
  '.jpg',
  '.json',
  '.md',
  '.pdf',
  '.png',
  '.txt',
  '.xml',
)
_MAGIC_AT, _MAGIC = 128, b'DICM'
# A gap of more than so many medians is a missing slice.
_GAP = 1.5
# Slices nearer than this part of a median gap are at one place.
_SAME_PLACE = 0.01
_TOLERANCE = 1e-3
_NEEDED = (
  'SeriesInstanceUID',
  'ImagePositionPatient',
  'ImageOrientationPatient',
  'PixelSpacing',
  'Rows',
  'Columns',
)
_OTHER = (
  'NumberOfFrames',
  'SamplesPerPixel',
  'PhotometricInterpretation',
  'RescaleSlope',
  'RescaleIntercept',
  'ModalityLUTSequence',
)
# DICOM counts to the left, the back and the top; here it is right, front, top.
_TO_RAS = np.array([-1.0, -1.0, 1.0])


@dataclasses.dataclass(frozen=True)
class _Slice:
  """What the header of one slice says.

  Attributes:
    path: of the file.
    series: its UID.
    place: (3,) of the first pixel's centre in mm.
    across: (2, 3) directions in which columns and rows count.
    spacing: between rows and between columns in mm.
    shape: rows and columns.
    slope: what pixels are multiplied with.
    intercept: what is then added.
  """

  path: pathlib.Path
  series: str
  place: np.ndarray
  across: np.ndarray
  spacing: tuple[float, float]
  shape: tuple[int, int]
  slope: float
  intercept: float

  @property
  def is_scaled(self) -> bool:
    return (self.slope, self.intercept) != (1.0, 0.0)


def package():
  """The module pydicom.

  Raises:
    MissingPackageError: if it is not installed.
  """
  try:
    import pydicom
  except ImportError:
    raise errors.MissingPackageError(
      'Reading DICOM series', 'pydicom', extra=EXTRA
    ) from None
  return pydicom


def slice_files(
  folder: pathlib.Path, root: pathlib.Path
) -> tuple[pathlib.Path, ...]:
  """The files of a folder that must be slices, by name.

  Texts, tables and pictures beside them, a DICOMDIR and hidden files are left
  out.

  Raises:
    NotReadError: if there are none, or one is no DICOM file or not in `root`.
    UserError: for anything that is no regular file.
    OSError: if the folder or a file cannot be read.
  """
  found = []
  for name in sorted(os.listdir(folder)):
    lower = name.lower()
    if name.startswith('.') or lower in _BESIDE_NAMES:
      continue
    if lower.endswith(_BESIDE_SUFFIXES):
      continue
    path = folder / name
    if not files.is_within(path, root):
      raise image_files.NotReadError(
        f"its file '{name}' is a link out of the data folder"
      )
    with image_files.opened(path) as file:
      if file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] != _MAGIC:
        raise image_files.NotReadError(
          f"its file '{name}' is no DICOM file: mend it or take it out"
        )
    found.append(path)
  if not found:
    raise image_files.NotReadError('the folder holds no DICOM slices')
  return tuple(found)


def read(paths: Sequence[pathlib.Path]) -> tuple[np.ndarray, np.ndarray]:
  """A volume (d, h, w) and its (3,) spacing in mm, NaN where not known.

  Slices are sorted along their normal, and the axes that come closest to
  bottom to top, back to front and left to right become d, h and w. Pixels are
  rescaled to the values they stand for; those that have no scale keep their
  type.

  Args:
    paths: the slices, in any order.

  Raises:
    NotReadError: for slices of several series or grids, missing or doubled
      ones, colour and several frames in one file.
    MissingPackageError: if pydicom is not installed.
    Exception: whatever pydicom raises for a damaged file.
  """
  pydicom = package()
  with warnings.catch_warnings():
    # Of odd but legible headers.
    warnings.simplefilter('ignore')
    slices, gap = _sorted([_header(pydicom, x) for x in paths])
    values = _pixels(pydicom, slices)
  first = slices[0]
  column, row = first.across
  directions = np.array([np.cross(column, row), row, column]) * _TO_RAS
  return _upright(values, np.array([gap, *first.spacing]), directions)


def _header(pydicom, path) -> _Slice:
  data = pydicom.dcmread(
    path, stop_before_pixels=True, specific_tags=[*_NEEDED, *_OTHER]
  )
  for tag in _NEEDED:
    if data.get(tag) in (None, ''):
      raise image_files.NotReadError(
        f"its files lack {tag} ('{path.name}'), so they are no slices of a "
        'volume'
      )
  if int(data.get('NumberOfFrames') or 1) > 1:
    raise image_files.NotReadError(
      f"a file holds several frames ('{path.name}'): convert it to NIfTI"
    )
  colour = data.get('PhotometricInterpretation') or 'MONOCHROME2'
  if int(data.get('SamplesPerPixel') or 1) > 1 or colour != 'MONOCHROME2':
    raise image_files.NotReadError(
      f"its pixels are {colour}, legal is MONOCHROME2 ('{path.name}')"
    )
  if 'ModalityLUTSequence' in data:
    raise image_files.NotReadError(
      'its pixels have a table of values, legal are a slope and an intercept '
      f"('{path.name}')"
    )
  slope, intercept = (
    default if data.get(tag) in (None, '') else float(data[tag].value)
    for tag, default in (('RescaleSlope', 1.0), ('RescaleIntercept', 0.0))
  )
  return _Slice(
    path,
    str(data.SeriesInstanceUID),
    np.array(data.ImagePositionPatient, float).reshape(3),
    np.array(data.ImageOrientationPatient, float).reshape(2, 3),
    tuple(float(x) for x in data.PixelSpacing),
    (int(data.Rows), int(data.Columns)),
    slope,
    intercept,
  )


def _sorted(slices: list[_Slice]) -> tuple[list[_Slice], float]:
  """Slices along their normal, and the gap in mm; NaN of a single slice."""
  first = slices[0]
  series = sorted({x.series for x in slices})
  if len(series) > 1:
    raise image_files.NotReadError(
      f'the folder holds several series, legal is one ({len(series)}: '
      f"'{series[0]}', '{series[1]}', ...)"
    )
  for x in slices:
    for what, same in (
      ('sizes', x.shape == first.shape),
      ('orientations', np.allclose(x.across, first.across, atol=_TOLERANCE)),
      ('spacings', np.allclose(x.spacing, first.spacing, rtol=_TOLERANCE)),
    ):
      if not same:
        raise image_files.NotReadError(
          f'its slices have several {what}, legal is one '
          f"('{first.path.name}', '{x.path.name}')"
        )
  normal = np.cross(*first.across)
  slices = sorted(slices, key=lambda x: float(x.place @ normal))
  if len(slices) == 1:
    return slices, np.nan
  heights = np.array([x.place @ normal for x in slices])
  gaps = np.diff(heights)
  usual = float(np.median(gaps[gaps > _TOLERANCE])) if gaps.any() else 0.0
  for gap, (a, b) in zip(gaps, itertools.pairwise(slices), strict=True):
    if not gap > _SAME_PLACE * usual:
      raise image_files.NotReadError(
        'two of its slices are at one place, legal is one time and echo a '
        f"folder ('{a.path.name}', '{b.path.name}')"
      )
  for gap, (a, b) in zip(gaps, itertools.pairwise(slices), strict=True):
    if gap > _GAP * usual:
      raise image_files.NotReadError(
        f"slices are missing (between '{a.path.name}' and '{b.path.name}' are "
        f'{gap:.2f} mm, usual are {usual:.2f})'
      )
  return slices, float((heights[-1] - heights[0]) / len(gaps))


def _pixels(pydicom, slices: Sequence[_Slice]) -> np.ndarray:
  """(d, h, w) of the values that pixels stand for."""
  is_scaled = any(x.is_scaled for x in slices)
  values = None
  for at, x in enumerate(slices):
    pixels = pydicom.dcmread(x.path).pixel_array
    if pixels.shape != x.shape:
      raise image_files.NotReadError(
        f"a slice has shape {pixels.shape}, not {x.shape} ('{x.path.name}')"
      )
    if values is None:
      # Whole numbers of up to 24 bits are exact in float32.
      dtype = np.float64 if pixels.itemsize > 2 else np.float32
      dtype = dtype if is_scaled else pixels.dtype
      values = np.empty((len(slices), *x.shape), dtype)
    if not is_scaled and pixels.dtype != values.dtype:
      raise image_files.NotReadError(
        f'its slices are of several types, legal is one ({values.dtype}, '
        f"'{x.path.name}': {pixels.dtype})"
      )
    if is_scaled:
      pixels = pixels.astype(np.float64) * x.slope + x.intercept
    values[at] = pixels
  # Values that were computed have no type of their own.
  return volume_values.narrowed(values) if is_scaled else values


def _upright(values, spacing, directions) -> tuple[np.ndarray, np.ndarray]:
  """Axes turned and mirrored to go to the top, the front and the right.

  Args:
    values: (d, h, w).
    spacing: (3,) along the axes.
    directions: (3, 3) of each axis to the right, the front and the top.
  """
  # Columns in the order of the axes that are wanted.
  towards = directions[:, ::-1]
  order = max(
    itertools.permutations(range(3)),
    key=lambda x: sum(abs(towards[x[axis], axis]) for axis in range(3)),
  )
  values = values.transpose(order)
  for axis in range(3):
    if towards[order[axis], axis] < 0:
      values = np.flip(values, axis)
  return values, spacing[list(order)]
