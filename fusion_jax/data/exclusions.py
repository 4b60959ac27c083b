"""Rows that a descriptor leaves out, and what that leaves."""

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import descriptor as descriptor_lib
from fusion_jax.data import spellings, tables

READ = 'read'
EXCLUDED = 'excluded'
KEPT = 'kept'


def apply(
  d: descriptor_lib.Descriptor, table: tables.Table
) -> tuple[tables.Table, tuple[str, ...], tuple[cohort_lib.Step, ...]]:
  """Leaves out the rows that `d` excludes, one rule after the other.

  Returns:
    The rows that stay, a sentence for each rule, and the steps: 'read', one
    'excluded' for each rule, 'kept'.

  Raises:
    UserError: if no row is left.
  """
  notes, steps = [], [_step(READ, d, table)]
  before = _step(KEPT, d, table)
  for exclusion in d.exclude:
    cells = ['' if x is None else x for x in table.columns[exclusion.column]]
    meant = set(spellings.match(exclusion.values, set(cells)).values())
    drop = np.array([x in meant for x in cells], bool)
    rule = f'{exclusion.column} = {", ".join(exclusion.values)}'
    notes.append(
      f'{drop.sum()} of {len(table)} rows excluded ({rule}): {exclusion.reason}'
    )
    table = table.rows(~drop)
    if not len(table):
      raise errors.UserError(
        f"'{d.path}': no row is left after exclude on '{exclusion.column}'."
      )
    after = _step(KEPT, d, table)
    steps.append(
      cohort_lib.Step(
        EXCLUDED,
        before.rows - after.rows,
        before.studies - after.studies,
        before.patients - after.patients,
        f'{rule}: {exclusion.reason}',
      )
    )
    before = after
  return table, tuple(notes), (*steps, before)


def _step(name, d, table) -> cohort_lib.Step:
  """How many rows, studies and patients a table has."""
  studies, patients = (
    len(set(zip(*(table.columns[x] for x in key), strict=True)))
    for key in (d.study, d.patient or d.study)
  )
  return cohort_lib.Step(name, len(table), studies, patients)
