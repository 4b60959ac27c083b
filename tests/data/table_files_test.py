"""Tests of table files of every kind."""

import datetime
import gzip
import json
import pathlib
import sys
from unittest import mock

import openpyxl
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import table_files


class TableFilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _read(self, raw, name='t.csv', **options):
    raw = raw if isinstance(raw, bytes) else raw.encode()
    (self.folder / name).write_bytes(raw)
    return table_files.read(self.folder / name, **options)

  def _columns(self, cells):
    return {k: list(v) for k, v in zip(cells.names, cells.columns, strict=True)}

  def test_lines_count_from_the_top_of_the_file(self):
    cells = self._read('sep=;\na;b\n1;"x\ny"\n\n2;z\n')
    self.assertEqual(
      self._columns(cells), {'a': ['1', '2'], 'b': ['x\ny', 'z']}
    )
    self.assertEqual(cells.lines.tolist(), [3, 6])
    with self.assertRaisesRegex(errors.UserError, 'line 4: 1 values'):
      self._read('sep=;\na;b\n1;2\n3\n')

  @parameterized.parameters('t.csv', 't.csv.gz')
  def test_gzip(self, name):
    cells = self._read(gzip.compress(b'a,b\n1,2\n'), name)
    self.assertEqual(self._columns(cells), {'a': ['1'], 'b': ['2']})

  def _workbook(self, rows, name='t.xlsx', **sheets):
    book = openpyxl.Workbook()
    for row in rows:
      book.active.append(row)
    for title, more in sheets.items():
      sheet = book.create_sheet(title)
      for row in more:
        sheet.append(row)
    book.save(self.folder / name)
    return self.folder / name

  def test_a_workbook(self):
    path = self._workbook(
      [
        [],
        ['id', 'n', 'x', 'yes', 'day', 'when', 'v', None],
        ['007', 3.0, 1.5, True, datetime.date(2024, 3, 1)]
        + [datetime.datetime(2024, 3, 1, 14, 30), '#N/A'],
        [],
        ['008', None, -2, False, None, None, 'ok'],
      ],
      other=[['k'], ['v']],
    )
    cells = table_files.read(path)
    self.assertEqual(
      self._columns(cells),
      {
        'id': ['007', '008'],
        'n': ['3', None],
        'x': ['1.5', '-2'],
        'yes': ['true', 'false'],
        'day': ['2024-03-01', None],
        'when': ['2024-03-01T14:30:00', None],
        'v': [None, 'ok'],
      },
    )
    self.assertEqual((cells.lines.tolist(), cells.unit), ([3, 5], 'row'))
    other = table_files.read(path, sheet='other')
    self.assertEqual(self._columns(other), {'k': ['v']})
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'other'"):
      table_files.read(path, sheet='othr')

  def test_a_workbook_without_openpyxl(self):
    path = self._workbook([['a'], [1]])
    with mock.patch.dict(sys.modules, {'openpyxl': None}):
      with self.assertRaisesRegex(
        errors.MissingPackageError, r'fusion_jax\[excel\]'
      ):
        table_files.read(path)

  def test_many_rows_of_another_length_are_counted(self):
    text = 'a,b\n' + '1\n' * 30
    with self.assertRaises(errors.ProblemsError) as caught:
      self._read(text, 't.csv')
    lines = caught.exception.lines
    self.assertLen(lines, 4)
    self.assertIn('line 4: 1 values, but the header has 2', lines[2])
    self.assertStartsWith(lines[3], '... and 27 more: lines 5, 6, 7, ')
    self.assertEndsWith(lines[3], '24, ...')

  def test_records_and_lines(self):
    rows = [{'a': 1, 'b': 'x'}, {'b': None, 'c': True, 'a': 2.5}]
    expected = {'a': ['1', '2.5'], 'b': ['x', None], 'c': [None, 'true']}
    cells = self._read(json.dumps(rows), 't.json')
    self.assertEqual(self._columns(cells), expected)
    self.assertEqual((cells.lines.tolist(), cells.unit), ([1, 2], 'row'))
    text = '\n\n'.join(json.dumps(x) for x in rows)
    for name in ('t.jsonl', 't.json'):
      cells = self._read(text, name)
      self.assertEqual(self._columns(cells), expected)
      self.assertEqual((cells.lines.tolist(), cells.unit), ([1, 3], 'line'))

  def test_nested_values_are_set_aside(self):
    cells = self._read('[{"a": 1, "b": [1]}, {"a": 2, "b": {}}]', 't.json')
    self.assertEqual(cells.nested, {'b': 'list or object'})

  @parameterized.parameters(
    ('', 't.csv', 'is empty'),
    ('{', 't.json', 'line 1: Expecting'),
    ('[1, 2]', 't.json', 'row 1 is no object'),
    ('3', 't.json', 'line 1 is no object'),
    ('[{"a": 1, "a": 2}]', 't.json', "more than one 'a'"),
    ('[' * 100_000, 't.json', 'nested too deeply'),
    ('[{"a": ' + '9' * 5000 + '}]', 't.json', 'is not readable JSON'),
    ('[]', 't.json', 'is empty'),
    ('PK\x03\x04', 't.xlsx', 'is not a readable workbook'),
    ('PK\x03\x04', 't.csv', 'Excel or zip'),
    ('x', 't.xls', 'Save it as .xlsx'),
    ('x', 't.sav', 'legal are .csv'),
    ('x', 't.parquet', 'is not readable Parquet'),
  )
  def test_faults_are_one_line(self, raw, name, message):
    with self.assertRaises(errors.UserError) as caught:
      self._read(raw, name)
    self.assertIn(message, str(caught.exception))
    self.assertNotIn('\n', str(caught.exception))

  def test_an_empty_workbook(self):
    with self.assertRaisesRegex(errors.UserError, 'is empty'):
      table_files.read(self._workbook([[]]))


if __name__ == '__main__':
  absltest.main()
