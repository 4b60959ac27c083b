"""What is odd about single columns of a record: warnings for a person."""

from collections.abc import Iterator, Sequence

import numpy as np

from fusion_jax.core import identifiers, spellings, types, words
from fusion_jax.data import distributions, keys, looks
from fusion_jax.data import records as records_lib

_IDENTIFIER_SHARE = 0.95
_IDENTIFIER_ROWS = 50
# Columns with a value in fewer studies are nearly empty, or in a smaller share.
_FEW = 10
_FEW_SHARE = 0.02
# Names beyond this are no levels, but free text or ids.
_MOST_LEVELS = 1000
# Values named in one message.
_NAMED = 4
# So many numbers are listed with their counts.
_LISTED = 12
# More negative numbers than these are no codes among labels, but a scale.
_FEW_NEGATIVE = 2


def check(records: records_lib.Records) -> None:
  """Adds warnings about columns to `records.findings`."""
  for column, values in features(records):
    _check_values(records, column, values)
  d = records.descriptor
  for column in dict.fromkeys((*d.groups, *filter(None, (d.site,)))):
    if column not in d.features:
      levels = {x for x in records.table.columns[column] if x is not None}
      check_levels(records.findings, column, sorted(levels))
  for column, values in records.numeric.items():
    _check_codes(records, column, values)
    _check_serials(records, column)
  if records.task.kind in (types.REGRESSION, types.SURVIVAL):
    _check_codes(records, d.labels[0], records.labels[:, 0])
  if d.positive_above is not None:
    for at, column in enumerate(d.label):
      _check_threshold(records, column, records.labels[:, at])
    if not d.label:
      _check_threshold(records, d.event, records.labels[:, 1])
  for column in d.categorical:
    _check_looks(records, column)


def features(
  records: records_lib.Records,
) -> Iterator[tuple[str, np.ndarray]]:
  """All feature columns with their names."""
  yield from records.numeric.items()
  yield from records.categorical.items()


def is_text(values: np.ndarray) -> bool:
  """Whether values are levels and not numbers."""
  return values.dtype == object


def missing(values: np.ndarray) -> np.ndarray:
  """(n,) bool: where (n,) numbers or levels are missing."""
  return np.equal(values, None) if is_text(values) else np.isnan(values)


def _check_values(records, column, values) -> None:
  """Constant and identifier-like features."""
  findings = records.findings
  observed = values[~missing(values)]
  distinct = np.unique(observed.astype(str) if is_text(values) else observed)
  if not len(observed):
    findings.warn('every value is missing.', column=column)
    return
  n = len(values)
  if len(observed) < max(_FEW_SHARE * n, min(_FEW, n / 2)):
    findings.warn(
      f'nearly empty: {len(observed)} of {n} studies have a value, so that a '
      'training part may have none and learn nothing from it; leave it out if '
      'it says no more than that it is missing.',
      column=column,
    )
  if is_text(values):
    check_levels(findings, column, distinct.tolist())
  if len(distinct) == 1:
    blank = len(observed) < len(values)
    message = f"every value is '{distinct[0]}'{' or missing' if blank else ''}."
    d = records.descriptor
    if blank and column in d.boolean + d.categorical:
      message += (
        ' If it is a tick, so that blank means false, list it under boolean '
        'and blank_false.'
      )
    findings.warn(message, column=column)
  elif _is_identifier(observed, distinct, is_text(values)):
    findings.warn(
      f'looks like an identifier: {len(distinct)} distinct values in '
      f'{len(observed)} studies.',
      column=column,
    )


def check_levels(findings, column: str, levels: Sequence[str]) -> None:
  """Warns of levels or classes that a person may have meant to be one."""
  found = identifiers.variants(levels) if len(levels) <= _MOST_LEVELS else []
  if not found:
    return
  groups = ['/'.join(identifiers.quoted(x)) for x in found[:3]]
  more = f' and {len(found) - 3} more' if len(found) > 3 else ''
  findings.warn(
    f'{", ".join(groups)}{more} are different levels, though they differ only '
    f'in {identifiers.FOLDED}: if they are one, write them alike.',
    column=column,
  )


def _is_identifier(observed, distinct, text: bool) -> bool:
  n = len(observed)
  if n < _IDENTIFIER_ROWS or len(distinct) < _IDENTIFIER_SHARE * n:
    return False
  return text or bool((observed == np.round(observed)).all())


def _check_codes(records, column, values) -> None:
  """Repeated values far from all others, such as 999."""
  found = distributions.codes(values)
  if not found:
    return
  codes = {x for x, _ in found}
  rest = [x for x in values if np.isfinite(x) and x not in codes]
  named = ', '.join(f'{x:.10g} ({count} times)' for x, count in found[:_NAMED])
  more = f' and {len(found) - _NAMED} more' if len(found) > _NAMED else ''
  remedy = ''
  if column in records.numeric:
    example = f'{keys.of_column(column)} = ["{found[0][0]:.10g}"]'
    remedy = (
      f' If so, name it in unknown_codes = {{{example}}}, or say what is '
      'plausible.'
    )
  records.findings.warn(
    f'{named}{more} stand apart from the other values ({min(rest):.10g} to '
    f'{max(rest):.10g}): codes for unknown?{remedy}',
    column=column,
  )


def _check_threshold(records, column, labels) -> None:
  """Says which numbers `positive_above` made 0 and 1, and doubts negative ones.

  Args:
    records: n studies.
    column: its cells are numbers.
    labels: (n,) float64 that were made of them, NaN where unknown.
  """
  d = records.descriptor
  form, cells = d.number_format(column), records.table.columns[column]
  values = np.array([np.nan if x is None else form.read(x) for x in cells])
  values = np.where(np.isnan(labels), np.nan, values)
  above = f'positive_above = {d.positive_above:.10g}'
  sides = [
    f'label {label} is {_shown(values[labels == label])}'
    for label in (0, 1)
    if (labels == label).any()
  ]
  if sides:
    note = f"Column '{column}': by {above}, {'; '.join(sides)}."
    records.notes += (note,)
  negative = values < 0
  levels, counts = np.unique(values[negative], return_counts=True)
  # -1 and 1 alone are no and yes; many negative numbers are a scale.
  odd = 1 <= len(levels) <= _FEW_NEGATIVE and (
    len(np.unique(values[values >= 0])) > 1
  )
  _check_codes(records, column, np.where(negative & odd, np.nan, values))
  if not odd:
    return
  named = [
    f'{x:.10g} ({words.counted(n, "time")})'
    for x, n in zip(levels, counts, strict=True)
  ]
  made = ' and '.join(f'{x:g}' for x in np.unique(labels[negative]))
  listed = ', '.join(f'"{x:.10g}"' for x in levels)
  remedy = (
    f'name it in unknown_codes = {{{keys.of_column(column)} = [{listed}]}}'
    if d.task == types.MULTILABEL
    else 'leave such studies out with [[exclude]] column = '
    f'{keys.text(column)}, values = [{listed}] and a reason'
  )
  message = (
    f'{" and ".join(named)} among numbers that are not negative '
    f'{"counts" if len(named) == 1 else "count"} as {made} by {above}: '
    f'a code for unknown? If so, {remedy}.'
  )
  records.findings.warn(message, column=column)
  records.warnings += (f"Column '{column}': {message}",)


def _shown(values: np.ndarray) -> str:
  """(n,) numbers in words: each with its count, or only the range of many."""
  levels, counts = np.unique(values, return_counts=True)
  if len(levels) > _LISTED:
    return (
      f'{len(levels)} numbers from {levels[0]:.10g} to {levels[-1]:.10g} '
      f'({words.counted(len(values), "study")})'
    )
  shown = (
    f'{x:.10g} ({words.counted(n, "study")})'
    for x, n in zip(levels, counts, strict=True)
  )
  return ', '.join(shown)


def _cells(records, column) -> set[str]:
  """The distinct texts of a column, without its unknown codes."""
  codes = {spellings.meaning(x) for x in records.descriptor.codes(column)}
  cells = {x for x in records.table.columns[column] if x is not None}
  return {x for x in cells if spellings.meaning(x) not in codes}


def _check_serials(records, column) -> None:
  if looks.are_serials(column, _cells(records, column)):
    records.findings.warn(
      'looks like Excel serial dates (days since 1899-12-30): a date is no '
      'feature; count days to the prediction.',
      column=column,
    )


def _check_looks(records, column) -> None:
  """Numbers and dates that are listed as names."""
  look = looks.of_column(_cells(records, column))
  if look is None:
    return
  remedy = look.remedy(column)
  if look.kind != looks.DATE:
    remedy = f'list the column under numeric and {remedy}'
  records.findings.warn(f'its cells {look.what}: {remedy}', column=column)
