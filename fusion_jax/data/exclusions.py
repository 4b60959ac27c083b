"""Rows that a descriptor leaves out, and what that leaves."""

import math

import numpy as np

from fusion_jax.core import errors, spellings
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import descriptor as descriptor_lib
from fusion_jax.data import readings, tables

READ = 'read'
EXCLUDED = 'excluded'
KEPT = 'kept'
_NO_IMAGE = 'without an image'


def apply(
  d: descriptor_lib.Descriptor,
  table: tables.Table,
  findings: tables.Findings,
) -> tuple[tables.Table, tuple[str, ...], tuple[cohort_lib.Step, ...]]:
  """Leaves out the rows that `d` excludes, one rule after the other.

  Values that no row has are a warning.

  Returns:
    The rows that stay, a sentence for each rule, and the steps: 'read', one
    'excluded' for each rule, 'kept'.

  Raises:
    UserError: if no row is left.
  """
  notes, steps = [], [_step(READ, d, table)]
  before = _step(KEPT, d, table)
  for exclusion in d.exclude:
    _check_values(exclusion, table, findings)
  for exclusion in d.exclude:
    drop, rule = _rows(d, table, exclusion), exclusion.rule
    notes.append(
      f'{drop.sum()} of {len(table)} rows excluded ({rule}): {exclusion.reason}'
    )
    table = table.rows(~drop)
    if not len(table):
      raise errors.UserError(
        f"'{d.path}': no row is left after exclude on '{exclusion.column}'."
      )
    after = _step(KEPT, d, table)
    steps.append(_difference(before, after, f'{rule}: {exclusion.reason}'))
    before = after
  return table, tuple(notes), (*steps, before)


def _check_values(exclusion, table, findings) -> None:
  """Warns of values that no row of the whole table has."""
  cells = {x or '' for x in table.columns[exclusion.column]}
  found = spellings.match(exclusion.values, cells)
  for value in exclusion.values:
    if not value or value in found:
      continue
    guess = errors.nearest(value, sorted(cells - {''}))
    hint = f" Did you mean '{guess}'?" if guess else ''
    if value.lower() in tables.MISSING:
      hint = " It is read as missing, which is ''."
    findings.warn(
      f"exclude: no row has '{value}'.{hint}",
      column=exclusion.column,
    )


def without_image(
  d: descriptor_lib.Descriptor,
  table: tables.Table,
  has_image: np.ndarray,
  steps: tuple[cohort_lib.Step, ...],
) -> tuple[tables.Table, tuple[str, ...], tuple[cohort_lib.Step, ...]]:
  """Leaves out studies without an image.

  Args:
    d: the descriptor.
    table: r rows.
    has_image: (r,) bool, whether the row's study has an image.
    steps: so far, 'kept' last.

  Returns:
    As `apply`.

  Raises:
    UserError: if no row is left.
  """
  left = table.rows(has_image)
  if not len(left):
    raise errors.UserError(
      f"'{d.path}': no row is left after exclude_without_image: no study has "
      'an image.'
    )
  before, after = steps[-1], _step(KEPT, d, left)
  studies = before.studies - after.studies
  note = (
    f'{studies} of {before.studies} studies excluded: {_NO_IMAGE} '
    '(exclude_without_image)'
  )
  excluded = _difference(before, after, _NO_IMAGE)
  return left, (note,) if studies else (), (*steps[:-1], excluded, after)


def _rows(d, table, exclusion) -> np.ndarray:
  """(r,) bool: the rows that a rule leaves out."""
  column = table.columns[exclusion.column]
  if not exclusion.is_range:
    cells = ['' if x is None else x for x in column]
    meant = set(spellings.match(exclusion.values, set(cells)).values())
    return np.array([x in meant for x in cells], bool)
  form = d.number_format(exclusion.column)
  codes = {readings.meaning(x, form) for x in d.codes(exclusion.column)}
  drop = np.zeros(len(table), bool)
  for row, text in enumerate(column):
    if text is None or readings.meaning(text, form) in codes:
      continue
    value = form.read(text)
    if math.isnan(value):
      raise errors.UserError(
        f'{table.file}, {table.unit} {table.lines[row]}, column '
        f"'{exclusion.column}': '{text}' is not {form.legal}, so exclude with "
        'below or above cannot judge it.'
      )
    drop[row] = value < exclusion.below or value > exclusion.above
  return drop


def _difference(before, after, reason) -> cohort_lib.Step:
  return cohort_lib.Step(
    EXCLUDED,
    before.rows - after.rows,
    before.studies - after.studies,
    before.patients - after.patients,
    reason,
  )


def _step(name, d, table) -> cohort_lib.Step:
  """How many rows, studies and patients a table has."""
  studies, patients = (
    len(set(zip(*(table.columns[x] for x in key), strict=True)))
    for key in (d.study, d.patient or d.study)
  )
  return cohort_lib.Step(name, len(table), studies, patients)
