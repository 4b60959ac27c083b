"""Cases of the rows of series: text, cells and Parquet."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from tests.malformed import case, modality_cases

_ROWS = modality_cases.series_rows()
_TEXT = modality_cases.csv(_ROWS)
_HEADER = _TEXT.partition('\n')[0] + '\n'
_N = len(_ROWS) - 1


def _of(name, outcome, words, code, rows, *, file='rows.csv', keys=None, **top):
  """A sound cohort but for the table of its series."""
  section = {**modality_cases.SERIES, 'table': f'"{file}"', **(keys or {})}
  text = modality_cases.descriptor(
    keys=top, labs=modality_cases.LABS, vitals=section
  )

  def make(folder):
    modality_cases.write(folder, text, rows='')
    (folder / 'rows.csv').unlink()
    if callable(rows):
      rows(folder / file)
    elif rows is not None:
      case.write(folder / file, rows)

  words = (words,) if isinstance(words, str) else words
  flags = ('--cohort=.',)
  return case.Case(
    f'series_{name}', outcome, words, make, 'prepare', flags, code
  )


def _refused(name, words, rows, code=2, **rest):
  return _of(name, case.REFUSED, words, code, rows, **rest)


def _read(name, rows, words=f'{_N} rows of 2 codes', **rest):
  return _of(name, case.READ, words, 0, rows, **rest)


def _changed(*changes):
  """Text of the sound rows with cells (row, column, text) changed."""
  rows = [list(x) for x in _ROWS]
  for row, column, text in changes:
    at = _ROWS[0].index(column)
    for k in range(1, len(rows)) if row is None else (row,):
      rows[k][at] = text
  return modality_cases.csv(rows)


def _cell(name, words, column, text, code=1, *, row=1, **rest):
  changed = _changed((row, column, text))
  return _refused(f'cell_{name}', words, changed, code, **rest)


def _parquet(name, outcome, words, code, table, **rest):
  out = io.BytesIO()
  pyarrow.parquet.write_table(table, out)
  return _of(
    f'parquet_{name}',
    outcome,
    words,
    code,
    out.getvalue(),
    file='rows.parquet',
    **rest,
  )


def _arrow(**changes) -> pa.Table:
  columns = {
    'sid': [x[0] for x in _ROWS[1:]],
    'hour': [float(x[1]) for x in _ROWS[1:]],
    'item': [x[2] for x in _ROWS[1:]],
    'result': [float(x[3]) for x in _ROWS[1:]],
  }
  return pa.table({**columns, **changes})


def _buffer() -> bytes:
  out = io.BytesIO()
  pyarrow.parquet.write_table(_arrow(), out)
  return out.getvalue()


def _shuffled() -> str:
  order = np.random.default_rng(0).permutation(_N) + 1
  return modality_cases.csv([_ROWS[0], *(_ROWS[i] for i in order)])


def _many(path) -> None:
  """Two million rows, most of them of studies that are not in the cohort."""
  n = 2_000_000
  study = np.array([f's{i}' for i in range(2000)])[np.arange(n) % 2000]
  table = pa.table(
    {
      'sid': pa.array(study).dictionary_encode(),
      'hour': np.arange(n, dtype=np.float32) % 48,
      'item': pa.array(np.array(['hr', 'temp'])[np.arange(n) % 2]),
      'result': np.ones(n, np.float32),
    }
  )
  pyarrow.parquet.write_table(table, path)


def _packed_zeros(path) -> None:
  """A quarter of a gigabyte in one cell, packed."""
  with gzip.open(path, 'wb', compresslevel=1) as file:
    file.write(_HEADER.encode())
    for _ in range(64):
      file.write(b'1' * 2**22)


CASES = (
  _read('sound', _TEXT),
  _refused('absent', "No table 'rows.csv'", None),
  _refused('empty', "Table 'rows.csv' is empty", ''),
  _refused('blank', "Table 'rows.csv' is empty", '\n\n'),
  _refused('header_only', "Table 'rows.csv' has a header but no rows", _HEADER),
  _refused('no_header', "Unknown column 'sid'", _TEXT.partition('\n')[2]),
  _refused('short_row', 'rows of another length', _TEXT + 's3,4\n'),
  _refused(
    'long_row',
    'rows of another length',
    _TEXT + 's3,4,hr,60,,,\n',
  ),
  _refused(
    'open_quote',
    'rows of another length',
    _TEXT.replace('s3,', '"s3,', 1),
  ),
  _refused(
    'same_name',
    "more than one column called 'hour'",
    _TEXT.replace('item', 'hour', 1),
  ),
  _refused('binary', 'is not utf-8', bytes(range(256)) * 40),
  _refused(
    'latin1',
    'is not utf-8',
    _TEXT.replace('hr', 'é').encode('latin-1'),
  ),
  _refused(
    'huge_cell',
    'has 200,000 characters',
    _TEXT + f's3,4,{"x" * 200_000},1\n',
  ),
  _refused(
    'pointer',
    "Unknown column 'sid'",
    'version https://git-lfs.github.com/spec/v1\n',
  ),
  _refused(
    'kind',
    'is of an unknown kind',
    _TEXT,
    file='rows.txt.bak',
  ),
  _refused(
    'gzip_cut',
    'is a damaged gzip file',
    gzip.compress(_TEXT.encode())[:-20],
  ),
  _refused('gzip_bomb', 'field larger than', _packed_zeros),
  _read('gzip', gzip.compress(_TEXT.encode())),
  _read('unsorted', _shuffled()),
  _read('windows_lines', _TEXT.replace('\n', '\r\n')),
  _read('semicolons', _TEXT.replace(',', ';')),
  _read('twice', _TEXT + _TEXT.partition('\n')[2], 'equal to another in study'),
  _read(
    'many',
    _many,
    'of studies that are not in the cohort, and ignored',
    file='rows.parquet',
  ),
  _cell('study_blank', 'the study is blank', 'sid', ''),
  _read(
    'cell_study_unknown',
    _changed((1, 'sid', 's99')),
    '1 is of studies that are not in the cohort',
  ),
  _cell(
    'study_all_unknown',
    'none of 72 rows is of a study of the cohort',
    'sid',
    'x1',
    row=None,
  ),
  _cell(
    'study_zeros',
    'none of 72 rows is of a study of the cohort',
    'sid',
    '0001',
    row=None,
  ),
  _cell('time_blank', 'the time is blank', 'hour', ''),
  _cell('time_word', "'noon' is not a number of hours", 'hour', 'noon'),
  _cell('time_nan', 'the time is blank', 'hour', 'NaN'),
  _cell('time_infinite', "'inf' is not a number of hours", 'hour', 'inf'),
  _cell(
    'time_minus_infinite', "'-inf' is not a number of hours", 'hour', '-inf'
  ),
  _cell('time_overflow', "'1e400' is not a number of hours", 'hour', '1e400'),
  _cell('time_huge', "'-1e300' is larger than 1e+15 in size", 'hour', '-1e300'),
  _cell(
    'time_digits',
    "'9999999999999999999999999999999999999999999",
    'hour',
    '9' * 5000,
  ),
  _cell('time_clock', "'12:30' is not a number of hours", 'hour', '12:30'),
  _cell(
    'time_date',
    "'2024-01-01T00:00' is a date, expected a",
    'hour',
    '2024-01-01T00:00',
  ),
  _cell('time_comma', "'4,5' is not a number of hours", 'hour', '"4,5"'),
  _cell('time_formula', "'=1+1' is not a number of hours", 'hour', '=1+1'),
  _cell(
    'time_all_dates', 'times are dates', 'hour', '2024-01-01T00:00', row=None
  ),
  _cell(
    'time_at_index', 'of 72 rows 1 is at or after the time of', 'hour', '48'
  ),
  _cell(
    'time_after_index', 'of 72 rows 1 is at or after the time of', 'hour', '49'
  ),
  _cell(
    'time_all_after_index',
    'of 72 rows 72 are at or after the time of',
    'hour',
    '49',
    row=None,
  ),
  _read('cell_time_negative', _changed((1, 'hour', '-3'))),
  _cell(
    'time_all_dropped',
    '72 are at or after the time',
    'hour',
    '49',
    row=None,
    keys={'after_index': '"drop"'},
  ),
  _cell(
    'time_all_old',
    '72 are more than 4 hours before',
    'hour',
    '1',
    row=None,
    keys={'window': '"4h"'},
  ),
  _cell('code_blank', 'the code is blank', 'item', ''),
  _cell(
    'value_word', "the value 'high' of 'hr' is not a number", 'result', 'high'
  ),
  _cell(
    'value_infinite', "the value 'inf' of 'hr' is not a number", 'result', 'inf'
  ),
  _cell(
    'value_overflow',
    "the value '1e400' of 'hr' is not a number",
    'result',
    '1e400',
  ),
  _cell(
    'value_huge', "the value '1e300' of 'hr' is larger than", 'result', '1e300'
  ),
  _cell(
    'value_underscore',
    "the value '1_0' of 'hr' is not a number",
    'result',
    '1_0',
  ),
  _cell(
    'value_unit',
    "the value '60/min' of 'hr' is not a number",
    'result',
    '60/min',
  ),
  _cell('value_nul', "the value '' of 'hr' is not a number", 'result', '\x00'),
  _cell(
    'value_escape',
    "the value '[2J' of 'hr' is not a number",
    'result',
    '\x1b[2J',
  ),
  _cell(
    'value_all_words',
    "the value 'high' of 'hr' is not a number",
    'result',
    'high',
    row=None,
  ),
  _read('cell_value_blank', _changed((1, 'result', ''))),
  _cell(
    'value_all_unknown',
    '72 are of unknown value',
    'result',
    '-1',
    row=None,
    keys={'unknown': '[-1]'},
  ),
  _cell(
    'value_all_implausible',
    'left: of 48 rows of',
    'result',
    '999',
    row=None,
    keys={'plausible': '{hr = [20, 300], temp = [25, 45]}'},
  ),
  _refused(
    'no_index_time',
    'when is the prediction made?',
    _TEXT,
    keys={'time_unit': None, 'index': None},
  ),
  _refused(
    'numbers_with_dates_of_index',
    'they must be alike',
    _TEXT,
    keys={'index': None},
    index_time='"when"',
  ),
  _refused(
    'dates_after_index',
    'of 72 rows 72 are at or after the time of',
    _changed((None, 'hour', '2025-01-01T00:00')),
    1,
    keys={'time_unit': None, 'index': None},
    index_time='"when"',
  ),
  _read(
    'dates_before_index',
    _changed((None, 'hour', '2023-12-31T23:00')),
    keys={'time_unit': None, 'index': None},
    index_time='"when"',
  ),
  _refused(
    'parquet_text',
    'is not readable Parquet',
    _TEXT,
    file='rows.parquet',
  ),
  _refused(
    'parquet_empty',
    'is not readable Parquet',
    b'',
    file='rows.parquet',
  ),
  _refused(
    'parquet_cut',
    'is not readable Parquet',
    _buffer()[:-9],
    file='rows.parquet',
  ),
  _refused(
    'parquet_zeros',
    'is not readable Parquet',
    _buffer()[:4] + bytes(900) + _buffer()[-900:],
    file='rows.parquet',
  ),
  _parquet(
    'no_rows', case.REFUSED, 'has a header but no rows', 2, _arrow().slice(0, 0)
  ),
  _parquet(
    'nested',
    case.REFUSED,
    'cannot be read as times, numbers or text',
    2,
    _arrow(hour=[[1.0]] * _N),
  ),
  _parquet(
    'nested_study',
    case.REFUSED,
    'cannot be read as numbers or text',
    2,
    _arrow(sid=[{'a': 's1'}] * _N),
  ),
  _parquet(
    'binary',
    case.REFUSED,
    'values of type binary',
    2,
    _arrow(item=pa.array([b'\xff\xfe'] * _N)),
  ),
  _parquet(
    'null_times',
    case.REFUSED,
    'the time is blank',
    1,
    _arrow(hour=pa.nulls(_N)),
  ),
  _parquet(
    'null_codes',
    case.REFUSED,
    'the code is blank',
    1,
    _arrow(item=pa.nulls(_N)),
  ),
  _parquet(
    'nan_times',
    case.REFUSED,
    'the time is blank',
    1,
    _arrow(hour=np.full(_N, np.nan)),
  ),
  _parquet(
    'dates',
    case.REFUSED,
    'times are dates',
    1,
    _arrow(hour=pa.array([0] * _N, pa.timestamp('s'))),
  ),
  _parquet(
    'infinite_values',
    case.REFUSED,
    "the value 'inf' of 'hr'",
    1,
    _arrow(result=np.full(_N, np.inf)),
  ),
  _parquet('sound', case.READ, f'{_N} rows of 2 codes', 0, _arrow()),
  _parquet(
    'events',
    case.READ,
    f'{_N} rows of 2 codes',
    0,
    _arrow(result=pa.nulls(_N)),
  ),
)
