"""Arrays as bytes of files, sound and damaged, for cases of the corpus."""

import io
import os
import struct
import zipfile

import numpy as np

from tests.malformed import case

# Whatever NumPy and nibabel say, in their versions' words.
DAMAGED = 'damaged or unreadable volume'


def volume(seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  return rng.integers(0, 255, (4, 5, 6), dtype=np.uint8)


def npy(array, **options) -> bytes:
  out = io.BytesIO()
  np.save(out, array, **options)
  return out.getvalue()


def npz(**arrays) -> bytes:
  out = io.BytesIO()
  np.savez_compressed(out, **arrays)
  return out.getvalue()


def packed(**members: bytes) -> bytes:
  out = io.BytesIO()
  with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as file:
    for name, content in members.items():
      file.writestr(name, content)
  return out.getvalue()


def header(shape: str, descr: str = "'<f4'", body: bytes = b'') -> bytes:
  """A file of NumPy whose header says so."""
  text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
  text = text.ljust(117) + '\n'
  return (
    b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + (text.encode() + body)
  )


class Evil:
  """What unpickling would run: it would leave a folder."""

  def __reduce__(self):
    return os.mkdir, (case.RUN,)


PICKLED = npy(np.array([Evil()], object), allow_pickle=True)
