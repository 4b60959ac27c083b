"""Tables as text columns with the line of every row, and faults found there."""

import collections
import dataclasses
import datetime
import os
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from fusion_jax.core import errors, files, spellings
from fusion_jax.data import table_files

ERROR = 'error'
WARNING = 'warning'

MISSING = frozenset({'', 'na', 'n/a', 'nan', 'null', '<na>'})

# A fault repeated in one column is listed this many times, then counted.
_LISTED = 3
# Of those counted, so many are named by their rows.
_NAMED = 20

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

# What a column without a name is called, by its number.
UNNAMED = 'column {}'


@dataclasses.dataclass(frozen=True)
class Problem:
  """One fault of a cohort; `str()` of it is one line.

  Attributes:
    severity: ERROR (the cohort cannot be used) or WARNING.
    message: what is wrong and what is legal.
    file: the file it is in, relative to the data folder.
    line: 1-based line of a text file or row of another; 0 for none.
    column: the column; empty for none.
    unit: what `line` counts.
  """

  severity: str
  message: str
  file: str = ''
  line: int = 0
  column: str = ''
  unit: str = 'line'

  @property
  def is_error(self) -> bool:
    return self.severity == ERROR

  def __str__(self):
    place = [self.file] if self.file else []
    if self.line:
      place.append(f'{self.unit} {self.line}')
    if self.column:
      place.append(f"column '{self.column}'")
    return ': '.join(
      [', '.join(place), self.message] if place else [self.message]
    )


class Findings:
  """Problems collected while reading one table."""

  def __init__(self, file: str, unit: str = 'line'):
    self.file = file
    self.unit = unit
    self._problems: list[tuple[str, Problem]] = []

  def __bool__(self) -> bool:
    return bool(self._problems)

  def add(
    self,
    message: str,
    *,
    line: int = 0,
    column: str = '',
    kind: str = '',
    severity: str = ERROR,
  ) -> None:
    """Files one problem; many of one `kind` in a column are summed up."""
    problem = Problem(
      severity, message, self.file, int(line), column, self.unit
    )
    self._problems.append((kind, problem))

  def warn(self, message: str, **place) -> None:
    self.add(message, severity=WARNING, **place)

  def finished(self) -> list[Problem]:
    """All problems, repeated ones summed up in a line that names their rows."""
    return summed_up(self._problems)


def summed_up(problems: Iterable[tuple[str, Problem]]) -> list[Problem]:
  """Problems in their order; of each kind in a column only a few.

  One that says how many more there are, and where, follows these. Different
  messages are shown before the same message is shown again.

  Args:
    problems: pairs of a kind and a problem; those of kind '' all stay.
  """
  groups: dict[tuple, dict[int, Problem]] = {}
  for number, (kind, problem) in enumerate(problems):
    alike = (kind, problem.column, problem.severity) if kind else (number,)
    groups.setdefault(alike, {})[number] = problem
  shown = {}
  for (kind, *_), group in groups.items():
    first: dict[str, int] = {}
    for number, problem in group.items():
      first.setdefault(problem.message, number)
    # What was not said yet goes before what was.
    new = [*first.values()][:_LISTED]
    listed = sorted([*new, *(x for x in group if x not in new)][:_LISTED])
    rest = [group[x] for x in group if x not in listed]
    shown |= {x: [group[x]] for x in listed}
    shown[listed[-1]] += _rest(kind, rest)
  return [x for number in sorted(shown) for x in shown[number]]


def _rest(kind: str, problems: Sequence[Problem]) -> list[Problem]:
  """One problem in the place of all, if there are any."""
  if not problems:
    return []
  if len(problems) == 1:
    return list(problems)
  first = problems[0]
  # Images are told from each other by their names alone.
  files = {x.file for x in problems}
  lines = any(x.line for x in problems)
  places = [str(x.line) if lines else f"'{x.file}'" for x in problems]
  named = ', '.join(places[:_NAMED])
  more = '' if len(places) <= _NAMED else ', ...'
  message = f'{len(problems)} more of these ({kind})'
  if lines:
    message += f': {first.unit}s {named}{more}'
  elif len(files) > 1:
    message += f': {named}{more}'
  return [
    dataclasses.replace(
      first,
      message=message if lines or len(files) > 1 else f'{message}.',
      file=first.file if len(files) == 1 else '',
      line=0,
    )
  ]


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
  """A table of r rows as text.

  Attributes:
    file: its name, relative to the data folder.
    columns: by name, (r,) object array of str, None where missing.
    lines: (r,) int 1-based line where each row starts in the file.
    unit: 'line' for text files, 'row' for others.
    nested: by name, the type of columns that cannot be read as text; they are
      not among `columns`.
  """

  file: str
  columns: dict[str, np.ndarray]
  lines: np.ndarray
  unit: str
  nested: Mapping[str, str] = dataclasses.field(default_factory=dict)

  def __len__(self) -> int:
    return len(self.lines)

  def rows(self, keep: np.ndarray) -> 'Table':
    """The rows `keep` (numbers or mask)."""
    return dataclasses.replace(
      self,
      columns={k: v[keep] for k, v in self.columns.items()},
      lines=self.lines[keep],
    )


def days(text: str) -> float:
  """Days from 1970-01-01 to an ISO date or date with time; NaN if it is none.

  An offset from UTC is taken into account; where there is none, it is UTC.
  """
  try:
    moment = datetime.datetime.fromisoformat(text)
  except ValueError:
    return float('nan')
  if moment.tzinfo is None:
    moment = moment.replace(tzinfo=datetime.UTC)
  return (moment - _EPOCH) / datetime.timedelta(days=1)


def read(
  path: str | os.PathLike,
  *,
  encoding: str = 'utf-8',
  keep: Collection[str] = (),
  codes: Collection[str] = (),
  codes_in: Mapping[str, Collection[str]] | None = None,
  as_written: Collection[str] = (),
  sheet: str = '',
) -> Table:
  """Reads a table file (see table_files); blank, NA and NaN are missing.

  Text may start with a byte order mark or be packed with gzip; columns may be
  separated by comma, semicolon, tab or bar. Cells are stripped of surrounding
  blanks, and each column has one spelling of its numbers and truth values
  (`spellings.unify`); a column without a name gets one by its number.

  Args:
    path: the table.
    encoding: of a text table.
    keep: values that are never missing, whatever they look like.
    codes: values that have no say in how a column is spelt.
    codes_in: by column, further such values, never missing either.
    as_written: columns that are not spelt anew.
    sheet: of a workbook; the first if empty.

  Raises:
    UserError: if the file is absent, of another kind, not in `encoding`, has
      no rows or two columns of one name.
    ProblemsError: listing every row that has too few or too many values.
  """
  path = files.regular(path)
  if not path.is_file():
    known = []
    if path.parent.is_dir():
      known = [x.name for x in path.parent.iterdir() if x.is_file()]
    guess = errors.nearest(path.name, known)
    hint = f" Did you mean '{guess}'?" if guess else ''
    raise errors.UserError(f"No table '{path}'.{hint}")
  cells = table_files.read(path, encoding=encoding, sheet=sheet)
  names = [x or UNNAMED.format(i) for i, x in enumerate(cells.names, 1)]
  repeated = [k for k, v in collections.Counter(names).items() if v > 1]
  if repeated:
    raise errors.UserError(
      f"Table '{path}' has more than one column called '{repeated[0]}'."
    )
  if not len(cells.lines):
    raise errors.UserError(f"Table '{path}' has a header but no rows.")
  codes_in = codes_in or {}
  columns = {
    k: _blank_missing(v, frozenset(keep).union(codes_in.get(k, ())))
    for k, v in zip(names, cells.columns, strict=True)
    if k not in cells.nested
  }
  for name in columns.keys() - set(as_written):
    listed = (*codes, *codes_in.get(name, ()))
    columns[name] = spellings.unify(columns[name], codes=listed)
  return Table(path.name, columns, cells.lines, cells.unit, cells.nested)


def _blank_missing(cells, keep: frozenset[str]) -> np.ndarray:
  """(r,) object array of stripped text, None where missing."""
  seen = {None: None}
  for cell in set(cells):
    if cell is not None:
      text = cell.strip()
      missing = text.lower() in MISSING and text not in keep
      seen[cell] = None if missing else text
  column = np.empty(len(cells), object)
  column[:] = [seen[x] for x in cells]
  return column
