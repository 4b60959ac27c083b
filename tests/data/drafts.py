"""Drafts of small tables, for tests of what is proposed for them."""

import numpy as np

from fusion_jax.data import drafting, tables


def draft(**columns) -> drafting.Draft:
  """A draft of a table of lists of text; '' is missing."""
  return of({k.replace('__', ' '): v for k, v in columns.items()})


def of(columns) -> drafting.Draft:
  arrays = {}
  for name, cells in columns.items():
    arrays[name] = np.empty(len(cells), object)
    arrays[name][:] = [x or None for x in cells]
  n = len(next(iter(arrays.values())))
  return drafting.Draft(
    tables.Table('t.csv', arrays, np.arange(2, n + 2), 'line')
  )


def keys(made: drafting.Draft) -> dict[str, str]:
  """Values of the keys as written."""
  lines = [x for x in made.lines if not x.startswith('#')]
  pairs = (x.split('  # ')[0].split(' = ', 1) for x in lines)
  return {k: v for k, v in pairs}
