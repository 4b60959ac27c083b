"""Rows of different numbers by study, kept end to end."""

from collections.abc import Mapping
from typing import Any

import flax.struct
import numpy as np


@flax.struct.dataclass
class Ragged:
  """Flat arrays of t rows; N studies have some of them each.

  Attributes:
    flat: by name, (t, ...) arrays, each study's rows side by side.
    start: (N,) int, a study's first row.
    stop: (N,) int, the row after its last.
    length: most rows a model is given; of longer studies the last ones.
  """

  flat: Mapping[str, Any]
  start: Any
  stop: Any
  length: int = flax.struct.field(pytree_node=False)

  def rows(self, studies: Any) -> dict[str, Any]:
    """The rows of b studies, padded; for NumPy and inside compiled programs.

    Returns:
      By name (b, length, ...), zeros where there is no row, and 'mask'
      (b, length) bool, True where there is one. Rows stand at the end.
    """
    stop = self.stop[studies][:, None]
    at = stop - self.length + np.arange(self.length)  # (b, length)
    mask = at >= self.start[studies][:, None]
    at = at * mask
    out = {}
    for name, values in self.flat.items():
      x = values[at]
      out[name] = x * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
    return {**out, 'mask': mask}
