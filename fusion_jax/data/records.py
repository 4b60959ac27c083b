"""A descriptor and its table become one typed record per study.

Every fault is collected with its file, line and column; nothing is guessed
and nothing is dropped without being said.
"""

import dataclasses
import math
import os
import pathlib

import numpy as np

from fusion_jax.core import errors, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import descriptor as descriptor_lib
from fusion_jax.data import exclusions, image_paths, tables

TRUE_VALUES = ('true', '1', 'yes', 'y', 't')
FALSE_VALUES = ('false', '0', 'no', 'n', 'f')

_MOST_FOLD = 10**9

# What groups and sites are called where the cell is blank.
MISSING_GROUP = 'missing'


@dataclasses.dataclass(eq=False)
class Records:
  """Columns of n studies, as far as they could be read.

  Attributes:
    descriptor: what was asked for.
    root: the data folder.
    findings: the faults found so far.
    table: the n rows that stand for the studies (the first row of each).
    study: (n,) str.
    patient: (n,) str.
    labels: (n, l) float64, NaN where unknown or illegal.
    task: with the class names in order.
    numeric: by name, (n,) float64.
    categorical: by name, (n,) object array of str or None.
    fold: (n,) int or None.
    site: (n,) str or None.
    index_time: (n,) float64 days or numbers, NaN where illegal; or None.
    groups: by name, (n,) str.
    weight: (n,) float64 or None.
    paths: per study, the paths of its images relative to the data folder.
    path_lines: per study, the line each path comes from.
    notes: sentences about what was left out.
    steps: from the rows that were read to the n studies.
  """

  descriptor: descriptor_lib.Descriptor
  root: pathlib.Path
  findings: tables.Findings
  table: tables.Table
  study: np.ndarray
  patient: np.ndarray
  labels: np.ndarray
  task: types.Task
  numeric: dict[str, np.ndarray]
  categorical: dict[str, np.ndarray]
  fold: np.ndarray | None
  site: np.ndarray | None
  index_time: np.ndarray | None
  groups: dict[str, np.ndarray]
  weight: np.ndarray | None
  paths: list[list[str]]
  path_lines: list[list[int]]
  notes: tuple[str, ...]
  steps: tuple[cohort_lib.Step, ...]

  def __len__(self) -> int:
    return len(self.study)


def read(d: descriptor_lib.Descriptor, root: str | os.PathLike) -> Records:
  """Reads the table of `d` under the folder `root`.

  Faults of cells land in the result's `findings`.

  Raises:
    UserError: where there is nothing to go on: no table, no such column, no
      row left.
  """
  root = pathlib.Path(root)
  if not root.is_dir():
    raise errors.UserError(f"No data folder '{root}'.")
  table = tables.read(
    root / d.table, encoding=d.encoding, keep=d.unknown_codes + d.classes
  )
  table = dataclasses.replace(table, file=d.table)
  _check_columns(d, table)
  findings = tables.Findings(d.table, table.unit)
  table, notes, steps = exclusions.apply(d, table)
  study = _identifiers(table, d.study, 'study', findings)
  first, row_of, study = _first_rows(study)
  paths, path_lines = image_paths.resolve(
    d, table, root, row_of, len(first), findings
  )
  if len(first) < len(table):
    _check_repeats(d, table, first, row_of, findings)
  table = table.rows(first)
  columns = _Columns(d, table, findings)
  labels, task = columns.labels()
  numeric, categorical = columns.features()
  patient = study
  if d.patient:
    patient = _identifiers(table, d.patient, 'patient', findings)
  return Records(
    descriptor=d,
    root=root,
    findings=findings,
    table=table,
    study=study,
    patient=patient,
    labels=labels,
    task=task,
    numeric=numeric,
    categorical=categorical,
    fold=columns.fold(),
    site=columns.names(d.site) if d.site else None,
    index_time=columns.index_time(),
    groups={x: columns.names(x) for x in d.groups},
    weight=columns.weight(),
    paths=paths,
    path_lines=path_lines,
    notes=notes,
    steps=steps,
  )


def _check_columns(d, table) -> None:
  named = d.named_columns()
  for pattern in d.images:
    for column in image_paths.fields(pattern, d.path) or (pattern,):
      named.setdefault(column, 'images')
  for column, key in named.items():
    if column not in table.columns:
      raise errors.unknown_name(
        'column', column, table.columns, where=f"key {key} of '{d.path}'"
      )


def _identifiers(table, columns, key, findings) -> np.ndarray:
  """(r,) str: the values of `columns` joined by '/'."""
  parts = []
  for name in columns:
    column = table.columns[name]
    for row in np.flatnonzero(np.equal(column, None)):
      findings.add(
        f'the {key} is blank.',
        line=table.lines[row],
        column=name,
        kind=f'blank {key}',
      )
    parts.append(['' if x is None else x for x in column])
  joined = ['/'.join(x) for x in zip(*parts, strict=True)]
  if key == 'study':
    # Rows without a name stay apart, so that they are one fault each.
    joined = [
      x or f'({table.unit} {line})'
      for x, line in zip(joined, table.lines, strict=True)
    ]
  return np.array(joined, dtype=str)


def _first_rows(study):
  """First row of each study in order of appearance, study of each row."""
  names, first, inverse = np.unique(
    study, return_index=True, return_inverse=True
  )
  order = np.argsort(first)
  rank = np.empty_like(order)
  rank[order] = np.arange(len(order))
  return first[order], rank[inverse], names[order]


def _check_repeats(d, table, first, row_of, findings) -> None:
  """Several rows of a study must agree in all but its images."""
  rows = np.setdiff1d(np.arange(len(table)), first)
  base = first[row_of[rows]]
  used = [x for x in d.named_columns() if x not in d.study]
  for column in used:
    values = table.columns[column]
    for at in np.flatnonzero(values[rows] != values[base]):
      row, other = rows[at], base[at]
      findings.add(
        f"study '{_joined(table, d.study, row)}' has {_shown(values[row])} "
        f'here but {_shown(values[other])} on {table.unit} '
        f'{table.lines[other]}.',
        line=table.lines[row],
        column=column,
        kind='contradiction within a study',
      )


def _joined(table, columns, row) -> str:
  return '/'.join(table.columns[x][row] or '' for x in columns)


def _shown(value) -> str:
  return 'nothing' if value is None else f"'{value}'"


def number(text: str) -> float:
  """`text` as a finite number, or NaN."""
  try:
    value = float(text)
  except ValueError:
    return math.nan
  return value if math.isfinite(value) and '_' not in text else math.nan


class _Columns:
  """Typed columns of a table whose faults go to `findings`."""

  def __init__(self, d, table, findings):
    self._d = d
    self._table = table
    self._findings = findings
    self._codes = {tables.canonical(x): x for x in d.unknown_codes}

  def _bad(self, row, column, message, kind):
    self._findings.add(
      message, line=self._table.lines[row], column=column, kind=kind
    )

  def _map(self, column, convert):
    """`convert` of each distinct text; None stays None."""
    values = self._table.columns[column]
    known = {x: convert(x) for x in set(values) if x is not None}
    known[None] = None
    out = np.empty(len(values), object)
    out[:] = [known[x] for x in values]
    return out

  def numbers(
    self,
    column: str,
    legal: str = 'a number',
    *,
    codes=(),
    most: float = types.LARGEST,
  ):
    """(n,) float64 and where a code of `codes` stands instead of a number."""
    coded = self._map(column, lambda x: tables.canonical(x) in codes).astype(
      bool
    )
    values = self._map(column, number)
    out = np.array([math.nan if x is None else x for x in values])
    bad = np.isnan(out) & np.not_equal(values, None) & ~coded
    text = self._table.columns[column]
    for row in np.flatnonzero(bad):
      self._bad(row, column, f"'{text[row]}' is not {legal}.", 'not a number')
    for row in np.flatnonzero(~coded & (np.abs(out) > most)):
      self._bad(
        row,
        column,
        f"'{text[row]}' is larger than {most:g} in size, which sums "
        'and squares do not hold.',
        'number too large',
      )
    return np.where(coded, math.nan, out), coded

  def features(self):
    d, numeric, categorical = self._d, {}, {}
    for column in d.numeric:
      numeric[column], coded = self.numbers(column, codes=self._codes)
      if coded.any():
        # The code is a level of its own: it must not vanish into missing.
        text = self._table.columns[column]
        levels = np.full(len(text), None, object)
        levels[~np.isnan(numeric[column])] = 'number'
        levels[coded] = [self._codes[tables.canonical(x)] for x in text[coded]]
        categorical[f'{column} (code)'] = levels
    for column in d.categorical:
      categorical[column] = self._table.columns[column]
    for column in d.boolean:
      categorical[column] = self._boolean(column)
    return numeric, categorical

  def _boolean(self, column: str) -> np.ndarray:
    d = self._d
    true, false = _truths(d.true_values, d.false_values)
    text = self._table.columns[column]
    present = {_lower(x) for x in set(text) if x is not None}
    present -= {_lower(x) for x in self._codes}
    others = present - true - false
    if d.true_values and not d.false_values and len(others) == 1:
      if not present & false:
        false = false | others
    legal = 'one of ' + ', '.join(sorted(true | false))

    def convert(x):
      if tables.canonical(x) in self._codes:
        return self._codes[tables.canonical(x)]
      if _lower(x) in true:
        return 'true'
      return 'false' if _lower(x) in false else ''

    values = self._map(column, convert)
    for row in np.flatnonzero(np.equal(values, '')):
      self._bad(
        row,
        column,
        f"'{text[row]}' is neither true nor false: expected {legal}, or a "
        'value named in true_values, false_values or unknown_codes.',
        'neither true nor false',
      )
    values[np.equal(values, '')] = None
    return values

  def _zero_one(self, column: str, *, blank: bool) -> np.ndarray:
    """(n,) float64 of 0 and 1; NaN where blank, an error unless `blank`."""
    positive = {tables.canonical(x) for x in self._d.positive}
    true, false = _truths((), ())

    def convert(x):
      if positive:
        return float(tables.canonical(x) in positive)
      return 1.0 if _lower(x) in true else 0.0 if _lower(x) in false else -1.0

    values = self._map(column, convert)
    text = self._table.columns[column]
    for row in np.flatnonzero(np.equal(values, -1.0)):
      self._bad(
        row,
        column,
        f"unknown label '{text[row]}': legal are 0 and 1, false and true, no "
        'and yes; or name the values that mean 1 with the key positive.',
        'unknown label',
      )
    if positive and not np.equal(values, 1.0).any():
      guess = errors.nearest(
        self._d.positive[0], {x for x in set(text) if x is not None}
      )
      hint = f" Did you mean '{guess}'?" if guess else ''
      self._findings.add(
        f'no row has a value of positive = {list(self._d.positive)}.{hint}',
        column=column,
      )
    if not blank:
      self._blanks(column)
    out = np.array([math.nan if x is None else x for x in values])
    return np.where(out < 0, math.nan, out)

  def _blanks(self, column: str) -> None:
    for row in np.flatnonzero(np.equal(self._table.columns[column], None)):
      self._bad(
        row,
        column,
        'the label is blank; studies without a label are left out with '
        f"[[exclude]] column = '{column}', values = [''] and a reason.",
        'blank label',
      )

  def labels(self):
    d = self._d
    names = d.label
    if d.task == types.BINARY:
      values = [self._zero_one(d.label[0], blank=False)]
    elif d.task == types.MULTILABEL:
      values = [self._zero_one(x, blank=True) for x in d.label]
    elif d.task == types.MULTICLASS:
      codes, names = self._classes(d.label[0])
      values = [codes]
    elif d.task == types.REGRESSION:
      values = [self.numbers(d.label[0])[0]]
      self._blanks(d.label[0])
    else:
      names = (d.time, d.event)
      values = [self._times(d.time), self._zero_one(d.event, blank=False)]
    return np.stack(values, axis=1), types.Task(d.task, tuple(names))

  def _times(self, column: str) -> np.ndarray:
    values, _ = self.numbers(column)
    self._blanks(column)
    text = self._table.columns[column]
    for row in np.flatnonzero(values <= 0):
      self._bad(
        row, column, f"time '{text[row]}' is not above 0.", 'time not above 0'
      )
    return np.where(values > 0, values, math.nan)

  def _classes(self, column: str):
    values = self._map(column, tables.canonical)
    found = {x for x in set(values) if x is not None}
    names = tuple(tables.canonical(x) for x in self._d.classes)
    if not names:
      numbers = all(not math.isnan(number(x)) for x in found)
      names = tuple(sorted(found, key=float if numbers else None))
    self._blanks(column)
    codes = {x: float(i) for i, x in enumerate(names)}
    text = self._table.columns[column]
    for row, value in enumerate(values):
      if value is not None and value not in codes:
        self._bad(
          row,
          column,
          f"unknown label '{text[row]}': classes are {', '.join(names)}.",
          'unknown label',
        )
    for name in names:
      if name not in found:
        self._findings.warn(f"no study is of class '{name}'.", column=column)
    out = np.array([codes.get(x, math.nan) for x in values])
    return out, names

  def names(self, column: str) -> np.ndarray:
    values = self._table.columns[column]
    return np.array([MISSING_GROUP if x is None else x for x in values], str)

  def fold(self) -> np.ndarray | None:
    column = self._d.fold
    if not column:
      return None
    values, _ = self.numbers(column, 'a whole number', most=math.inf)
    text = self._table.columns[column]
    whole = (np.abs(values) < _MOST_FOLD) & (values == np.round(values))
    for row in np.flatnonzero(~whole):
      if text[row] is None or not math.isnan(number(text[row])):
        self._bad(
          row,
          column,
          f'the fold is {_shown(text[row])}, expected a whole number of at '
          'most nine digits.',
          'fold not a whole number',
        )
    return np.where(whole, values, -1).astype(np.int64)

  def index_time(self) -> np.ndarray | None:
    """(n,) days since 1970-01-01 where any is a date, else numbers."""
    column = self._d.index_time
    if not column:
      return None
    text = self._table.columns[column]
    given = {x for x in set(text) if x is not None}
    dates = any(
      math.isnan(number(x)) and not math.isnan(tables.days(x)) for x in given
    )
    legal = 'an ISO date such as 2024-03-01 or 2024-03-01T14:30'
    if not dates:
      legal = f'{legal}, or a number'
    found = self._map(column, tables.days if dates else number)
    out = np.array([math.nan if x is None else x for x in found])
    for row in np.flatnonzero(np.isnan(out)):
      self._bad(
        row,
        column,
        f'the index time is {_shown(text[row])}, expected {legal}.',
        'no index time',
      )
    return out

  def weight(self) -> np.ndarray | None:
    column = self._d.weight
    if not column:
      return None
    values, _ = self.numbers(column, most=math.inf)
    text = self._table.columns[column]
    least, most = types.WEIGHTS
    for row in np.flatnonzero(~((values >= least) & (values <= most))):
      if text[row] is None or not math.isnan(number(text[row])):
        self._bad(
          row,
          column,
          f'the weight is {_shown(text[row])}, expected a number from '
          f'{least:g} to {most:g}.',
          'illegal weight',
        )
    return values


def _lower(text: str) -> str:
  return tables.canonical(text).lower()


def _truths(true_values, false_values):
  true = {_lower(x) for x in true_values or TRUE_VALUES}
  false = {_lower(x) for x in false_values or FALSE_VALUES}
  return true, false - true if not false_values else false
