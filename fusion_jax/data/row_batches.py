"""Tables of any length, some of their columns and a part of their rows at once.

What is in a file is that of table_files; text in UTF-8 and Parquet are read in
parts, so that memory does not grow with the file.
"""

import abc
import collections
import csv
import gzip
import io
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from fusion_jax.core import errors, text_tables
from fusion_jax.data import table_files, tables

_ROWS = 1 << 19
_BYTES = 1 << 24
_HEAD = 1 << 20
_GZIP = b'\x1f\x8b'


class Source(abc.ABC):
  """A table that can be read more than once.

  Attributes:
    path: of the file.
    names: of its columns.
    unit: what `lines` counts, 'line' or 'row'.
  """

  path: pathlib.Path
  names: Sequence[str]
  unit: str = 'row'

  @abc.abstractmethod
  def batches(self, columns: Sequence[str]) -> Iterator[dict[str, pa.Array]]:
    """By name, the next rows of `columns`, in the order of the file.

    Raises:
      UserError: if the file cannot be read as what it is called.
    """

  def lines(self, rows: np.ndarray) -> np.ndarray:
    """(r,) where the rows of these numbers (from 0) start in the file."""
    return np.asarray(rows, int) + 1


def of_file(
  path: pathlib.Path, *, encoding: str = text_tables.UTF8, sheet: str = ''
) -> Source:
  """The table in a file, of any kind that table_files reads.

  Raises:
    UserError: if the file is absent, of another kind, not in `encoding` or has
      two columns of one name.
  """
  if not path.is_file():
    tables.read(path)  # Says so, and which file may be meant.
  suffix = table_files.suffix_of(path)
  if suffix in table_files.PARQUET:
    source = _Parquet(path)
  elif suffix in table_files.TEXT:
    source = _Delimited(path, encoding)
  else:
    source = _Whole(path, encoding, sheet)
  source.names = [
    x or tables.UNNAMED.format(i) for i, x in enumerate(source.names, 1)
  ]
  counts = collections.Counter(source.names)
  repeated = [k for k, v in counts.items() if v > 1]
  if repeated:
    raise errors.UserError(
      f"Table '{path}' has more than one column called '{repeated[0]}'."
    )
  return source


class _Parquet(Source):
  def __init__(self, path):
    self.path = path
    try:
      schema = pyarrow.parquet.read_schema(path)
    except (pa.ArrowException, OSError, ValueError) as e:
      raise self._unreadable(e) from None
    self.names = schema.names
    self._texts = [
      x.name
      for x in schema
      if pa.types.is_string(x.type) or pa.types.is_large_string(x.type)
    ]

  def batches(self, columns):
    columns = list(dict.fromkeys(columns))
    try:
      with pyarrow.parquet.ParquetFile(
        self.path, read_dictionary=[x for x in columns if x in self._texts]
      ) as file:
        for batch in file.iter_batches(_ROWS, columns=columns):
          yield {x: batch.column(x) for x in columns}
    except (pa.ArrowException, OSError, ValueError) as e:
      raise self._unreadable(e) from None

  def _unreadable(self, e):
    reason = (str(e) or type(e).__name__).splitlines()[0]
    return errors.UserError(
      f"Table '{self.path}' is not readable Parquet: {reason}"
    )


class _Delimited(Source):
  """Text; in UTF-8 it is read in parts, in other encodings as a whole."""

  unit = 'line'

  def __init__(self, path, encoding):
    self.path = path
    self._encoding = encoding
    self._text = None
    head = self._head()
    utf8 = encoding.lower().replace('_', '-') in (text_tables.UTF8, 'utf8')
    if not utf8 or b'\0' in head or b'\n' not in head:
      self._text = text_tables.decode(path, encoding)
      head = self._text[:_HEAD]
    else:
      head = head[: head.rindex(b'\n') + 1].decode(errors='replace')
    tabs = table_files.suffix_of(path) == '.tsv'
    head, self._delimiter, self._skipped = text_tables.delimited(
      head.removeprefix('\ufeff'), tabs=tabs
    )
    self.names = [x.strip() for x in text_tables.header(head, self._delimiter)]
    if not self.names:
      raise self._unreadable('it is empty')

  def batches(self, columns):
    place = {str(self.names.index(x)): x for x in columns}
    text = pa.dictionary(pa.int32(), pa.string())
    try:
      with self._stream() as stream:
        batches = pyarrow.csv.open_csv(
          stream,
          read_options=pyarrow.csv.ReadOptions(
            column_names=[str(i) for i in range(len(self.names))],
            skip_rows=self._skipped,
            skip_rows_after_names=1,
            block_size=_BYTES,
          ),
          parse_options=pyarrow.csv.ParseOptions(
            delimiter=self._delimiter, newlines_in_values=True
          ),
          convert_options=pyarrow.csv.ConvertOptions(
            include_columns=list(place),
            column_types=dict.fromkeys(place, text),
            strings_can_be_null=False,
          ),
        )
        for batch in batches:
          yield {name: batch.column(at) for at, name in place.items()}
    except (pa.ArrowException, OSError, ValueError) as e:
      raise self._unreadable(str(e).splitlines()[0]) from None

  def lines(self, rows):
    found = np.zeros(len(rows), int)
    order = np.argsort(rows, kind='stable')
    wanted = iter(order)
    at = next(wanted, None)
    with self._opened() as file:
      for _ in range(self._skipped):
        file.readline()
      reader = csv.reader(file, delimiter=self._delimiter)
      try:
        next(reader, None)
        row, last = 0, self._skipped + reader.line_num
        for cells in reader:
          line, last = last + 1, self._skipped + reader.line_num
          if not cells:
            continue
          while at is not None and rows[at] == row:
            found[at] = line
            at = next(wanted, None)
          if at is None:
            break
          row += 1
      except csv.Error:  # A cell too long for it: places after it stay 0.
        pass
    return found

  def _head(self) -> bytes:
    try:
      with self.path.open('rb') as file:
        if file.read(2) != _GZIP:
          file.seek(0)
          return file.read(_HEAD)
      with gzip.open(self.path) as file:
        return file.read(_HEAD)
    except (OSError, EOFError) as e:
      raise self._unreadable(str(e)) from None

  def _is_packed(self) -> bool:
    with self.path.open('rb') as file:
      return file.read(2) == _GZIP

  def _stream(self) -> pa.NativeFile:
    if self._text is not None:
      return pa.BufferReader(self._text.encode())
    stream = pa.OSFile(str(self.path))
    return (
      pa.CompressedInputStream(stream, 'gzip')
      if self._is_packed()
      else (stream)
    )

  def _opened(self) -> io.TextIOBase:
    if self._text is not None:
      return io.StringIO(self._text, newline='')
    opened = gzip.open if self._is_packed() else open
    return opened(
      self.path, 'rt', encoding='utf-8-sig', errors='replace', newline=''
    )

  def _unreadable(self, reason) -> errors.UserError:
    """What table_files says of the file, which is exact and slow; or this."""
    try:
      table_files.read(self.path, encoding=self._encoding)
    except errors.UserError as e:
      return e
    return errors.UserError(f"Table '{self.path}' cannot be read: {reason}.")


class _Whole(Source):
  """Workbooks and JSON, which are never large."""

  def __init__(self, path, encoding, sheet):
    self.path = path
    self._cells = table_files.read(path, encoding=encoding, sheet=sheet)
    self.names = self._cells.names
    self.unit = self._cells.unit

  def batches(self, columns):
    for name in columns:
      if name in self._cells.nested:
        raise errors.UserError(
          f"Table '{self.path}', column '{name}': values of type "
          f'{self._cells.nested[name]} cannot be read as numbers or text.'
        )
    yield {
      x: pa.array(self._cells.columns[self.names.index(x)], pa.string())
      for x in columns
    }

  def lines(self, rows):
    return self._cells.lines[np.asarray(rows, int)]
