"""Hashes of what data hold."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def digest(parts: Iterable[Any]) -> str:
  """Hex hash of arrays, strings, numbers and None, in the order given."""
  total = hashlib.sha256()
  for part in parts:
    if isinstance(part, np.ndarray) and part.dtype.kind in 'biuf':
      total.update(f'{part.dtype.str}{part.shape}'.encode())
      total.update(np.ascontiguousarray(part).tobytes())
      continue
    if isinstance(part, np.ndarray):
      total.update(f'text{part.shape}'.encode())
      part = '\x1f'.join('\x00' if x is None else x for x in part.flat)
    elif isinstance(part, Mapping):
      part = digest(x for pair in part.items() for x in pair)
    elif isinstance(part, tuple):
      part = digest(part)
    total.update(f'{type(part).__name__}:{part}\x1e'.encode())
  return total.hexdigest()
