"""The values of one volume: their type, their grid, their classes."""

import numpy as np
from scipy import ndimage, sparse

from fusion_jax.data import image_files

# Types that are kept as they are.
KEPT = (np.uint8, np.int8, np.uint16, np.int16)
MOST_CHANNELS = 8
ON = 255
_SPACE = 3


def checked_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
  """(d, h, w, c) of an array (d, h, w) or (d, h, w, c).

  Raises:
    NotReadError: for any other.
  """
  whole = (*shape, 1) if len(shape) == _SPACE else tuple(shape)
  if len(whole) != _SPACE + 1 or whole[-1] > MOST_CHANNELS or 0 in whole:
    raise image_files.NotReadError(
      f'it has shape {tuple(map(int, shape))}; legal are (d, h, w) and '
      f'(d, h, w, c) with at most {MOST_CHANNELS} channels'
    )
  return whole


def settled(x: np.ndarray) -> np.ndarray:
  """`x` as whole numbers of 8 or 16 bits or as float32.

  Whole numbers of 8 or 16 bits stay. Wider ones, and float64, become int16 if
  that changes no value, else float32. Bool becomes uint8.

  Raises:
    NotReadError: if they are no numbers, NaN, infinite or beyond float32.
  """
  if x.dtype.kind == 'b':
    return x.astype(np.uint8)
  if x.dtype.kind not in 'iuf':
    raise image_files.NotReadError(f'its values are {x.dtype}, no real numbers')
  native = x.astype(x.dtype.newbyteorder('='), copy=False)
  if native.dtype in KEPT:
    return native
  if native.dtype.kind == 'f':
    bad = int(np.count_nonzero(~np.isfinite(native)))
    if bad:
      raise image_files.NotReadError(
        f'it holds NaN or infinity ({bad} of {native.size} values)'
      )
  if native.dtype.kind == 'f' and native.dtype.itemsize <= 4:
    return native.astype(np.float32, copy=False)
  return narrowed(native)


def narrowed(x: np.ndarray) -> np.ndarray:
  """Numbers as int16 if that changes none of them, else as float32.

  Raises:
    NotReadError: if they are beyond float32.
  """
  low, high = x.min(), x.max()
  short = np.iinfo(np.int16)
  if short.min <= low and high <= short.max:
    rounded = x.astype(np.int16)
    if x.dtype.kind != 'f' or (rounded == x).all():
      return rounded
  most = max(abs(float(low)), abs(float(high)))
  if most > float(np.finfo(np.float32).max):
    raise image_files.NotReadError(f'it holds {most:g}, too much for float32')
  return x.astype(np.float32, copy=False)


def resampled(x: np.ndarray, size: int) -> np.ndarray:
  """(size, size, size, c) of (d, h, w, c), of the type of `x`.

  Along axes that shrink a voxel is the mean of the space it covers; along
  those that grow it is interpolated linearly. Whole numbers are rounded.
  """
  y = x.astype(np.float32, copy=False)
  for axis in range(_SPACE):
    if y.shape[axis] > size:
      y = _area_mean(y, axis, size)
  if y.shape[:_SPACE] != (size,) * _SPACE:
    factors = [size / n for n in y.shape[:_SPACE]]
    # Edges of the volume, rather than centres of its voxels, stay in place.
    y = ndimage.zoom(y, (*factors, 1), order=1, mode='nearest', grid_mode=True)
  if x.dtype.kind != 'f':
    y = np.rint(y)
  return y.astype(x.dtype, copy=False)


def _area_mean(x: np.ndarray, axis: int, size: int) -> np.ndarray:
  n = x.shape[axis]
  moved = np.moveaxis(x, axis, 0)
  # In units of 1 / size of an old voxel, so that edges are whole numbers.
  old, new = np.arange(n) * size, np.arange(size)[:, None] * n
  overlap = np.minimum(old + size, new + n) - np.maximum(old, new)
  weights = sparse.csr_array((np.maximum(overlap, 0) / n).astype(np.float32))
  y = weights @ moved.reshape(n, -1)
  return np.moveaxis(y.reshape(size, *moved.shape[1:]), 0, axis)


def nearest(x: np.ndarray, size: int) -> np.ndarray:
  """(size, size, size, c) of (d, h, w, c), each the voxel at its centre."""
  for axis in range(_SPACE):
    n = x.shape[axis]
    at = (2 * np.arange(size) + 1) * n // (2 * size)
    x = np.take(x, at, axis=axis)
  return x


def check_classes(x: np.ndarray, classes: int) -> None:
  """Raises NotReadError unless (d, h, w, 1) `x` are classes 0, 1, ...."""
  legal = f'legal are whole numbers from 0 to {classes - 1}'
  if x.shape[-1] != 1:
    raise image_files.NotReadError(
      f'it has {x.shape[-1]} channels, but classes stand in one'
    )
  bad = (x < 0) | (x > classes - 1)
  if x.dtype.kind == 'f':
    bad |= x != np.rint(x)
  if bad.any():
    value = x.flat[int(bad.argmax())].item()
    raise image_files.NotReadError(f'it holds the class {value:g}; {legal}')


def one_hot(x: np.ndarray, classes: int) -> np.ndarray:
  """(d, h, w, classes) uint8 of classes (d, h, w, 1): 0 or 255."""
  return np.where(x == np.arange(classes), ON, 0).astype(np.uint8)
