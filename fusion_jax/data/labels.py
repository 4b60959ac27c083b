"""Labels of a table: which cells mean 1, 0, a class or a number.

Nothing is taken for 0 because it is not 1: every value that neither a key of
cohort.toml nor the task explains is an error that lists it with its count.
"""

import collections
import decimal
import math
from collections.abc import Callable, Iterable

import numpy as np

from fusion_jax.core import errors, spellings, types, words
from fusion_jax.data import descriptor as descriptor_lib
from fusion_jax.data import tables

# This many values are listed with their counts; the rest is only counted.
_LISTED = 12


def read(
  d: descriptor_lib.Descriptor,
  table: tables.Table,
  findings: tables.Findings,
  numbers: Callable[..., tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, types.Task]:
  """Labels of the n rows of `table`, and the task with its names.

  Args:
    d: says which columns hold them and what their values mean.
    table: n rows.
    findings: where faults go.
    numbers: of a column, (n,) float64, and (n,) bool where one of its `codes`
      stands; files what is neither.

  Returns:
    (n, l) float64, NaN where unknown or illegal.
  """
  reader, names = _Reader(d, table, findings, numbers), d.label
  if d.label_separator:
    return reader.separated(d.label[0])
  if d.task == types.BINARY:
    values = [reader.zero_one(d.label[0])]
  elif d.task == types.MULTILABEL:
    values = [reader.zero_one(x) for x in d.label]
  elif d.task == types.MULTICLASS:
    codes, names = reader.classes(d.label[0])
    values = [codes]
  elif d.task == types.REGRESSION:
    values = [reader.number(d.label[0])]
  else:
    names = d.time, d.event
    values = [reader.time(d.time), reader.zero_one(d.event)]
  return np.stack(values, axis=1), types.Task(d.task, tuple(names))


class _Reader:
  """Reads one label column after the other."""

  def __init__(self, d, table, findings, numbers):
    self._d = d
    self._table = table
    self._findings = findings
    self._numbers = numbers

  def zero_one(self, column: str) -> np.ndarray:
    """(n,) float64 of 0 and 1; NaN where blank, unknown or illegal."""
    d = self._d
    if d.positive_above is not None:
      values = self.number(column)
      above = (values > d.positive_above).astype(float)
      return np.where(np.isnan(values), math.nan, above)
    known = self._declared(column) if d.positive else self._words(column)
    return self._coded(column, known)

  def _counts(self, column: str) -> collections.Counter:
    cells = self._table.columns[column]
    return collections.Counter(x for x in cells if x is not None)

  def _keyed(self, column: str) -> tuple[dict[str, float], list[str]]:
    """What cells mean by positive, negative and unknown_codes; the others."""
    d, counts = self._d, self._counts(column)
    codes = d.codes(column)
    cells = spellings.match(d.positive + d.negative + codes, counts)
    known = {cells[x]: math.nan for x in codes if x in cells}
    known |= {cells[x]: 0.0 for x in d.negative if x in cells}
    known |= {cells[x]: 1.0 for x in d.positive if x in cells}
    return known, sorted(counts.keys() - known.keys())

  def _declared(self, column: str) -> dict[str, float]:
    d, counts = self._d, self._counts(column)
    known, rest = self._keyed(column)
    # A value that is alone in this column may stand beside 0 in another.
    all_rest = {
      spellings.meaning(x)
      for y in d.label or (column,)
      for x in self._keyed(y)[1]
    }
    if 1.0 not in known.values():
      guess = errors.nearest(d.positive[0], rest)
      hint = f" Did you mean '{guess}'?" if guess else ''
      self._findings.add(
        f'no row has a value of positive = {list(d.positive)}.{hint}',
        column=column,
      )
    elif rest and len(all_rest) == 1 and not d.negative:
      return known | dict.fromkeys(rest, 0.0)
    elif rest:
      others = ', and leave rows of the others out with [[exclude]]'
      if d.task == types.MULTILABEL:
        others = ', and with unknown_codes which mean unknown'
      self._findings.add(
        f'values neither of positive = {list(d.positive)} nor of negative = '
        f'{list(d.negative)}: {_listed(rest, counts)}. Say with the key '
        f'negative which of them mean 0{others}.',
        column=column,
      )
    return known | dict.fromkeys(rest, math.inf)

  def _words(self, column: str) -> dict[str, float]:
    """What cells mean if they are truth values or unknown codes."""
    true = spellings.truths(spellings.TRUE_VALUES)
    false = spellings.truths(spellings.FALSE_VALUES)
    counts, known = self._counts(column), {}
    for cell in counts:
      truth = spellings.truth(cell)
      if truth in true | false:
        known[cell] = float(truth in true)
    unknown = spellings.match(self._d.codes(column), counts).values()
    known |= dict.fromkeys(unknown, math.nan)
    text = self._table.columns[column]
    for row, cell in enumerate(text):
      if cell is not None and cell not in known:
        self._bad(
          row,
          column,
          f"unknown label '{cell}': legal are 0 and 1, false and true, no "
          'and yes; or name the values that mean 1 with the key positive.',
          'unknown label',
        )
    return known

  def _coded(self, column: str, known: dict[str, float]) -> np.ndarray:
    """(n,) float64 of what cells mean: NaN is unknown, infinite illegal."""
    text = self._table.columns[column]
    unknown = {x for x, value in known.items() if math.isnan(value)}
    self._unknown(column, np.array([x in unknown for x in text], bool))
    self._blanks(column)
    out = np.array([known.get(x, math.nan) for x in text])
    return np.where(np.isfinite(out), out, math.nan)

  def _unknown(self, column: str, rows: np.ndarray) -> None:
    """Faults rows with an unknown code where a label must be known."""
    if self._d.task == types.MULTILABEL:
      return
    text = self._table.columns[column]
    for row in np.flatnonzero(rows):
      self._bad(
        row,
        column,
        f"'{text[row]}' is an unknown code (unknown_codes), but a "
        f'{self._d.task} label must be known; such studies are left out with '
        f"[[exclude]] column = '{column}', values = ['{text[row]}'] and a "
        'reason.',
        'unknown code',
      )

  def _blanks(self, column: str) -> None:
    if self._d.task == types.MULTILABEL:
      return
    for row in np.flatnonzero(np.equal(self._table.columns[column], None)):
      self._bad(
        row,
        column,
        'the label is blank; studies without a label are left out with '
        f"[[exclude]] column = '{column}', values = [''] and a reason.",
        'blank label',
      )

  def number(self, column: str) -> np.ndarray:
    """(n,) float64; an unknown code is a fault even if it is a number."""
    values, coded = self._numbers(column, codes=self._d.codes(column))
    self._unknown(column, coded)
    self._blanks(column)
    return values

  def time(self, column: str) -> np.ndarray:
    """(n,) float64 above 0."""
    values = self.number(column)
    text = self._table.columns[column]
    for row in np.flatnonzero(values <= 0):
      self._bad(
        row, column, f"time '{text[row]}' is not above 0.", 'time not above 0'
      )
    return np.where(values > 0, values, math.nan)

  def classes(self, column: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(n,) float64 codes, and the names of the classes in their order."""
    d, counts = self._d, self._counts(column)
    codes = d.codes(column)
    cells = spellings.match(d.classes + codes, counts)
    known = {cells[x]: math.nan for x in codes if x in cells}
    names = d.classes or _ordered(x for x in counts if x not in known)
    for code, name in enumerate(names):
      if cells.get(name, name) in counts:
        known[cells.get(name, name)] = float(code)
    text = self._table.columns[column]
    for row, cell in enumerate(text):
      if cell is not None and cell not in known:
        self._bad(
          row,
          column,
          f"unknown label '{cell}': classes are {', '.join(names)}.",
          'unknown label',
        )
    for name in names:
      if cells.get(name, name) not in counts:
        self._findings.warn(f"no study is of class '{name}'.", column=column)
    return self._coded(column, known), tuple(names)

  def separated(self, column: str) -> tuple[np.ndarray, types.Task]:
    """Several labels in one cell, such as 'Edema|Effusion'.

    A blank cell or unknown code means that no label of the study is known. A
    value of `negative` ('No Finding') names no label.
    """
    d, text = self._d, self._table.columns[column]
    cells = [
      None if x is None else [y.strip() for y in x.split(d.label_separator)]
      for x in text
    ]
    counts = collections.Counter(y for x in cells for y in set(x or ()) if y)
    codes = d.codes(column)
    meant = spellings.match(d.classes + d.negative + codes, counts)
    negative = {meant[x] for x in d.negative if x in meant}
    unknown = {meant[x] for x in codes if x in meant} - negative
    names = d.classes or _ordered(counts.keys() - negative - unknown)
    places = {meant.get(x, x): i for i, x in enumerate(names)}
    unknown -= places.keys()
    for name in names:
      if meant.get(name, name) not in counts:
        self._findings.warn(f"no study has the label '{name}'.", column=column)
    rest = counts.keys() - places.keys() - negative - unknown
    if rest:
      self._findings.add(
        f'labels neither of classes = {list(names)} nor of negative = '
        f'{list(d.negative)}: {_listed(rest, counts)}. Add them to classes, '
        'or to negative if they count for no label.',
        column=column,
      )
    out = np.full((len(text), len(names)), math.nan)
    mixed = []
    for row, parts in enumerate(cells):
      if parts is None or (len(parts) == 1 and parts[0] in unknown):
        continue
      if not any(parts) or unknown.intersection(parts):
        self._bad(
          row,
          column,
          f"'{text[row]}' names no label, or an unknown code beside one.",
          'unknown label',
        )
        continue
      found = [places[x] for x in parts if x in places]
      out[row] = 0.0
      out[row, found] = 1.0
      if found and negative.intersection(parts):
        mixed.append(row)
    if mixed:
      self._findings.warn(
        f"{len(mixed)} cells such as '{text[mixed[0]]}' name a label beside a "
        'value of negative, which counts for nothing there.',
        line=self._table.lines[mixed[0]],
        column=column,
      )
    return out, types.Task(d.task, tuple(names))

  def _bad(self, row, column, message, kind):
    self._findings.add(
      message, line=self._table.lines[row], column=column, kind=kind
    )


def _ordered(names) -> tuple[str, ...]:
  """Numbers by their size, names by the alphabet."""
  names = sorted(names)
  by_size = {x: spellings.meaning(x) for x in names}
  if all(isinstance(x, decimal.Decimal) for x in by_size.values()):
    names.sort(key=by_size.get)
  return tuple(names)


def _listed(values: Iterable[str], counts: collections.Counter) -> str:
  """The most frequent first: `'0' in 812 rows, '?' in 2 rows`."""
  values = sorted(values, key=lambda x: (-counts[x], x))
  shown = [
    f"'{x}' in {words.counted(counts[x], 'row')}" for x in values[:_LISTED]
  ]
  rest = len(values) - _LISTED
  return ', '.join(shown + [f'and {rest} more values'] * (rest > 0))
