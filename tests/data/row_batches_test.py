"""Tests of tables that are read in parts."""

import gzip
import json
import pathlib
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import row_batches


class RowBatchesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _source(self, raw, name='t.csv', **options):
    raw = raw if isinstance(raw, bytes) else raw.encode()
    (self.folder / name).write_bytes(raw)
    return row_batches.of_file(self.folder / name, **options)

  def _columns(self, source, *names):
    found = {x: [] for x in names}
    for batch in source.batches(names):
      for name, column in batch.items():
        found[name] += column.to_pylist()
    return found

  @parameterized.parameters(
    ('t.csv', None), ('t.csv.gz', None), ('t.csv', 'utf-16')
  )
  def test_lines_count_from_the_top_of_the_file(self, name, encoding):
    raw = 'sep=;\na;"b\nb";c\n\n1;"2\n3";4\n\n5;"6""";7\r\n8;9;10'
    raw = raw.encode(encoding or 'utf-8')
    raw = gzip.compress(raw) if name.endswith('gz') else raw
    source = self._source(raw, name)
    self.assertEqual(source.names, ['a', 'b\nb', 'c'])
    self.assertEqual(
      self._columns(source, 'b\nb', 'a'),
      {'b\nb': ['2\n3', '6"', '9'], 'a': ['1', '5', '8']},
    )
    self.assertEqual(source.unit, 'line')
    self.assertEqual(source.lines(np.array([2, 0, 1])).tolist(), [9, 5, 8])
    self.assertEqual(source.lines(np.array([], int)).tolist(), [])

  @parameterized.parameters('\n', '\r\n', '\r')
  def test_ends_of_lines(self, end):
    source = self._source(end.join(['a,b', '1,2', '', '3,4', '']))
    self.assertEqual(self._columns(source, 'b'), {'b': ['2', '4']})
    self.assertEqual(source.lines(np.array([1])).tolist(), [4])

  def test_parts_of_a_file(self):
    raw = 'a,b\n' + ''.join(f'{i},é{i % 3}\n' for i in range(5000))
    with mock.patch.object(row_batches, '_BYTES', 4096):
      source = self._source(raw)
      self.assertGreater(len([*source.batches(['a'])]), 5)
      found = self._columns(source, 'a', 'b')
    self.assertEqual(found['a'], [str(i) for i in range(5000)])
    self.assertEqual(found['b'][-1], 'é1')
    table = pa.table(
      {'a': range(5000), 'b': ['x', 'y'] * 2500, 'c': [1] * 5000}
    )
    pyarrow.parquet.write_table(table, self.folder / 't.parquet')
    with mock.patch.object(row_batches, '_ROWS', 1000):
      source = row_batches.of_file(self.folder / 't.parquet')
      self.assertLen([*source.batches(['a'])], 5)
      found = self._columns(source, 'b', 'a')
    self.assertEqual(found['a'], [*range(5000)])
    self.assertEqual(found['b'], ['x', 'y'] * 2500)
    self.assertEqual(source.unit, 'row')
    self.assertEqual(source.lines(np.array([4])).tolist(), [5])

  def test_other_columns_are_not_looked_at(self):
    raw = b'a,note\n1,caf\xe9\n'
    self.assertEqual(self._columns(self._source(raw), 'a'), {'a': ['1']})

  def test_json_and_its_lists(self):
    raw = '\n'.join(json.dumps(x) for x in ({'a': 1, 'b': [2]}, {'a': None}))
    source = self._source(raw, 't.jsonl')
    self.assertEqual(self._columns(source, 'a'), {'a': ['1', None]})
    self.assertEqual(source.lines(np.array([1])).tolist(), [2])
    with self.assertRaisesRegex(errors.UserError, "column 'b': .* type list"):
      self._columns(source, 'b')

  @parameterized.parameters(
    ('a,b\n1,2\n3\n', 't.csv', 'line 3: 1 values'),
    ('', 't.csv', 'is empty'),
    (b'a,b\n1,\xff\n', 't.csv', 'line 2, is not utf-8'),
    ('a,a\n1,2\n', 't.csv', "more than one column called 'a'"),
    (b'PAR1' + bytes(40), 't.csv', 'is a Parquet file'),
    (b'nothing', 't.parquet', 'is not readable Parquet'),
    (gzip.compress(b'a,b\n1,2\n' * 99)[:-9], 't.csv.gz', 'damaged gzip'),
    ('a', 't.sav', 'of an unknown kind'),
  )
  def test_faults(self, raw, name, message):
    with self.assertRaisesRegex(errors.UserError, message):
      source = self._source(raw, name)
      self._columns(source, *source.names)

  def test_faults_of_names(self):
    with self.assertRaisesRegex(errors.UserError, 'unknown encoding'):
      self._source('a,b\n', encoding='utf-9')
    with self.assertRaisesRegex(errors.UserError, "Did you mean 't.csv'"):
      row_batches.of_file(self.folder / 't.cvs')
    self.assertEqual(self._source(',b\n1,2\n').names, ['column 1', 'b'])

  def test_parquet_that_is_cut(self):
    path = self.folder / 't.parquet'
    pyarrow.parquet.write_table(pa.table({'a': np.arange(9999)}), path)
    raw = bytearray(path.read_bytes())
    raw[100:3000] = bytes(2900)
    source = self._source(bytes(raw), 't.parquet')
    with self.assertRaisesRegex(errors.UserError, 'is not readable Parquet'):
      self._columns(source, 'a')


if __name__ == '__main__':
  absltest.main()
