"""Cells of a table file as text: CSV, TSV, Parquet, Excel and JSON."""

import csv
import dataclasses
import datetime
import io
import json
import pathlib

import numpy as np

from fusion_jax.core import errors, text_tables

TEXT = ('.csv', '.tsv', '.txt')
PARQUET = ('.parquet', '.pq')
EXCEL = ('.xlsx', '.xlsm')
JSON = ('.json', '.jsonl', '.ndjson')
SUFFIXES = (*TEXT, *PARQUET, *EXCEL, *JSON)

_GZIP = '.gz'
# So many bad rows are shown; of the others, so many are named.
_LISTED, _NAMED = 3, 20
_REMEDY = (
  'save it as UTF-8, or name its encoding in cohort.toml, for example encoding '
  '= "cp1252".'
)
# What a spreadsheet shows where a formula finds nothing.
_EXCEL_MISSING = ('#N/A', '#NULL!')


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
  """The r rows of a table file, as they are written.

  Attributes:
    names: of its columns; empty where the header is blank.
    columns: per column, the r cells as text, None where there is nothing.
    lines: (r,) int, where each row is, from 1.
    unit: what `lines` counts: 'line' or 'row'.
    nested: by name, the type of columns that hold neither numbers nor text;
      their cells are left out.
  """

  names: list[str]
  columns: list
  lines: np.ndarray
  unit: str
  nested: dict[str, str] = dataclasses.field(default_factory=dict)


def suffix_of(path: pathlib.Path) -> str:
  """The kind of a table file by its name, without '.gz'."""
  name = path.name.lower().removesuffix(_GZIP)
  return pathlib.PurePath(name).suffix


def read(
  path: pathlib.Path, *, encoding: str = text_tables.UTF8, sheet: str = ''
) -> Cells:
  """The cells of a file, read by the kind that its name says.

  Args:
    path: the file.
    encoding: of text.
    sheet: of a workbook; the first if empty.

  Raises:
    UserError: if it is of an unknown kind or cannot be read as what it is
      called.
    ProblemsError: listing every row that has too few or too many values.
    MissingPackageError: for workbooks, where openpyxl is not installed.
  """
  suffix = suffix_of(path)
  if suffix in PARQUET:
    return _parquet(path)
  if suffix in TEXT:
    return _text(path, encoding)
  if suffix in EXCEL:
    return _excel(path, sheet)
  if suffix in JSON:
    return _json(path, encoding)
  hint = ' Save it as .xlsx.' if suffix == '.xls' else ''
  raise errors.UserError(
    f"Table '{path}' is of an unknown kind; legal are {', '.join(SUFFIXES)}."
    f'{hint}'
  )


def _text(path: pathlib.Path, encoding: str) -> Cells:
  text = text_tables.decode(path, encoding, remedy=_REMEDY)
  text, delimiter, skipped = text_tables.delimited(
    text, tabs=suffix_of(path) == '.tsv'
  )
  reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
  rows, lines, ragged, last = [], [], {}, skipped
  try:
    names = [x.strip() for x in next(reader, [])]
    last = skipped + reader.line_num
    for row in reader:
      line, last = last + 1, skipped + reader.line_num
      if not row:
        continue
      if len(row) != len(names):
        ragged[line] = (
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
    rest = [*map(str, ragged)][_LISTED:]
    named = ', '.join(rest[:_NAMED]) + ', ...' * (len(rest) > _NAMED)
    more = [f'... and {len(rest)} more: lines {named}'] if rest else []
    raise errors.ProblemsError(
      f"Table '{path}' has rows of another length than its header:",
      [*ragged.values()][:_LISTED] + more,
    )
  columns = list(zip(*rows, strict=True)) or [()] * len(names)
  return Cells(names, columns, np.asarray(lines, int), 'line')


def _parquet(path: pathlib.Path) -> Cells:
  import pyarrow as pa
  import pyarrow.parquet

  try:
    table = pyarrow.parquet.read_table(path)
  except (pa.ArrowException, OSError, ValueError) as e:
    reason = str(e).splitlines()[0]
    raise errors.UserError(
      f"Table '{path}' is not readable Parquet: {reason}"
    ) from None
  columns, nested = [], {}
  for name in table.column_names:
    # By number: names may repeat, which is for the caller to say.
    column = table.column(len(columns))
    kind = column.type
    try:
      if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
      if pa.types.is_nested(column.type):
        raise pa.ArrowNotImplementedError
      columns.append(column.cast(pa.string()).to_pylist())
    except (pa.ArrowException, UnicodeDecodeError):
      columns.append([None] * table.num_rows)
      nested[name] = str(kind)
  lines = np.arange(1, table.num_rows + 1)
  return Cells(table.column_names, columns, lines, 'row', nested)


def _excel(path: pathlib.Path, sheet: str) -> Cells:
  try:
    import openpyxl
  except ImportError:
    raise errors.MissingPackageError(
      f"Reading the workbook '{path}'", 'openpyxl', extra='excel'
    ) from None
  try:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
      names = book.sheetnames
      if sheet and sheet not in names:
        raise errors.unknown_name('sheet', sheet, names, where=f"'{path}'")
      grid = list(book[sheet or names[0]].iter_rows(values_only=True))
    finally:
      book.close()
  except errors.UserError:
    raise
  # Damaged workbooks raise whatever zip, XML and openpyxl raise.
  except Exception as e:
    reason = (str(e) or type(e).__name__).splitlines()[0]
    raise errors.UserError(
      f"Table '{path}' is not a readable workbook: {reason}"
    ) from None
  rows = [[_excel_text(x) for x in row] for row in grid]
  numbers = [i for i, row in enumerate(rows) if any(row)]
  if not numbers:
    raise errors.UserError(f"Table '{path}' is empty.")
  width = max(j + 1 for i in numbers for j, x in enumerate(rows[i]) if x)
  head, *body = numbers
  rows = {i: (rows[i] + [None] * width)[:width] for i in numbers}
  names = [(x or '').strip() for x in rows[head]]
  columns = [[rows[i][j] for i in body] for j in range(width)]
  return Cells(names, columns, np.asarray(body, int) + 1, 'row')


def _excel_text(value) -> str | None:
  if isinstance(value, datetime.datetime):
    midnight = value.time() == datetime.time()
    return (value.date() if midnight else value).isoformat()
  if isinstance(value, str):
    return None if value in _EXCEL_MISSING else value
  return _scalar(value)


def _scalar(value) -> str | None:
  """A value as text; whole numbers without a point."""
  if value is None:
    return None
  if isinstance(value, bool):
    return 'true' if value else 'false'
  if isinstance(value, float) and value.is_integer():
    return f'{value:.0f}' if abs(value) < 2**53 else repr(value)
  return str(value)


def _json(path: pathlib.Path, encoding: str) -> Cells:
  text = text_tables.decode(path, encoding, remedy=_REMEDY)
  try:
    records, lines, unit = _records(text)
  except (ValueError, RecursionError) as e:
    reason = str(e) if isinstance(e, ValueError) else 'it is nested too deeply'
    raise errors.UserError(
      f"Table '{path}' is not readable JSON: {reason}. Legal are a list of "
      'objects, one a row, or one object a line.'
    ) from None
  names = list(dict.fromkeys(k for x in records for k in x))
  columns, nested = [], {}
  for name in names:
    values = [x.get(name) for x in records]
    if any(isinstance(x, dict | list) for x in values):
      nested[name] = 'list or object'
      values = [None] * len(values)
    columns.append([_scalar(x) for x in values])
  if not names:
    raise errors.UserError(f"Table '{path}' is empty.")
  return Cells(names, columns, np.asarray(lines, int), unit, nested)


def _records(text: str):
  """Objects, where each is, and in which unit.

  Raises:
    ValueError: if the text is neither a list of objects nor lines of them.
  """
  if text.lstrip().startswith('['):
    records = json.loads(text, object_pairs_hook=_distinct)
    lines, unit = range(1, len(records) + 1), 'row'
  else:
    pairs = [(i, x) for i, x in enumerate(text.splitlines(), 1) if x.strip()]
    records, lines, unit = [], [x for x, _ in pairs], 'line'
    for line, x in pairs:
      try:
        records.append(json.loads(x, object_pairs_hook=_distinct))
      except ValueError as e:
        raise ValueError(f'line {line}: {e}') from None
  for line, record in zip(lines, records, strict=True):
    if not isinstance(record, dict):
      raise ValueError(f'{unit} {line} is no object')
  return records, lines, unit


def _distinct(pairs) -> dict:
  found = dict(pairs)
  if len(found) < len(pairs):
    names = [k for k, _ in pairs]
    repeated = next(k for k in names if names.count(k) > 1)
    raise ValueError(f"an object has more than one '{repeated}'")
  return found
