"""Rows of different numbers by study, kept end to end."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=['flat', 'start', 'stop'],
  meta_fields=['length'],
)
@dataclasses.dataclass(frozen=True, eq=False)
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
  length: int

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
