"""A table with one row a measurement or event becomes a series by study.

Rows at or after the prediction never pass: they are an error or, if a person
said so, left out and counted. Whatever else is left out is counted too.
"""

import collections
import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pyarrow as pa

from fusion_jax.core import errors, spellings, text_tables, types
from fusion_jax.data import (
  row_batches,
  row_cells,
  row_faults,
  row_names,
  tables,
)
from fusion_jax.data.kinds import series

HOURS = {'seconds': 1 / 3600, 'minutes': 1 / 60, 'hours': 1.0, 'days': 24.0}
ERROR, DROP = 'error', 'drop'

# Kinds of faults that a wrong time_unit explains.
_NUMBER, _DATE = 'number among dates', 'date among numbers'
# A code may well be called 'Na'.
_MISSING_CODE = tables.MISSING - {'na'}
# Equal rows above this share of all are worth a sentence.
_EQUAL = 0.01
_TOO_LARGE = f'is larger than {types.LARGEST:g} in size.'
_NAMED = 20


@dataclasses.dataclass(frozen=True)
class SeriesColumns:
  """Where the rows of a series are, and which of them count.

  Attributes:
    table: the file, relative to the data folder.
    study: columns that together name the study.
    time: column of ISO dates with a time of day, or of numbers.
    code: column of what was measured or noted.
    value: column of numbers, blank for mere events; '' if there is none.
    time_unit: of numeric times, one of HOURS; '' if times are dates.
    index: a moment of the prediction common to all studies, in `time_unit`.
    window: hours before the prediction; rows older than that are left out.
    after_index: what rows at or after the prediction are: ERROR or DROP.
    length: most rows of a study that models are given.
    unknown: values that mean unknown; such rows are left out.
    plausible: by code, the least and the largest value that counts.
    codes: those to use; all if empty.
    sheet: of a workbook; the first if empty.
    encoding: of a text table.
  """

  table: str
  study: tuple[str, ...]
  time: str
  code: str
  value: str
  time_unit: str = ''
  index: float | None = None
  window: float = math.inf
  after_index: str = ERROR
  length: int = series.LENGTH
  unknown: tuple[str, ...] = ()
  plausible: Mapping[str, tuple[float, float]] = dataclasses.field(
    default_factory=dict
  )
  codes: tuple[str, ...] = ()
  sheet: str = ''
  encoding: str = text_tables.UTF8

  def __post_init__(self):
    if not self.study:
      raise self._illegal('study', (), 'one or more columns')
    if self.time_unit not in ('', *HOURS):
      raise errors.unknown_name(
        'time_unit', self.time_unit, HOURS, where=f"of '{self.table}'"
      )
    if self.after_index not in (ERROR, DROP):
      raise errors.unknown_name(
        'after_index', self.after_index, (ERROR, DROP), where=self.table
      )
    if self.index is not None and not math.isfinite(self.index):
      raise self._illegal('index', self.index, 'a number')
    if self.index is not None and not self.time_unit:
      raise errors.UserError(
        f"Series '{self.table}': index = {self.index:g} is a number, so times "
        f'must be numbers too: set time_unit to one of {", ".join(HOURS)}; for '
        'dates name the column index_time of the cohort instead.'
      )
    if not self.window > 0:
      raise self._illegal('window', self.window, 'a number of hours above 0')
    if self.length < 1:
      raise self._illegal('length', self.length, 'a whole number above 0')
    for code, (low, high) in self.plausible.items():
      if not low < high:
        raise self._illegal(
          f"plausible of '{code}'",
          (low, high),
          'the least and the largest number',
        )

  def _illegal(self, key, value, legal):
    return errors.UserError(
      f"Series '{self.table}': {key} is {value!r}, expected {legal}."
    )


def read(
  columns: SeriesColumns,
  root: str | os.PathLike,
  study: np.ndarray,
  index_time: np.ndarray | None,
  findings: tables.Findings,
  *,
  index_is_date: bool | None = None,
) -> tuple[series.Data, tuple[str, ...]]:
  """The rows of n studies before the prediction, and notes on the others.

  Faults of cells go to `findings`; rows with one are left out.

  Args:
    columns: of the table.
    root: the data folder.
    study: (n,) str, names as data/records.py reads them.
    index_time: (n,) float64 moment of each study's prediction, in the times'
      own unit, days since 1970-01-01 of dates; rows of studies where it is NaN
      are left out. None if the cohort has none; `columns.index` goes before it.
    findings: of this table; `unit` is set to what its places count.
    index_is_date: whether `index_time` was read from dates, where that is
      known: times must be dates if and only if it was.

  Returns:
    Data of the n studies, and sentences that every report repeats.

  Raises:
    UserError: if there is nothing to go on: no table, no such column, no time
      of prediction.
  """
  index = _index(columns, study, index_time, index_is_date)
  path = pathlib.Path(root) / columns.table
  source = row_batches.of_file(
    path, encoding=columns.encoding, sheet=columns.sheet
  )
  findings.unit = source.unit
  reading = _Reading(columns, source.names, study, index)
  for batch in source.batches(reading.names):
    reading.add(batch)
  return reading.finish(source, findings)


def _index(columns, study, index_time, index_is_date) -> np.ndarray:
  """(n,) float64 moments of the predictions."""
  if columns.index is not None:
    return np.full(len(study), columns.index, np.float64)
  if index_time is None:
    raise errors.UserError(
      f"Series '{columns.table}': when is the prediction made? Name the column "
      'index_time of the cohort or, where times are numbers, set index to a '
      'moment that all studies share, such as index = 48 with time_unit = '
      '"hours".'
    )
  if index_is_date is not None and index_is_date == bool(columns.time_unit):
    theirs = 'dates' if index_is_date else 'numbers'
    ours = 'numbers' if columns.time_unit else 'dates'
    raise errors.UserError(
      f"Series '{columns.table}': its times are {ours} (time_unit = "
      f'"{columns.time_unit}"), but index_time of the cohort are {theirs}; '
      'they must be alike.'
    )
  return np.asarray(index_time, np.float64)


class _Reading:
  """Rows read so far, and how many were left out for which reason."""

  def __init__(self, columns: SeriesColumns, known, study, index):
    self._columns = columns
    self._study = study
    self._index = index
    self._dates = not columns.time_unit
    self._studies = row_names.Studies(study, len(columns.study))
    where = f"Table '{columns.table}', column '{columns.code}'"
    self._codes = row_names.Names(_MISSING_CODE, where=where)
    self._wanted = {y for x in columns.codes for y in row_names.spellings_of(x)}
    self._count = collections.Counter()
    self._late = []
    self._faults = row_faults.Faults()
    self._kept = []
    named = [('study', x) for x in columns.study]
    named += [(k, getattr(columns, k)) for k in ('time', 'code', 'value')]
    self.names = []
    for key, name in named:
      if name not in known and (name or key != 'value'):
        raise errors.unknown_name(
          'column', name, known, where=f"{key} of series '{columns.table}'"
        )
      self.names += [name] if name else []

  def add(self, batch: Mapping[str, pa.Array]) -> None:
    """Reads the next rows of the file; only those of the cohort are parsed."""
    c = self._columns
    parts = [self._try(row_cells.texts, batch, x) for x in c.study]
    ids, blank = self._studies.add(parts)
    n, first = len(ids), self._count['rows']
    self._count['rows'] += n
    for name, at in zip(c.study, blank, strict=True):
      rows = first + np.flatnonzero(at)
      self._faults.add(
        'blank study', name, rows, lambda i: 'the study is blank.'
      )
    place = self._studies.places(ids)
    self._count['others'] += int(((place < 0) & (ids >= 0)).sum())
    at = np.flatnonzero(place >= 0)
    at, hours = self._times(batch, at, place, first)
    code = self._codes.add(self._try(row_cells.texts, batch, c.code, at))
    self._faults.add(
      'blank code', c.code, first + at[code < 0], lambda i: 'the code is blank.'
    )
    used = self._used()[code]
    self._count['codes'] += int(((code >= 0) & ~used).sum())
    at, hours, code = at[used], hours[used], code[used]
    value, keep = self._values(batch, at, code, first)
    at = at[keep]
    self._kept.append(
      (ids[at], place[at], hours[keep], code[keep], value[keep])
    )

  def _times(self, batch, at, place, first):
    """Rows before the prediction, and by how many hours (negative)."""
    c = self._columns
    cells = self._cells(batch, c.time, at, dates=self._dates)
    self._say_times(cells, first + at)
    fine = cells.fault == row_cells.FINE
    index = self._index[place[at]]
    self._count['times'] += int(fine.sum())
    placed = ~np.isnan(index)
    self._count['unplaced'] += int((fine & ~placed).sum())
    fine &= placed
    since = cells.value - index
    late = fine & (since >= 0)
    self._count['late'] += int(late.sum())
    rows = first + at[np.flatnonzero(late)[: _NAMED - len(self._late)]]
    self._late += rows.tolist()
    if self._dates:
      day = np.floor(cells.value)
      self._count['clock'] += int((fine & (day != cells.value)).sum())
      same = fine & ~late & (day == np.floor(index))
      self._count['same day'] += int(same.sum())
    hours = since * HOURS[c.time_unit or 'days']
    old = fine & (hours < -c.window)
    self._count['old'] += int(old.sum())
    keep = fine & ~late & ~old
    return at[keep], hours[keep]

  def _say_times(self, cells, rows):
    kinds = {row_cells.BLANK: ('blank time', 'the time is blank.')}
    if self._dates:
      legal = 'an ISO date such as 2024-03-01T14:30'
      kinds[row_cells.OTHER] = _NUMBER, f"'{{}}' is a number, expected {legal}."
    else:
      legal = f'a number of {self._columns.time_unit}'
      kinds[row_cells.OTHER] = _DATE, f"'{{}}' is a date, expected {legal}."
    kinds[row_cells.UNREADABLE] = 'no time', f"'{{}}' is not {legal}."
    kinds[row_cells.TOO_LARGE] = 'time too large', f"'{{}}' {_TOO_LARGE}"
    self._say(cells, rows, self._columns.time, kinds)

  def _say(self, cells, rows, column, kinds, about=None):
    """Counts cells by what is the matter; `about` says more of the i-th."""
    for fault, (kind, message) in kinds.items():
      at = np.flatnonzero(cells.fault == fault)

      def say(i, at=at, message=message):
        more = about(at[i]) if about else ''
        return message.format(errors.brief(cells.text(at[i])), more)

      self._faults.add(kind, column, rows[at], say)

  def _values(self, batch, at, code, first):
    """(r,) float32 values, and (r,) bool which rows stay."""
    c = self._columns
    if not c.value:
      return np.full(len(at), np.nan, np.float32), np.ones(len(at), bool)
    cells = self._cells(batch, c.value, at, unknown=c.unknown)
    names, no_number = self._codes.texts, 'is not a number (decimal point).'
    kinds = {
      row_cells.OTHER: ('not a number', no_number),
      row_cells.UNREADABLE: ('not a number', no_number),
      row_cells.TOO_LARGE: ('number too large', _TOO_LARGE),
    }
    kinds = {
      fault: (kind, f"the value '{{}}' of '{{}}' {message}")
      for fault, (kind, message) in kinds.items()
    }
    self._say(cells, first + at, c.value, kinds, about=lambda i: names[code[i]])
    self._count['unknown'] += int((cells.fault == row_cells.UNKNOWN).sum())
    keep = np.isin(cells.fault, (row_cells.FINE, row_cells.BLANK))
    # -0 and 0 are one value, and so one place in the order of rows.
    return cells.value.astype(np.float32) + np.float32(0), keep

  def _used(self) -> np.ndarray:
    """(d + 1,) bool by number of a code: it is one to use."""
    spelt = map(row_names.spellings_of, self._codes.texts)
    wanted = self._wanted
    return np.array(
      [not wanted or not wanted.isdisjoint(x) for x in spelt] + [False]
    )

  def _cells(self, batch, name, at, **options) -> row_cells.Cells:
    return self._try(lambda x: row_cells.read(x, **options), batch, name, at)

  def _try(self, convert: Callable, batch, name, at=None):
    """`convert` of the rows `at` of a column.

    Raises:
      UserError: if it is of a type that cannot be converted.
    """
    column = batch[name]
    try:
      if at is not None and len(at) < len(column):
        column = column.take(pa.array(at))
      return convert(column)
    except (pa.ArrowException, UnicodeDecodeError):
      raise errors.UserError(
        f"Table '{self._columns.table}', column '{name}': values of type "
        f'{column.type} cannot be read as '
        f'{"times, " * (name == self._columns.time)}numbers or text.'
      ) from None

  def finish(self, source, findings) -> tuple[series.Data, tuple[str, ...]]:
    """Data of all rows, and notes."""
    c, count, n = self._columns, self._count, len(self._study)
    if not count['rows']:
      raise errors.UserError(f"Table '{source.path}' has a header but no rows.")
    ids, *rows = map(np.concatenate, zip(*self._kept, strict=True))
    self._kept = []
    known = self._studies.known()[ids]
    count['others'] += int((~known).sum())
    self._tell(source, findings)
    _, _, code, value = rows = [x[known] for x in rows]
    keep, implausible = self._plausible(code, value, findings)
    study, hours, code, value = (x[keep] for x in rows)
    code, names = self._names(code)
    # Float32 takes the least of differences for none.
    hours = np.minimum(hours, -float(np.finfo(np.float32).tiny))
    data = series.Data.of_rows(
      study, hours, code, value, n=n, codes=names, length=c.length
    )
    if not len(study):
      self._say_none(findings, implausible)
    self._studies.say_alike(study, findings, c.study)
    notes = [*self._notes(), *implausible]
    equal = _equal(data.time, data.code, value=data.value)
    if equal > _EQUAL * len(study):
      # Float32 takes times for equal that are only close: look again.
      order = np.lexsort((value, code, hours, study))
      exact = (x[order] for x in (study, hours, code))
      equal = _equal(*exact, value=value[order])
    if equal > _EQUAL * len(study):
      notes.append(
        f'of {len(study):,} rows {_are(equal)} equal to another in study, '
        'time, code and value, and kept'
      )
    return data, tuple(notes)

  def _tell(self, source, findings):
    """Files faults of cells, codes that are nowhere and late rows."""
    c, count, faults = self._columns, self._count, self._faults
    kind = _NUMBER if self._dates else _DATE
    other = count['times'] + faults.count('no time')
    if faults.count(kind) and not other:
      first = faults.first(kind).split(', expected')[0]
      what, remedy = 'dates', f'take time_unit = "{c.time_unit}" out'
      if self._dates:
        what, remedy = 'numbers', f'set time_unit to one of {", ".join(HOURS)}'
      findings.add(f'times are {what} ({first}): {remedy}.', column=c.time)
      faults.drop(kind)
    faults.tell(findings, source.lines)
    for key, names in (('codes', c.codes), ('plausible', c.plausible)):
      self._say_codes(key, names, findings)
    if count['late'] and c.after_index == ERROR:
      lines = source.lines(np.array(self._late, int))
      shown = ', '.join(map(str, lines))
      more = ', ...' * (count['late'] > len(lines))
      unit = source.unit + 's' * (len(lines) > 1)
      findings.add(
        f'of {count["rows"]:,} rows {_are(count["late"])} at or after the time '
        f'of prediction ({unit} {shown}{more}): nothing of them is '
        'known when it is made; take them out of the table, or set '
        'after_index = "drop", which leaves them out and counts them.',
        line=lines[0],
        column=c.time,
      )
    if count['same day'] and not count['clock']:
      findings.warn(self._same_day(), column=c.time)

  def _same_day(self):
    return (
      f'{_are(self._count["same day"], "row")} dated on the day of the '
      'prediction without a time of day and count as midnight, before it'
    )

  def _say_codes(self, key, names: Iterable[str], findings):
    """Warns of codes that no row has."""
    for name in names:
      if not self._codes.of(name):
        guess = errors.nearest(name, self._codes.texts)
        hint = f" Did you mean '{guess}'?" if guess else ''
        findings.warn(
          f"no row of the cohort before the prediction has the code '{name}' "
          f'(key {key}).{hint}',
          column=self._columns.code,
        )

  def _plausible(self, code, value, findings):
    """(t,) bool which rows stay, and sentences about the others."""
    c, keep, notes = self._columns, np.ones(len(code), bool), []
    for name, limits in c.plausible.items():
      mine = np.isin(code, self._codes.of(name)) & ~np.isnan(value)
      low, high = np.asarray(limits, np.float32)  # As values are kept.
      out = mine & ~((value >= low) & (value <= high))
      if not out.any():
        continue
      keep &= ~out
      least, most = f'{value[out].min():g}', f'{value[out].max():g}'
      span = least if least == most else f'{least} to {most}'
      note = (
        f"of {int(mine.sum()):,} rows of '{name}' {_are(int(out.sum()))} "
        f'outside plausible = [{limits[0]:g}, {limits[1]:g}] '
        f'({span}) and left out'
      )
      findings.warn(f'{note}.', column=c.value)
      notes.append(note)
    return keep, notes

  def _names(self, code) -> tuple[np.ndarray, tuple[str, ...]]:
    """(t,) int32 places of codes among their sorted names, and these."""
    used, inverse = np.unique(code, return_inverse=True)
    texts = np.array([self._codes.texts[k] for k in used], object)
    spelt = spellings.unify(texts).tolist()
    names = sorted(set(spelt))
    at = {x: k for k, x in enumerate(names)}
    place = np.array([at[x] for x in spelt], np.int32)
    return place[inverse.reshape(-1)], tuple(names)

  def _notes(self) -> list[str]:
    c, count = self._columns, self._count
    reasons = {
      'others': 'of studies that are not in the cohort, and ignored',
      'unplaced': 'of studies without a time of prediction, and left out',
      'late': 'at or after the time of prediction and left out',
      'old': f'more than {c.window:g} hours before the prediction and left out',
      'codes': 'of codes that are not used, and left out',
      'unknown': f'of unknown value ({", ".join(c.unknown)}) and left out',
    }
    notes = [
      f'of {count["rows"]:,} rows {_are(count[k])} {reason}'
      for k, reason in reasons.items()
      if count[k]
    ]
    if count['same day'] and not count['clock']:
      notes.append(self._same_day())
    return notes

  def _say_none(self, findings, implausible):
    ours = [f"'{x}'" for x in self._study[:2]]
    theirs = [f"'{x}'" for x in self._studies.others()[:2]]
    if self._count['others'] == self._count['rows']:
      findings.add(
        f'none of {self._count["rows"]:,} rows is of a study of the cohort '
        f'(here {", ".join(theirs)}, there {", ".join(ours)}).',
        column='/'.join(self._columns.study),
      )
    elif not any(x.is_error for x in findings.finished()):
      reasons = '; '.join([*self._notes(), *implausible])
      findings.add(f'no row is left: {reasons or "each has a fault"}.')


def _equal(*columns, value: np.ndarray) -> int:
  """How many rows of sorted columns are equal to the one before."""
  # As whole numbers, so that NaN is equal to NaN.
  columns = (*columns, value.view(np.int32))
  same = [x[1:] == x[:-1] for x in columns]
  return int(np.logical_and.reduce(same).sum())


def _are(count: int, noun: str = '') -> str:
  """'1,234 are'; '1 is'; with a noun '2 rows are'."""
  several = count != 1
  noun = f' {noun}{"s" * several}' if noun else ''
  return f'{count:,}{noun} {"are" if several else "is"}'
