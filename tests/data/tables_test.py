"""Tests of fusion_jax.data.tables."""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import tables


class ReadTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _read(self, raw: bytes, name='t.csv', **options):
    (self.folder / name).write_bytes(raw)
    return tables.read(self.folder / name, **options)

  @parameterized.parameters(
    (b'\xef\xbb\xbfa,b\n1,x\n', 't.csv'),
    (b'a;b\r\n1;x\r\n', 't.csv'),
    (b'a\tb\n1\tx\n', 't.tsv'),
    (b'a,b\n 1 ,x\n\n', 't.txt'),
    ('a,b\n1,x\n'.encode('utf-16'), 't.csv'),
  )
  def test_spellings_of_one_table(self, raw, name):
    table = self._read(raw, name)
    self.assertEqual(
      {k: v.tolist() for k, v in table.columns.items()},
      {'a': ['1'], 'b': ['x']},
    )

  def test_missing_cells_and_their_lines(self):
    raw = b'a,b\n"two\nlines",NA\n\nnan,UNK\n,null\n'
    table = self._read(raw, keep=('null',))
    self.assertEqual(table.columns['a'].tolist(), ['two\nlines', None, None])
    self.assertEqual(table.columns['b'].tolist(), [None, 'UNK', 'null'])
    self.assertEqual(table.lines.tolist(), [2, 5, 6])

  def test_parquet_of_mixed_types(self):
    source = pa.table(
      {
        'i': [1, None],
        'f': [0.1, float('nan')],
        'b': [True, None],
        's': pa.array(['x', '']).dictionary_encode(),
      }
    )
    pq.write_table(source, self.folder / 't.parquet')
    table = tables.read(self.folder / 't.parquet')
    self.assertEqual(table.unit, 'row')
    self.assertEqual(
      {k: v.tolist() for k, v in table.columns.items()},
      {
        'i': ['1', None],
        'f': ['0.1', None],
        'b': ['true', None],
        's': ['x', None],
      },
    )

  @parameterized.parameters(
    (b'', 't.csv', 'is empty'),
    (b'a,b\n', 't.csv', 'has a header but no rows'),
    (b'a,a\n1,2\n', 't.csv', "more than one column called 'a'"),
    (b'a,b\n1,caf\xe9\n', 't.csv', 'line 2, is not utf-8'),
    (b'a,b\n1,2\n1,2,3\n', 't.csv', 'line 3: 3 values'),
    (b'nonsense', 't.parquet', 'is not readable Parquet'),
    (b'a,b', 't.docx', 'unknown kind'),
  )
  def test_faults_are_one_clear_line(self, raw, name, message):
    with self.assertRaises(errors.UserError) as caught:
      self._read(raw, name)
    self.assertIn(message, str(caught.exception))

  def test_a_column_without_a_name_is_called_by_its_number(self):
    table = self._read(b',a,\n0,x,y\n')
    self.assertEqual(list(table.columns), ['column 1', 'a', 'column 3'])

  def test_a_nested_column_is_left_out(self):
    source = pa.table({'a': ['x'], 'b': pa.array([[1, 2]])})
    pq.write_table(source, self.folder / 't.parquet')
    table = tables.read(self.folder / 't.parquet')
    self.assertEqual(list(table.columns), ['a'])
    self.assertEqual(list(table.nested), ['b'])
    self.assertIn('list<', table.nested['b'])

  def test_values_kept_in_one_column(self):
    table = self._read(b'a,b\nNA,NA\n', codes_in={'a': ['NA']})
    self.assertEqual(table.columns['a'].tolist(), ['NA'])
    self.assertEqual(table.columns['b'].tolist(), [None])

  def test_an_encoding_can_be_named(self):
    table = self._read(b'a\ncaf\xe9\n', encoding='cp1252')
    self.assertEqual(table.columns['a'].tolist(), ['caf\xe9'])

  def test_an_unknown_encoding(self):
    with self.assertRaisesRegex(errors.UserError, "unknown encoding 'utf9'"):
      self._read(b'a\n1\n', encoding='utf9')

  def test_a_missing_file_suggests_its_neighbour(self):
    self._read(b'a\n1\n', 'ehr.csv')
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'ehr.csv'"):
      tables.read(self.folder / 'her.csv')

  def test_a_column_has_one_spelling(self):
    table = self._read(
      b'ward,icd,seen,id\n1.0,042,True,1.0\n,42,FALSE,2.0\n2,1.0,,3.0\n',
      as_written=('id',),
    )
    found = {k: v.tolist() for k, v in table.columns.items()}
    self.assertEqual(
      found,
      {
        'ward': ['1', None, '2'],
        'icd': ['042', '42', '1.0'],
        'seen': ['true', 'false', None],
        'id': ['1.0', '2.0', '3.0'],
      },
    )

  def test_codes_have_no_say_in_the_spelling(self):
    text = b'a\n1.0\nUNK\n'
    self.assertEqual(self._read(text).columns['a'].tolist(), ['1.0', 'UNK'])
    table = self._read(text, codes=('UNK',))
    self.assertEqual(table.columns['a'].tolist(), ['1', 'UNK'])


class FindingsTest(absltest.TestCase):
  def test_many_of_a_kind_are_summed_up(self):
    findings = tables.Findings('t.csv')
    for line in range(2, 102):
      findings.add('bad.', line=line, column='a', kind='bad cell')
    findings.warn('odd.', column='b')
    problems = findings.finished()
    self.assertEqual(
      [str(x) for x in problems],
      [
        *(f"t.csv, line {x}, column 'a': bad." for x in (2, 3, 4)),
        "t.csv, column 'a': 97 more of these (bad cell): lines "
        f'{", ".join(str(x) for x in range(5, 25))}, ...',
        "t.csv, column 'b': odd.",
      ],
    )
    self.assertEqual([x.is_error for x in problems[-2:]], [True, False])

  def test_columns_and_kinds_are_summed_up_apart(self):
    findings = tables.Findings('t.csv')
    for line in range(2, 7):
      for column in 'ab':
        findings.add('bad.', line=line, column=column, kind='bad cell')
      findings.warn('odd.', line=line, column='a', kind='odd cell')
      findings.add('each.', line=line, column='a')
    lines = [str(x) for x in findings.finished()]
    self.assertLen(lines, 3 * 4 + 5)
    for column, kind in (('a', 'bad'), ('b', 'bad'), ('a', 'odd')):
      self.assertIn(
        f"t.csv, column '{column}': 2 more of these ({kind} cell): lines 5, 6",
        lines,
      )

  def test_other_messages_are_shown_before_the_same_again(self):
    findings = tables.Findings('t.csv')
    for line, value in enumerate('aaaabaac', start=2):
      findings.add(f"'{value}' is bad.", line=line, kind='bad cell')
    self.assertEqual(
      [str(x) for x in findings.finished()],
      [
        "t.csv, line 2: 'a' is bad.",
        "t.csv, line 6: 'b' is bad.",
        "t.csv, line 9: 'c' is bad.",
        't.csv: 5 more of these (bad cell): lines 3, 4, 5, 7, 8',
      ],
    )

  def test_one_more_is_no_group(self):
    findings = tables.Findings('t.csv')
    for line in range(4):
      findings.add('bad.', line=line + 2, kind='bad cell')
    self.assertLen(findings.finished(), 4)
    self.assertEqual(str(findings.finished()[-1]), 't.csv, line 5: bad.')

  def test_what_has_no_line_is_named_by_its_file_or_counted(self):
    of_files = [
      ('cut', tables.Problem(tables.ERROR, 'cut.', f'{x}.png')) for x in 'abcde'
    ]
    self.assertEqual(
      str(tables.summed_up(of_files)[-1]),
      "2 more of these (cut): 'd.png', 'e.png'",
    )
    findings = tables.Findings('')
    for x in 'abcde':
      findings.warn(f"'{x}' is twice.", kind='twice')
    self.assertEqual(str(findings.finished()[-1]), '2 more of these (twice).')


class DaysTest(parameterized.TestCase):
  @parameterized.parameters(
    ('1970-01-01', 0),
    ('2000-03-01', 11017),
    ('2000-03-01T12:00', 11017.5),
    ('2000-03-01 12:00:00.000000000', 11017.5),
    ('2000-03-01T12:00-12:00', 11018),
    ('0001-01-01T00:00+14:00', -719162 - 14 / 24),
  )
  def test_dates(self, text, expected):
    self.assertAlmostEqual(tables.days(text), expected, places=6)

  @parameterized.parameters('', '12', '2000-02-30', '2000-03', 'soon', 'nan')
  def test_what_is_none(self, text):
    self.assertTrue(np.isnan(tables.days(text)))


if __name__ == '__main__':
  absltest.main()
