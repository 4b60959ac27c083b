"""Arrays on disk with checksums, so that damage is seen when they are read.

A NumPy file (.npy) goes on, behind its array, with the CRC-32 of each block of
its bytes, how many there are, the CRC-32 of these and of a name that binds the
content to what it was made from, and a mark.
"""

import concurrent.futures
import logging
import math
import os
import pathlib
import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from fusion_jax.core import errors, files

_BLOCK = 2**24
_MARK = b'fj-crc32'
_END = struct.Struct('<II8s')


def write(
  path: pathlib.Path,
  blocks: Iterable[bytes],
  *,
  shape: Sequence[int],
  dtype: np.dtype,
  name: str,
) -> None:
  """Writes the array whose bytes `blocks` yields; whole or not at all.

  Args:
    path: the file.
    blocks: the elements in C order.
    shape: of the array.
    dtype: of its elements.
    name: of what the array was made from; `read` asks for it.

  Raises:
    OSError: if the file cannot be written.
  """
  header = {
    'descr': np.lib.format.dtype_to_descr(np.dtype(dtype)),
    'fortran_order': False,
    'shape': tuple(shape),
  }
  # They hold what patients look like.
  with files.replacing(path, mode=0o600) as part, open(part, 'wb') as file:
    summed = _Summed(file)
    np.lib.format.write_array_header_1_0(summed, header)
    for block in blocks:
      summed.write(block)
    file.write(summed.end(name))


def read(
  path: pathlib.Path, *, shape: Sequence[int | None], name: str
) -> np.ndarray | None:
  """The array, mapped into memory read-only; None if it is not there whole.

  All of it is read once to verify it. A file whose bytes are not those that
  were written for `name` is as good as absent, which is logged as a warning.

  Args:
    path: the file.
    shape: that it must have; None for any length.
    name: that it was written with.
  """
  try:
    with open(files.regular(path), 'rb') as file:
      _verify(file, name)
    array = np.load(path, mmap_mode='r', allow_pickle=False)
    _check_shape(array.shape, shape)
  except FileNotFoundError:
    return None
  except (errors.UserError, OSError, ValueError, EOFError) as e:
    logging.getLogger(__name__).warning(
      "The cache file '%s' is damaged (%s) and is made again.", path, e
    )
    return None
  return array


def _check_shape(found, expected) -> None:
  wanted = [
    b if a is None else a for a, b in zip(expected, found, strict=False)
  ]
  if len(found) != len(expected) or wanted != list(found):
    raise ValueError(f'it has shape {found}')


class _Summed:
  """A file whose blocks are summed as they are written."""

  def __init__(self, file):
    self._file = file
    self._sums = []
    self._left = 0

  def write(self, data: bytes) -> None:
    self._file.write(data)
    data = memoryview(data)
    while len(data):
      if not self._left:
        self._sums.append(0)
        self._left = _BLOCK
      piece = data[: self._left]
      self._sums[-1] = zlib.crc32(piece, self._sums[-1])
      self._left -= len(piece)
      data = data[len(piece) :]

  def end(self, name: str) -> bytes:
    return _ending(self._sums, name)


def _ending(sums: Sequence[int], name: str) -> bytes:
  body = struct.pack(f'<{len(sums)}I', *sums)
  return body + _END.pack(len(sums), zlib.crc32(body, _start(name)), _MARK)


def _start(name: str) -> int:
  return zlib.crc32(name.encode())


def _verify(file, name: str) -> None:
  """Raises OSError if the bytes of `file` are not those of `name`."""
  size = os.fstat(file.fileno()).st_size
  handle = file.fileno()
  end = os.pread(handle, _END.size, max(0, size - _END.size))
  if len(end) < _END.size or end[-len(_MARK) :] != _MARK:
    raise OSError('its end is missing')
  count = _END.unpack(end)[0]
  body = size - _END.size - 4 * count
  if body < 0 or count != math.ceil(body / _BLOCK):
    raise OSError('its length is not that of what was written')

  def summed(at: int) -> int:
    return zlib.crc32(os.pread(handle, min(_BLOCK, body - at), at))

  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    sums = list(pool.map(summed, range(0, body, _BLOCK)))
  if os.pread(handle, size - body, body) != _ending(sums, name):
    raise OSError('a checksum is wrong')
