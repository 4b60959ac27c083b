"""Columns of cells as columns of numbers; faults are said, not guessed away."""

import decimal
import math

import numpy as np

from fusion_jax.core import spellings, types
from fusion_jax.data import looks, numbers, tables

# The level of companion columns where there is a plain number.
NUMBER = 'number'


def read(
  table: tables.Table,
  column: str,
  form: numbers.Format,
  findings: tables.Findings,
  *,
  codes=(),
  legal: str = '',
  most: float = types.LARGEST,
) -> tuple[np.ndarray, np.ndarray]:
  """The numbers of a column; cells that are none go to `findings`.

  Args:
    table: of n rows.
    column: one of its columns.
    form: how the numbers are written.
    findings: where faults go, one line for all cells of one look.
    codes: texts that stand instead of a number, in any spelling of it.
    legal: what messages call legal, if not what `form` says.
    most: larger numbers are faults.

  Returns:
    (n,) float64, NaN where there is no number, plausible or not; (n,) bool,
    where a code stands.
  """
  cells = table.columns[column]
  known = {x: form.read(x) for x in set(cells) if x is not None}
  values = np.array([known.get(x, math.nan) for x in cells], np.float64)
  codes = {meaning(x, form) for x in codes}
  coded = {x for x in known if meaning(x, form) in codes}
  odd = {x for x in known if math.isnan(known[x])} - coded
  look = looks.of_cells(odd, form)
  seen = {x for x in odd if look.fits(x)} if look else set()
  if seen:
    at_look = np.array([x in seen for x in cells], bool)
    say_look(table, column, at_look, look, findings)
  for row in (i for i, x in enumerate(cells) if x in odd - seen):
    findings.add(
      f"'{cells[row]}' is not {legal or form.legal}.",
      line=table.lines[row],
      column=column,
      kind='not a number',
    )
  at_code = np.array([x in coded for x in cells], bool)
  for row in np.flatnonzero(~at_code & (np.abs(values) > most)):
    findings.add(
      f"'{cells[row]}' is larger than {most:g} in size, which sums and squares "
      'do not hold.',
      line=table.lines[row],
      column=column,
      kind='number too large',
    )
  return np.where(at_code, math.nan, values), at_code


def meaning(text: str, form: numbers.Format) -> decimal.Decimal | str:
  """What `text` means (`spellings.meaning`) where numbers are written so.

  A code 999 is also one where it is written '999,0' or with a unit.
  """
  return spellings.meaning(form.plain(text) or text)


def say_look(
  table: tables.Table,
  column: str,
  at: np.ndarray,
  look: looks.Look,
  findings: tables.Findings,
) -> None:
  """One error for all cells `at` (n,) bool that look alike, if any."""
  rows = np.flatnonzero(at)
  if not len(rows):
    return
  several = f'{len(rows)} cells such as ' if len(rows) > 1 else ''
  findings.add(
    f"{several}'{table.columns[column][rows[0]]}' {look.what}: "
    f'{look.remedy(column)}',
    line=table.lines[rows[0]],
    column=column,
  )


def companion(level: np.ndarray, there: np.ndarray) -> np.ndarray:
  """(n,) levels beside numbers: NUMBER where there is one and no level.

  Args:
    level: (n,) object array of str; None or '' where there is none.
    there: (n,) bool, where there is a number.
  """
  found = np.full(len(level), None, object)
  found[there] = NUMBER
  has = level.astype(bool)
  found[has] = level[has]
  return found


def plausible(
  values: np.ndarray,
  column: str,
  form: numbers.Format,
  findings: tables.Findings,
) -> tuple[np.ndarray, tuple[str, ...]]:
  """(n,) values with NaN for those that are not plausible, and notes on them.

  What is taken away is a warning, and a note for reports.
  """
  out = (values < form.low) | (values > form.high)
  if not out.any():
    return values, ()
  count, there = int(out.sum()), int((~np.isnan(values)).sum())
  worst = np.unique(values[out])
  shown = f'{worst[0]:g}'
  if len(worst) > 1:
    shown += f' to {worst[-1]:g}'
  verb = 'is' if count == 1 else 'are'
  message = (
    f'{count} of {there} values {verb} outside plausible = [{form.low:g}, '
    f'{form.high:g}] ({shown}) and taken as missing.'
  )
  findings.warn(message, column=column)
  note = f"Column '{column}': {message}"
  return np.where(out, math.nan, values), (note,)
