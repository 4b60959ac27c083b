"""Columns of the cohort's table."""

import dataclasses

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import sections
from fusion_jax.data.kinds import table

# What a column of features may have beside it (data/features.py).
_COMPANIONS = (' (code)', ' (bound)')


@sections.SECTIONS.register(table.NAME, summary='columns of the table')
@dataclasses.dataclass(frozen=True)
class Section(sections.Section):
  """Columns by what they hold; at least one."""

  numeric: tuple[str, ...] = sections.key(sections.texts)
  categorical: tuple[str, ...] = sections.key(sections.texts)
  boolean: tuple[str, ...] = sections.key(sections.texts)

  def check(self, where: str) -> None:
    if not self._columns:
      raise errors.UserError(
        f"{where}: kind 'table' needs numeric, categorical or boolean columns."
      )

  @property
  def _columns(self) -> tuple[str, ...]:
    return self.numeric + self.categorical + self.boolean

  def read(self, records, *, image_size=0, cache_dir='', on_progress=None):
    del image_size, cache_dir, on_progress

    def mine(columns):
      return {
        name: values
        for name, values in columns.items()
        if _base(name) in self._columns
      }

    numeric, categorical = mine(records.numeric), mine(records.categorical)
    data = table.Data(
      _stack(numeric, len(records), np.float64),
      tuple(numeric),
      _stack(categorical, len(records), object),
      tuple(categorical),
      mine(records.unknown_codes),
    )
    return data, []


def _base(column: str) -> str:
  """The column of the descriptor that a column of features comes from."""
  for ending in _COMPANIONS:
    column = column.removesuffix(ending)
  return column


def _stack(columns, n: int, dtype) -> np.ndarray:
  """(n, f) array of the columns."""
  out = np.empty((n, len(columns)), dtype)
  for at, values in enumerate(columns.values()):
    out[:, at] = values
  return out
