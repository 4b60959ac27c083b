"""What files of NumPy say of their arrays, before any value is read."""

from typing import IO

import numpy as np

# How an array in NumPy's format begins.
MAGIC = b'\x93NUMPY'


def read(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
  """Shape and type of the array that `file` holds in NumPy's format.

  Raises:
    ValueError: if it is no such file, or its header is damaged.
  """
  version = np.lib.format.read_magic(file)
  if version == (1, 0):
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
  else:
    shape, _, dtype = np.lib.format.read_array_header_2_0(file)
  return shape, dtype
