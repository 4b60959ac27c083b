"""Tables as text columns with the line of every row, and faults found there."""

import collections
import csv
import dataclasses
import datetime
import io
import os
import pathlib
from collections.abc import Collection

import numpy as np

from fusion_jax.core import errors

ERROR = 'error'
WARNING = 'warning'

MISSING = frozenset({'', 'na', 'n/a', 'nan', 'null', '<na>'})

# A fault repeated in one column is listed this many times, then counted.
_LISTED = 20

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

_DELIMITERS = (',', ';', '\t', '|')


@dataclasses.dataclass(frozen=True)
class Problem:
  """One fault of a cohort; `str()` of it is one line.

  Attributes:
    severity: ERROR (the cohort cannot be used) or WARNING.
    message: what is wrong and what is legal.
    file: the file it is in, relative to the data folder.
    line: 1-based line of a text file or row of a Parquet file; 0 for none.
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
    self.problems: list[Problem] = []
    self._counts = collections.Counter()
    self._rest = {}

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
    if kind:
      self._counts[kind, column] += 1
      if self._counts[kind, column] > _LISTED:
        self._rest.setdefault((kind, column), []).append(problem)
        return
    self.problems.append(problem)

  def warn(self, message: str, **place) -> None:
    self.add(message, severity=WARNING, **place)

  def finished(self) -> list[Problem]:
    """All problems, repeated ones summed up in a line that names their rows."""
    found = list(self.problems)
    for (kind, column), rest in self._rest.items():
      lines = ', '.join(str(p.line) for p in rest[:_LISTED])
      more = '' if len(rest) <= _LISTED else ', ...'
      message = (
        f'{len(rest)} more of these ({kind}): {self.unit}s {lines}{more}'
      )
      found.append(
        Problem(rest[0].severity, message, self.file, 0, column, self.unit)
      )
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
  """A table of r rows as text.

  Attributes:
    file: its name, relative to the data folder.
    columns: by name, (r,) object array of str, None where missing.
    lines: (r,) int 1-based line where each row starts in the file.
    unit: 'line' for text files, 'row' for Parquet.
  """

  file: str
  columns: dict[str, np.ndarray]
  lines: np.ndarray
  unit: str

  def __len__(self) -> int:
    return len(self.lines)

  def rows(self, keep: np.ndarray) -> 'Table':
    """The rows `keep` (numbers or mask)."""
    return dataclasses.replace(
      self,
      columns={k: v[keep] for k, v in self.columns.items()},
      lines=self.lines[keep],
    )


def canonical(text: str) -> str:
  """One spelling for values that mean the same: '1.0' and '1', 'True'."""
  if text.lower() in ('true', 'false'):
    return text.lower()
  try:
    number = float(text)
  except ValueError:
    return text
  if '_' in text or not np.isfinite(number):
    return text
  return str(int(number)) if number == int(number) else repr(number)


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
) -> Table:
  """Reads a CSV, TSV or Parquet table; blank, NA and NaN cells are missing.

  Text may start with a byte order mark; columns may be separated by comma,
  semicolon, tab or bar. Cells are stripped of surrounding blanks.

  Args:
    path: the table.
    encoding: of a text table.
    keep: values that are never missing, whatever they look like.

  Raises:
    UserError: if the file is absent, of another kind, not in `encoding`, has
      no rows or two columns of one name.
    ProblemsError: listing every row that has too few or too many values.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    known = []
    if path.parent.is_dir():
      known = [x.name for x in path.parent.iterdir() if x.is_file()]
    guess = errors.nearest(path.name, known)
    hint = f" Did you mean '{guess}'?" if guess else ''
    raise errors.UserError(f"No table '{path}'.{hint}")
  suffix = path.suffix.lower()
  if suffix in ('.parquet', '.pq'):
    names, cells, lines = _read_parquet(path)
  elif suffix in ('.csv', '.tsv', '.txt'):
    names, cells, lines = _read_text(path, encoding)
  else:
    raise errors.UserError(
      f"Table '{path}' is of an unknown kind; legal are .csv, .tsv, .txt and "
      '.parquet.'
    )
  repeated = [k for k, v in collections.Counter(names).items() if v > 1]
  if repeated:
    raise errors.UserError(
      f"Table '{path}' has more than one column called '{repeated[0]}'."
    )
  if not len(lines):
    raise errors.UserError(f"Table '{path}' has a header but no rows.")
  unit = 'row' if suffix in ('.parquet', '.pq') else 'line'
  columns = {
    k: _blank_missing(v, frozenset(keep))
    for k, v in zip(names, cells, strict=True)
  }
  return Table(path.name, columns, np.asarray(lines), unit)


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


def _decode(path: pathlib.Path, encoding: str) -> str:
  try:
    raw = path.read_bytes()
  except OSError as e:
    raise errors.UserError(
      f"Cannot read table '{path}': {e.strerror}."
    ) from None
  if raw[:2] in (b'\xff\xfe', b'\xfe\xff') and encoding == 'utf-8':
    encoding = 'utf-16'
  try:
    text = raw.decode(encoding)
  except LookupError:
    raise errors.UserError(
      f"Unknown encoding '{encoding}' for table '{path}'; legal are utf-8, "
      'utf-16, cp1252, latin-1 and what else Python knows.'
    ) from None
  except UnicodeDecodeError as e:
    line = raw[: e.start].count(b'\n') + 1
    raise errors.UserError(
      f"Table '{path}', line {line}, is not {encoding} (byte "
      f'0x{raw[e.start]:02x}): save it as UTF-8, or name its encoding in '
      'cohort.toml, for example encoding = "cp1252".'
    ) from None
  except ValueError:
    # Codecs of another kind, such as 'undefined' and 'punycode'.
    raise errors.UserError(
      f"Table '{path}' cannot be read with the encoding '{encoding}'; legal "
      'are utf-8, utf-16, cp1252, latin-1 and what else Python knows.'
    ) from None
  return text.removeprefix('\ufeff')


def _read_text(path: pathlib.Path, encoding: str):
  text = _decode(path, encoding)
  header = text.split('\n', 1)[0]
  delimiter = max(_DELIMITERS, key=header.count)
  if path.suffix.lower() == '.tsv':
    delimiter = '\t'
  reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
  rows, lines, ragged, last = [], [], [], 0
  try:
    names = [x.strip() for x in next(reader, [])]
    last = reader.line_num
    for row in reader:
      line, last = last + 1, reader.line_num
      if not row:
        continue
      if len(row) != len(names):
        ragged.append(
          f'{path.name}, line {line}: {len(row)} values, but the header has '
          f'{len(names)} columns.'
        )
        continue
      rows.append(row)
      lines.append(line)
  except csv.Error as e:
    raise errors.UserError(
      f"Table '{path}', line {last + 1}, cannot be read: {e}."
    ) from None
  if not names:
    raise errors.UserError(f"Table '{path}' is empty.")
  if ragged:
    rest = len(ragged) - _LISTED
    more = [f'... and {rest} more.'] if rest > 0 else []
    raise errors.ProblemsError(
      f"Table '{path}' has rows of another length than its header:",
      ragged[:_LISTED] + more,
    )
  columns = list(zip(*rows, strict=True)) or [()] * len(names)
  return names, columns, lines


def _read_parquet(path: pathlib.Path):
  import pyarrow as pa
  import pyarrow.parquet

  try:
    table = pyarrow.parquet.read_table(path)
  except (pa.ArrowException, OSError, ValueError) as e:
    reason = str(e).splitlines()[0]
    raise errors.UserError(
      f"Table '{path}' is not readable Parquet: {reason}"
    ) from None
  cells = []
  for name in table.column_names:
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
      column = column.cast(column.type.value_type)
    try:
      cells.append(column.cast(pa.string()).to_pylist())
    except pa.ArrowException:
      raise errors.UserError(
        f"Table '{path}', column '{name}': values of type {column.type} "
        'cannot be read as numbers or text.'
      ) from None
  return table.column_names, cells, np.arange(1, table.num_rows + 1)
