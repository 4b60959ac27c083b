"""Which columns a first cohort.toml proposes as features, and which not."""

import re

import numpy as np

from fusion_jax.core import spellings
from fusion_jax.data import (
  checks,
  distributions,
  drafting,
  looks,
  numbers,
)

_UNKNOWN = ('unk', 'unknown', '?', 'not known', 'unclear', "don't know")
_MANY_LEVELS = 100
_REASONS = {
  'numeric': 'every value is a number',
  'categorical': 'names that repeat',
  'boolean': 'two values, true and false',
}
_TICK = 'tick'
_TICKS = spellings.truths(spellings.TRUE_VALUES + spellings.TICKS)
# Kinds of numbers that need a key to be read.
_KEYS = {
  looks.DECIMAL: 'decimal',
  looks.UNIT: 'units',
  looks.BOUND: 'bounds',
}


def propose(draft: drafting.Draft, target: np.ndarray | None) -> None:
  """Adds the feature columns and keys to read them by; leaves out others."""
  kinds = {'numeric': [], 'categorical': [], 'boolean': []}
  every, by_column, ticks = {}, {}, []
  read = {'decimal': {}, 'units': {}, 'bounds': []}
  for column in list(draft.table.columns):
    if column in draft.used:
      continue
    values = draft.values(column)
    unknown = [x for x in values if x.lower() in _UNKNOWN]
    rest = [x for x in values if x not in unknown]
    form, keys = _format(rest)
    kind = _kind(draft, column, rest, form)
    if kind not in (*kinds, _TICK):
      draft.leave(column, kind)
      continue
    cells = _cells(draft, column, kind, form)
    why = _suspicion(cells, target)
    if why:
      draft.leave(column, why)
      continue
    if kind == _TICK:
      ticks.append(column)
    kinds['boolean' if kind == _TICK else kind].append(column)
    if kind == 'numeric':
      _add_keys(read, column, form, keys)
      found = distributions.codes(cells)
      if found:
        by_column[column] = [f'{x:.10g}' for x, _ in found]
    every.update(dict.fromkeys(unknown))
  for kind, columns in kinds.items():
    draft.set(kind, columns, _REASONS[kind], *columns)
  if ticks:
    draft.set('blank_false', ticks, 'one value or blank: ticks?')
  if every or by_column:
    codes = {'*': list(every)} if every else {}
    value = {**codes, **by_column} if by_column else list(every)
    reason = 'kept as a level of their own, not as missing'
    if by_column:
      reason += '; numbers that are repeated far from all others'
    draft.set('unknown_codes', value, reason)
  for key, value in read.items():
    if value:
      draft.set(key, value, 'so that these are read as numbers')


def _format(values) -> tuple[numbers.Format, tuple[str, ...]]:
  """How numbers are written in these cells, and the keys that say so."""
  form, keys = numbers.Format(), ()
  for _ in _KEYS:
    look = looks.of_column(values) if not keys else looks.of_cells(values, form)
    if look is None or look.kind not in _KEYS:
      break
    keys += (look.kind,)
    form = numbers.Format(
      decimal=numbers.COMMA if looks.DECIMAL in keys else form.decimal,
      unit=look.value if look.kind == looks.UNIT else form.unit,
      bounds=looks.BOUND in keys,
    )
  return form, keys


def _add_keys(read, column, form, keys) -> None:
  if looks.DECIMAL in keys:
    read['decimal'][column] = form.decimal
  if looks.UNIT in keys:
    read['units'][column] = form.unit
  if looks.BOUND in keys:
    read['bounds'].append(column)


def _kind(draft, column, values, form) -> str:
  """A kind of feature, or why the column is none."""
  name = drafting.plain(column)
  rows = len(draft.table) - draft.blanks(column)
  if not values:
    return 'every value is missing'
  if draft.counts_rows(column):
    return 'numbers the rows'
  if drafting.is_later(column):
    return f'{drafting.LOOK}made after the prediction?'
  if drafting.is_collected(column):
    return f'{drafting.LOOK}how the data were collected, not the patient?'
  if len(values) == 1:
    if draft.blanks(column) and spellings.truths(values) <= _TICKS:
      return _TICK
    return f"every value is '{values[0]}'"
  words = spellings.TRUE_VALUES + spellings.FALSE_VALUES
  if spellings.truths(values) <= spellings.truths(words):
    return 'boolean'
  if looks.of_dates(values):
    return f'dates of several kinds: some {looks.of_dates(values).what}'
  counted = all(not np.isnan(form.read(x)) for x in values)
  look = None if counted else looks.of_column(values)
  if look and look.kind == looks.DATE:
    return (
      f'dates: cells {look.what}; if it is when the prediction is made, set '
      'index_time'
    )
  if look:
    return f'cells {look.what}: {look.remedy(column)}'
  if looks.are_serials(name, values):
    return 'dates: cells look like Excel serial dates'
  if all(looks.date_format(x) for x in values):
    return f'dates: cells look like {looks.date_format(values[0])}'
  looks_id = re.search(r'(^|_)(id|uid|mrn|accession)$', name)
  if looks_id or (len(values) > 0.9 * rows and rows > 20 and not counted):
    return f'looks like an id: {len(values)} values in {rows} rows'
  if counted:
    return 'numeric'
  if len(values) > _MANY_LEVELS:
    return f'{len(values)} different names'
  return 'categorical'


def _cells(draft, column, kind, form) -> np.ndarray:
  """(r,) values as models would see them."""
  cells = draft.table.columns[column]
  if kind == 'numeric':
    return np.array([np.nan if x is None else form.read(x) for x in cells])
  if kind == _TICK:
    return np.where(np.equal(cells, None), 'false', 'true').astype(object)
  return cells


def _suspicion(values, target) -> str:
  """Why a feature seems to give the label away; empty if it does not."""
  if target is None:
    return ''
  reason = checks.disguise(values, target, 'the label')
  if reason:
    return f'the label in disguise? {reason[0].upper()}{reason[1:]}'
  auroc = checks.missingness_auroc(values, target)
  if auroc:
    return f'whether it is missing predicts the label (AUROC {auroc:.2f})'
  return ''
