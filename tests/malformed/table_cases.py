"""Cases of the table: text, cells and Parquet."""

import functools
import gzip
import io
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from tests.malformed import case

_EVENTS = '12 (50.0%)'


def _of(
  name, outcome, words, code, *, table=None, file='t.csv', make=None, **keys
):
  make = make or functools.partial(
    case.cohort,
    table=table,
    name=file,
    descriptor=case.toml(table=f'"{file}"', **keys),
  )
  words = (words,) if isinstance(words, str) else words
  flags = ('--cohort=.',)
  return case.Case(
    f'table_{name}', outcome, words, make, 'prepare', flags, code
  )


def _refused(name, words, table, code=2, **rest):
  return _of(name, case.REFUSED, words, code, table=table, **rest)


def _read(name, table, words=_EVENTS, **rest):
  return _of(name, case.READ, words, 0, table=table, **rest)


def _cells(name, words, column, cells, *, outcome=case.REFUSED, code=1, **keys):
  """A sound table but for the first cells of a column."""
  return _of(
    f'cell_{name}',
    outcome,
    words,
    code,
    table=case.text_of(_changed(column, cells)),
    **keys,
  )


def _changed(column, cells):
  columns = case.rows()
  cells = [cells] if isinstance(cells, str) else list(cells)
  columns[column][: len(cells)] = cells
  return columns


def _parquet(name, outcome, words, code, table, **keys):
  out = io.BytesIO()
  pyarrow.parquet.write_table(table, out)
  return _of(
    f'parquet_{name}',
    outcome,
    words,
    code,
    table=out.getvalue(),
    file='t.parquet',
    **keys,
  )


def _special(name, words, place, **rest):
  """A table that is no regular file; `place` puts it there."""

  def make(folder):
    case.cohort(folder)
    (folder / 't.csv').unlink()
    place(folder / 't.csv')

  return _of(name, case.REFUSED, words, 2, make=make, **rest)


_TEXT = case.text_of(case.rows())
_HEADER = _TEXT.partition('\n')[0]
_ARROW = pa.table(case.rows())
_N = case.STUDIES
_SURVIVAL = {
  'task': '"survival"',
  'label': None,
  'time': '"amount"',
  'event': '"y"',
}
_REGRESSION = {'task': '"regression"', 'label': '"amount"'}


def _buffer(table) -> bytes:
  out = io.BytesIO()
  pyarrow.parquet.write_table(table, out)
  return out.getvalue()


CASES = (
  _refused('empty', 'is empty', ''),
  _refused('blank', 'is empty', '\n\n'),
  _refused('header_only', 'has a header but no rows', _HEADER + '\n'),
  _refused('no_header', 'more than one column', _TEXT.partition('\n')[2]),
  _refused('short_row', 'rows of another length', _TEXT + 's99,p99\n'),
  _refused('long_row', 'rows of another length', _TEXT + ',' * 20 + '\n'),
  _refused('cut', 'rows of another length', _TEXT[:-25]),
  _refused('same_name', "called 'age'", _TEXT.replace('sex', 'age', 1)),
  _refused('open_quote', 't.csv', _TEXT.replace('s3,', '"s3,', 1)),
  _refused('huge_cell', 'field larger than', _TEXT + '"' + 'x' * 200_000 + '"'),
  _refused('latin1', 'is not utf-8', _TEXT.replace('M', 'é').encode('latin-1')),
  _refused('binary', 'is not utf-8', bytes(range(256)) * 20),
  _refused(
    'zip', "Table 't.csv'", b'PK\x03\x04\x14\x00\x06\x00\x08\x00\xff\xd8'
  ),
  _refused('html', 'Unknown column', '<!DOCTYPE html>\n<html>\n'),
  _refused('json', 'Unknown column', '[{"sid": "s0"}]\n1\n'),
  _refused(
    'pointer',
    'Unknown column',
    'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n',
  ),
  _refused('kind', 'unknown kind', _TEXT, file='t.ods'),
  _refused('no_suffix', 'unknown kind', _TEXT, file='t'),
  _refused('wrong_encoding', 'is not utf-16', _TEXT[1:], encoding='"utf-16"'),
  _read('byte_order_mark', b'\xef\xbb\xbf' + _TEXT.encode()),
  _read('utf16', _TEXT.encode('utf-16')),
  _read('windows_lines', _TEXT.replace('\n', '\r\n')),
  _read('old_mac_lines', _TEXT.replace('\n', '\r')),
  _read('blank_lines', _TEXT.replace('\n', '\n\n')),
  _read('no_last_newline', _TEXT.rstrip('\n')),
  _read('semicolons', case.text_of(case.rows(), ';')),
  _read('tabs', case.text_of(case.rows(), '\t')),
  _read('tsv', case.text_of(case.rows(), '\t'), file='t.tsv'),
  _read('bars', case.text_of(case.rows(), '|')),
  _read('blanks_around', _TEXT.replace(',', ' , ')),
  _read('quoted', _TEXT.replace('s3,', '"s3",', 1)),
  _read(
    'cp1252', _TEXT.replace('M', 'é').encode('cp1252'), encoding='"cp1252"'
  ),
  _read('separator_line', 'sep=;\n' + case.text_of(case.rows(), ';')),
  _read('gzip', gzip.compress(_TEXT.encode())),
  _special('folder', 'is a folder', os.mkdir),
  _special('loop', 'No table', lambda x: os.symlink(x, x)),
  _special('dangling', 'No table', lambda x: os.symlink('nowhere', x)),
  _special('pipe', 't.csv', os.mkfifo),
  _special('endless', 't.csv', lambda x: os.symlink('/dev/zero', x)),
  _cells('label_2', "unknown label '2'", 'y', '2'),
  _cells('label_word', "unknown label 'maybe'", 'y', 'maybe'),
  _cells('label_blank', 'the label is blank', 'y', ''),
  _cells('label_nan', 'the label is blank', 'y', 'NaN'),
  _cells('label_infinite', "unknown label 'inf'", 'y', 'inf'),
  _cells('label_digits', 'unknown label', 'y', '9' * 5000),
  _cells('label_one_class', 'only one class', 'y', ['1'] * _N),
  _cells('label_all_blank', 'the label is blank', 'y', [''] * _N),
  _cells('study_blank', 'the study is blank', 'sid', ''),
  _cells('patient_blank', 'the patient is blank', 'pid', ''),
  _cells('study_twice', 'has ', 'sid', ['s5']),
  _cells('age_word', "'old' is not a number", 'age', 'old'),
  _cells('age_infinite', "'inf' is not a number", 'age', 'inf'),
  _cells('age_overflow', "'1e400' is not a number", 'age', '1e400'),
  _cells('age_large', 'larger than', 'age', '1e308'),
  _cells('age_digits', 'is not a number', 'age', '9' * 5000),
  _cells('age_underscore', "'1_0' is not a number", 'age', '1_0'),
  _cells('age_hexadecimal', "'0x1F' is not a number", 'age', '0x1F'),
  _cells('age_comma', "'37,5'", 'age', '37,5'),
  _cells('age_formula', "'=1+1' is not a number", 'age', '=1+1'),
  _cells('age_controls', "'[2J' is not a number", 'age', '\x1b[2J'),
  _cells('age_markup', "'[/b]' is not a number", 'age', '[/b]'),
  _cells('age_nul', 'is not a number', 'age', '\x00'),
  _cells('age_many', 'more of these', 'age', ['old'] * _N),
  _cells('smoker', 'neither true nor false', 'smoker', 'maybe'),
  _cells('fold_half', 'expected a whole number', 'part', '1.5', fold='"part"'),
  _cells('fold_blank', 'expected a whole number', 'part', '', fold='"part"'),
  _cells('fold_word', 'is not a whole number', 'part', 'test', fold='"part"'),
  _cells('fold_huge', 'at most nine digits', 'part', '1e15', fold='"part"'),
  _cells(
    'fold_one', 'every study is in fold', 'part', ['1'] * _N, fold='"part"'
  ),
  _cells('fold_shared', 'but', 'part', '2', fold='"part"'),
  _cells('weight_zero', 'the weight is', 'amount', '0', weight='"amount"'),
  _cells('weight_negative', 'the weight is', 'amount', '-1', weight='"amount"'),
  _cells('weight_blank', 'the weight is', 'amount', '', weight='"amount"'),
  _cells('weight_huge', 'the weight is', 'amount', '1e308', weight='"amount"'),
  _cells('weight_tiny', 'the weight is', 'amount', '1e-308', weight='"amount"'),
  _cells(
    'when_word', 'expected an ISO date', 'when', 'soon', index_time='"when"'
  ),
  _cells(
    'when_blank', 'the index time is nothing', 'when', '', index_time='"when"'
  ),
  _cells(
    'when_month',
    'expected an ISO date',
    'when',
    '2024-13-01',
    index_time='"when"',
  ),
  _cells(
    'when_year',
    'expected an ISO date',
    'when',
    '99999-01-01',
    index_time='"when"',
  ),
  _cells(
    'when_first_day',
    _EVENTS,
    'when',
    '0001-01-01T00:00+23:59',
    index_time='"when"',
    outcome=case.READ,
    code=0,
  ),
  _cells('time_zero', 'is not above 0', 'amount', '0', **_SURVIVAL),
  _cells('time_negative', 'is not above 0', 'amount', '-3', **_SURVIVAL),
  _cells('time_blank', 'the label is blank', 'amount', '', **_SURVIVAL),
  _cells('time_huge', 'larger than', 'amount', '1e300', **_SURVIVAL),
  _cells('event_2', "unknown label '2'", 'y', '2', **_SURVIVAL),
  _cells('event_none', 'only one class', 'y', ['0'] * _N, **_SURVIVAL),
  _cells('regression_word', 'is not a number', 'amount', 'x', **_REGRESSION),
  _cells('regression_blank', 'the label is blank', 'amount', '', **_REGRESSION),
  _cells('regression_huge', 'larger than', 'amount', '1e300', **_REGRESSION),
  _cells(
    'regression_constant', 'every label is', 'amount', ['1'] * _N, **_REGRESSION
  ),
  _cells(
    'one_class',
    'only one class',
    'part',
    ['a'] * _N,
    task='"multiclass"',
    label='"part"',
  ),
  _cells(
    'contradiction',
    'patient ',
    'sex',
    ['M', 'F'],
    patient_constants='["sex"]',
  ),
  _cells(
    'all_missing',
    'every value is missing',
    'age',
    [''] * _N,
    outcome=case.WARNED,
    code=0,
  ),
  _cells(
    'constant',
    "every value is '5",
    'age',
    ['5'] * _N,
    outcome=case.WARNED,
    code=0,
  ),
  _cells('label_in_disguise', 'in disguise', 'sex', case.rows()['y']),
  _cells(
    'formula_id', _EVENTS, 'sid', '=HYPERLINK(1)', outcome=case.READ, code=0
  ),
  _refused('parquet_text', 'not readable Parquet', _TEXT, file='t.parquet'),
  _refused(
    'parquet_cut',
    'not readable Parquet',
    _buffer(_ARROW)[:-9],
    file='t.parquet',
  ),
  _refused(
    'parquet_zeros',
    'not readable Parquet',
    _buffer(_ARROW)[:4] + bytes(900) + _buffer(_ARROW)[-900:],
    file='t.parquet',
  ),
  _refused('parquet_empty', 'not readable Parquet', b'', file='t.parquet'),
  _parquet('no_rows', case.REFUSED, 'no rows', 2, _ARROW.slice(0, 0)),
  _parquet(
    'same_name',
    case.REFUSED,
    'age',
    2,
    _ARROW.rename_columns(
      ['age' if x == 'sex' else x for x in _ARROW.column_names]
    ),
  ),
  _parquet(
    'nested',
    case.REFUSED,
    "column 'age'",
    2,
    _ARROW.set_column(3, 'age', pa.array([[1]] * _N)),
  ),
  _parquet(
    'nested_unused',
    case.READ,
    _EVENTS,
    0,
    _ARROW.append_column('deep', pa.array([[1]] * _N)),
  ),
  _parquet(
    'binary',
    case.REFUSED,
    "column 'age'",
    2,
    _ARROW.set_column(3, 'age', pa.array([b'\xff\xfe'] * _N)),
  ),
  _parquet(
    'dictionary',
    case.READ,
    _EVENTS,
    0,
    _ARROW.set_column(
      4, 'sex', pa.array(case.rows()['sex']).dictionary_encode()
    ),
  ),
  _parquet(
    'numbers',
    case.READ,
    _EVENTS,
    0,
    _ARROW.set_column(2, 'y', pa.array(np.arange(_N) // 2 % 2)),
  ),
  _parquet(
    'booleans',
    case.READ,
    _EVENTS,
    0,
    _ARROW.set_column(2, 'y', pa.array(np.arange(_N) // 2 % 2 == 1)),
  ),
  _parquet(
    'nulls',
    case.WARNED,
    'every value is missing',
    0,
    _ARROW.set_column(3, 'age', pa.nulls(_N)),
  ),
)
