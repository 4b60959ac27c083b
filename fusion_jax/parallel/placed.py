"""Arrays of the host that stay on the devices from one use to the next.

Fits, predictions and controls of one cohort read the same pixels. An array is
put on the devices once, and let go of when the host lets go of it.
"""

import collections
import weakref
from typing import Any

import jax
import numpy as np

# Smaller ones are put there again: they cost nothing.
_LEAST_BYTES = 1 << 16


class Placed:
  """Copies of host arrays on devices, told apart by identity.

  Nobody may write into an array after it was placed. What was placed longest
  ago goes first where all together are too large.

  Attributes:
    most_bytes: of all copies that are kept, beside the latest one.
  """

  def __init__(self, most_bytes: int):
    self.most_bytes = most_bytes
    self._kept: collections.OrderedDict[Any, jax.Array] = (
      collections.OrderedDict()
    )

  def __len__(self) -> int:
    return len(self._kept)

  def put(self, x: Any, where: jax.Device | jax.sharding.Sharding) -> jax.Array:
    """`x` on a device or spread by a sharding."""
    if not isinstance(x, np.ndarray) or x.nbytes < _LEAST_BYTES:
      return jax.device_put(x, where)
    # Views come and go; the array whose memory they show is the cohort's.
    owner = x
    while isinstance(owner.base, np.ndarray):
      owner = owner.base
    memory = x.__array_interface__['data'][0], x.shape, x.strides, x.dtype.str
    key = (id(owner), *memory, where)
    if key in self._kept:
      self._kept.move_to_end(key)
      return self._kept[key]
    # A copy: one that shared the host's memory would keep it from going.
    placed = jax.device_put(x, where, may_alias=False)
    weakref.finalize(owner, self._kept.pop, key, None)
    self._kept[key] = placed
    while len(self._kept) > 1 and self._bytes() > self.most_bytes:
      self._kept.popitem(last=False)
    return placed

  def _bytes(self) -> int:
    return sum(x.nbytes for x in self._kept.values())
