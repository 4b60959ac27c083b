"""Predictions of other people's models, as their files have them."""

import dataclasses
import os
import pathlib

import numpy as np

from fusion_jax.core import identifiers, words
from fusion_jax.evaluation import caveats, files, part_column
from fusion_jax.evaluation import predictions as predictions_lib

# Ids in two spellings beyond this many are only counted.
_NAMED = 20


@dataclasses.dataclass(frozen=True)
class Source:
  """A file of predictions.

  Attributes:
    predictions: its n rows of the validation and test parts.
    rows: (n,) int rows of the file, from 1, that they come from.
    unused: columns that nothing is read from.
    remarks: sentences for the reader of a report: what was not used, and how
      many ids are in two spellings.
    named: sentences that name these ids, for the owner of the file alone.
  """

  predictions: predictions_lib.Predictions
  rows: np.ndarray
  unused: tuple[str, ...]
  remarks: tuple[str, ...]
  named: tuple[str, ...]


def load(path: str | os.PathLike, *, part: str = '') -> Source:
  """Reads and checks a `.parquet` or `.csv` file of predictions.

  Args:
    path: the file.
    part: the column that says of which part a row is, as `part_column.mapped`
      takes it; rows of the training part are left out. Empty for the column
      `part`, if any.

  Raises:
    UserError: as `predictions.read`, and for words that name no part.
  """
  content = files.read(pathlib.Path(path), None, part_column=part)
  found = predictions_lib.create(**content.columns)
  rows = np.flatnonzero(found.part != part_column.TRAIN) if part else None
  remarks = []
  if rows is None:
    rows = np.arange(len(found))
  elif len(rows) < len(found):
    out = len(found) - len(rows)
    remarks.append(
      f'{out} of {words.counted(len(found), "row")} are of the training part '
      f"(column '{part_column.column_of(part)}') and are left out."
    )
  if content.unused:
    listed = ', '.join(f"'{x}'" for x in content.unused)
    remarks.append(f'Columns that are not used: {listed}.')
  found = found.take(rows)
  predictions_lib.check(found, where=f"'{path}'")
  ids = {'patient': found.patient_id, 'study': found.study_id}
  if (found.patient_id == found.study_id).all():
    del ids['study']
  named = []
  for noun, names in ids.items():
    remarks += caveats.of_spellings(names, noun=noun, rows=rows + 1)
    groups = identifiers.variants(names.tolist())
    for group in groups[:_NAMED]:
      shown = ' and '.join(identifiers.quoted(group))
      named.append(f'One {noun} in two spellings? {shown}')
    if len(groups) > _NAMED:
      named.append(f'... and {len(groups) - _NAMED} more of these.')
  return Source(found, rows + 1, content.unused, tuple(remarks), tuple(named))
