"""The columns of a record, typed as a descriptor says."""

import dataclasses

import numpy as np

from fusion_jax.core import spellings
from fusion_jax.data import descriptor as descriptor_lib
from fusion_jax.data import readings, tables


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
  """Columns of n studies.

  Attributes:
    numeric: by name, (n,) float64, NaN where missing.
    categorical: by name, (n,) object array of str or None; boolean columns
      hold 'true' and 'false'. A numeric column may have companions here:
      'NAME (code)' says which unknown code stands instead of a number, 'NAME
      (bound)' whether the number is a bound.
    unknown_codes: by categorical column, its levels that mean 'unknown'.
    notes: sentences on what was taken away.
  """

  numeric: dict[str, np.ndarray]
  categorical: dict[str, np.ndarray]
  unknown_codes: dict[str, tuple[str, ...]]
  notes: tuple[str, ...]


def read(
  d: descriptor_lib.Descriptor, table: tables.Table, findings: tables.Findings
) -> Features:
  """The features of `d` in the n rows of `table`; faults go to `findings`."""
  numeric, categorical, unknown, notes = {}, {}, {}, ()
  for column in d.numeric:
    codes, form = d.codes(column), d.number_format(column)
    values, coded = readings.read(table, column, form, findings, codes=codes)
    values, more = readings.plausible(values, column, form, findings)
    cells, there = table.columns[column], ~np.isnan(values)
    if coded.any() or column in d.unknown_codes:
      # The code is a level of its own: it must not vanish into missing.
      name = f'{column} (code)'
      known = {readings.meaning(x, form): x for x in codes}
      level = _map(
        cells, lambda x, k=known, f=form: k.get(readings.meaning(x, f))
      )
      categorical[name] = readings.companion(level, there)
      unknown[name] = codes
    if form.bounds:
      side = np.where(there, _map(cells, form.side), None)
      categorical[f'{column} (bound)'] = readings.companion(side, there)
    numeric[column] = values
    notes += more
  for column in d.categorical:
    cells = table.columns[column]
    spelt = spellings.match(d.codes(column), {x for x in cells if x})
    spelt = {cell: code for code, cell in spelt.items()}
    categorical[column] = _map(cells, lambda x, s=spelt: s.get(x, x))
  for column in d.boolean:
    categorical[column] = _boolean(d, table, column, findings)
  unknown |= {x: d.codes(x) for x in d.categorical + d.boolean}
  unknown = {k: v for k, v in unknown.items() if v}
  return Features(numeric, categorical, unknown, notes)


def _codes(d, column: str) -> dict[str, str]:
  """The unknown codes of a column as declared, by what they mean."""
  return {spellings.meaning(x): x for x in d.codes(column)}


def _map(cells: np.ndarray, convert) -> np.ndarray:
  """`convert` of each distinct text; None stays None."""
  known = {x: convert(x) for x in set(cells) if x is not None}
  known[None] = None
  out = np.empty(len(cells), object)
  out[:] = [known[x] for x in cells]
  return out


def _boolean(d, table, column: str, findings) -> np.ndarray:
  """(n,) object array of 'true', 'false', an unknown code or None."""
  legal = (
    *(d.true_values or spellings.TRUE_VALUES),
    *(d.false_values or spellings.FALSE_VALUES),
  )
  true = spellings.truths(d.true_values or spellings.TRUE_VALUES)
  false = spellings.truths(d.false_values or spellings.FALSE_VALUES)
  if not d.false_values:
    false -= true
  ticks = column in d.blank_false
  if ticks and not d.true_values:
    true |= spellings.truths(spellings.TICKS)
  cells, codes = table.columns[column], _codes(d, column)
  present = spellings.truths(x for x in set(cells) if x is not None)
  present -= spellings.truths(d.codes(column))
  others = present - true - false
  if d.true_values and not d.false_values and len(others) == 1:
    if not present & false:
      false |= others
      legal = (*d.true_values, 'one other value')

  def convert(x):
    if spellings.meaning(x) in codes:
      return codes[spellings.meaning(x)]
    if spellings.truth(x) in true:
      return 'true'
    return 'false' if spellings.truth(x) in false else ''

  values = _map(cells, convert)
  for row in np.flatnonzero(np.equal(values, '')):
    hint = ''
    if cells[row].lower() in spellings.TICKS:
      hint = ' If blank means false, list the column under blank_false.'
    findings.add(
      f"'{cells[row]}' is neither true nor false: expected one of "
      f'{", ".join(dict.fromkeys(legal))}, or a '
      f'value named in true_values, false_values or unknown_codes.{hint}',
      line=table.lines[row],
      column=column,
      kind='neither true nor false',
    )
  values[np.equal(values, None)] = 'false' if ticks else None
  values[np.equal(values, '')] = None
  return values
