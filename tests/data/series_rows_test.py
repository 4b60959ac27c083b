"""Tests of series that are read from tables of rows."""

import math
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import series_rows, tables
from tests.data import series_tables

HEADER = series_tables.HEADER


def dated(**options) -> series_rows.SeriesColumns:
  return series_tables.columns(**{'time_unit': '', 'index': None, **options})


def days(text: str) -> float:
  return tables.days(text)


class SeriesRowsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _read(self, raw, *args, **options):
    return series_tables.read(self.folder, raw, *args, **options)

  def test_rows_by_study_in_order_of_time(self):
    data, notes, found = self._read(
      HEADER + 'b,47,K,4.5\na,10,Na,140\nb,1,seen,\na,2,K,-0\n',
      series_tables.columns(length=7),
    )
    self.assertEqual(
      series_tables.listed(data),
      [
        [(-46.0, 'K', 0.0), (-38.0, 'Na', 140.0)],
        [(-47.0, 'seen', None), (-1.0, 'K', 4.5)],
        [],
      ],
    )
    self.assertEqual(data.present.tolist(), [True, True, False])
    self.assertEqual((data.codes, data.length), (('K', 'Na', 'seen'), 7))
    self.assertEqual((notes, found), ((), []))

  @parameterized.parameters(
    ('seconds', 48 * 3600), ('minutes', 48 * 60), ('hours', 48), ('days', 2)
  )
  def test_units_of_time(self, unit, index):
    data, _, _ = self._read(
      HEADER + f'a,{index / 2},K,1\n',
      series_tables.columns(time_unit=unit, index=index),
    )
    self.assertEqual(series_tables.listed(data)[0], [(-24.0, 'K', 1.0)])

  def test_dates(self):
    raw = (
      HEADER
      + 'a,2024-03-01T10:00,K,1\nb,2024-03-01 10:00:30.5,K,2\n'
      + 'a,2024-02-29,K,3\nb,2024-03-01T10:00:00+01:00,K,4\n'
    )
    index = np.array([days('2024-03-01T14:30'), days('2024-03-02'), math.nan])
    data, notes, found = self._read(raw, dated(), index_time=index)
    self.assertEqual(
      series_tables.listed(data),
      [
        [(-38.5, 'K', 3.0), (-4.5, 'K', 1.0)],
        [(-15.0, 'K', 4.0), (-13.992, 'K', 2.0)],
        [],
      ],
    )
    self.assertEqual((notes, found), ((), []))

  def test_a_moment_of_each_study(self):
    data, notes, _ = self._read(
      HEADER + 'a,1,K,1\nb,1,K,2\nc,1,K,3\n',
      series_tables.columns(index=None, after_index='drop'),
      index_time=np.array([2.0, 1.0, math.nan]),
    )
    self.assertEqual(series_tables.listed(data), [[(-1.0, 'K', 1.0)], [], []])
    self.assertEqual(
      notes,
      (
        'of 3 rows 1 is of studies without a time of prediction, and left out',
        'of 3 rows 1 is at or after the time of prediction and left out',
      ),
    )

  def test_some_time_of_prediction_is_needed(self):
    with self.assertRaisesRegex(
      errors.UserError, 'Name the column index_time .* or, .* set index'
    ):
      self._read(HEADER + 'a,1,K,1\n', series_tables.columns(index=None))
    with self.assertRaisesRegex(errors.UserError, 'set time_unit to one of'):
      series_tables.columns(time_unit='')
    for c, theirs in (
      (series_tables.columns(index=None), True),
      (dated(), False),
    ):
      with self.assertRaisesRegex(errors.UserError, 'they must be alike'):
        self._read(
          HEADER + 'a,1,K,1\n',
          c,
          index_time=np.zeros(3),
          index_is_date=theirs,
        )

  def test_late_rows_are_an_error_with_places_and_count(self):
    late = ''.join(f'b,{48 + i},K,1\n' for i in range(30))
    data, notes, found = self._read(HEADER + 'a,47.9,K,1\n' + late)
    self.assertEqual(series_tables.listed(data), [[(-0.1, 'K', 1.0)], [], []])
    self.assertEqual(notes[0].split(' are ')[0], 'of 31 rows 30')
    self.assertLen(found, 1)
    self.assertStartsWith(
      found[0],
      "t.csv, line 3, column 'hour': of 31 rows 30 are at or after the time of "
      'prediction (lines 3, 4, 5, ',
    )
    self.assertIn('22, ...): nothing', found[0])
    self.assertIn('after_index = "drop"', found[0])

  def test_what_is_left_out_is_counted(self):
    c = series_tables.columns(
      after_index='drop',
      window=24,
      unknown=('-1', 'UNK'),
      plausible={'T': (30, 45), 'FiO2': (0.21, 1)},
      codes=('T', 'FiO2', 'K'),
    )
    raw = (
      HEADER
      + 'x,1,K,1\nx,bad,K,bad\na,48,K,bad\na,23.9,T,36\na,24,T,36\n'
      + 'a,30,K,-1.0\na,31,K,UNK\na,32,other,1\na,33,T,3.6\na,34,T,\n'
      + 'a,35,FiO2,0.21\na,36,T,450\na,37,T,37\n'
    )
    data, notes, found = self._read(raw, c)
    self.assertEqual(
      series_tables.listed(data)[0],
      [
        (-24.0, 'T', 36.0),
        (-14.0, 'T', None),
        (-13.0, 'FiO2', 0.21),
        (-11.0, 'T', 37.0),
      ],
    )
    self.assertEqual(
      notes,
      (
        'of 13 rows 2 are of studies that are not in the cohort, and ignored',
        'of 13 rows 1 is at or after the time of prediction and left out',
        'of 13 rows 1 is more than 24 hours before the prediction and left out',
        'of 13 rows 1 is of codes that are not used, and left out',
        'of 13 rows 2 are of unknown value (-1, UNK) and left out',
        "of 4 rows of 'T' 2 are outside plausible = [30, 45] (3.6 to 450) and "
        'left out',
      ),
    )
    self.assertEqual(found, [f"t.csv, column 'value': {notes[-1]}."])

  def test_plausible_limits_hold_as_numbers_are_kept(self):
    table = pa.table(
      {
        'stay': ['a', 'a'],
        'hour': [1, 2],
        'item': ['FiO2', 'FiO2'],
        'value': pa.array([0.21, 0.9], pa.float32()),
      }
    )
    pyarrow.parquet.write_table(table, self.folder / 't.parquet')
    c = series_tables.columns(
      table='t.parquet', plausible={'FiO2': (0.21, 0.9)}
    )
    self.assertLen(self._read(None, c)[0].time, 2)

  def test_faults_are_named_with_their_lines(self):
    raw = (
      'stay,hour,item,value\n'
      + 'a,1,K,\n\n,1,K,1\na,,K,1\na,soon,K,1\na,2024-03-01,K,1\n'
      + 'a,2,,1\na,3,K,"4,5"\na,4,K,high\na,5,K,inf\na,6,K,1e300\n'
    )
    data, _, found = self._read(raw)
    self.assertLen(data.time, 1)
    self.assertCountEqual(
      found,
      [
        "t.csv, line 4, column 'stay': the study is blank.",
        "t.csv, line 5, column 'hour': the time is blank.",
        "t.csv, line 6, column 'hour': 'soon' is not a number of hours.",
        "t.csv, line 7, column 'hour': '2024-03-01' is a date, expected a "
        'number of hours.',
        "t.csv, line 8, column 'item': the code is blank.",
        "t.csv, line 9, column 'value': the value '4,5' of 'K' is not a number "
        '(decimal point).',
        "t.csv, line 10, column 'value': the value 'high' of 'K' is not a "
        'number (decimal point).',
        "t.csv, line 11, column 'value': the value 'inf' of 'K' is not a "
        'number (decimal point).',
        "t.csv, line 12, column 'value': the value '1e300' of 'K' is larger "
        'than 1e+15 in size.',
      ],
    )

  def test_many_faults_are_summed_up(self):
    bad = ''.join('a,1,K,low\n' for _ in range(40)) + 'a,1,K,high\n'
    _, _, found = self._read(HEADER + 'a,1,K,1\n' + bad)
    self.assertLen(found, 4)
    self.assertIn("line 3, column 'value': the value 'low'", found[0])
    self.assertIn("line 43, column 'value': the value 'high'", found[2])
    self.assertIn('38 more of these (not a number): lines 5, 6, ', found[3])
    self.assertEndsWith(found[3], ', 24, ...')

  def test_times_of_the_other_kind_are_one_fault(self):
    index = np.full(3, 19800.0)
    _, _, found = self._read(
      HEADER + 'a,5,K,1\nb,6,K,1\n', dated(), index_time=index
    )
    self.assertIn(
      "column 'hour': times are numbers ('5' is a number): set time_unit to "
      'one of seconds, minutes, hours, days.',
      found[0],
    )
    _, _, found = self._read(HEADER + 'a,2024-03-01,K,1\n')
    self.assertIn('times are dates', found[0])
    self.assertIn('take time_unit = "hours" out', found[0])
    _, _, found = self._read(
      HEADER + 'a,2020-03-01T10:00,K,1\nb,20200301,K,1\nb,03/01/2020,K,1\n',
      dated(),
      index_time=index,
    )
    self.assertLen(found, 2)
    self.assertIn("line 3, column 'hour': '20200301' is a number", found[0])
    self.assertIn("line 4, column 'hour': '03/01/2020' is not an ISO", found[1])

  def test_dates_on_the_day_of_the_prediction(self):
    index = np.full(3, days('2024-03-01T14:30'))
    _, notes, found = self._read(
      HEADER + 'a,2024-03-01,K,1\na,2024-02-01,K,1\n', dated(), index_time=index
    )
    self.assertIn('1 row is dated on the day of the prediction', notes[0])
    self.assertIn(notes[0], found[0])
    _, notes, _ = self._read(
      HEADER + 'a,2024-03-01,K,1\na,2024-03-01T11:00,K,1\n',
      dated(),
      index_time=index,
    )
    self.assertEqual(notes, ())

  def test_unknown_columns(self):
    with self.assertRaisesRegex(
      errors.UserError,
      r"Unknown column 'time' \(time of series 't.csv'\).*"
      'Known columns: stay, hour, item, value',
    ):
      self._read(HEADER + 'a,1,K,1\n', series_tables.columns(time='time'))
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'value'"):
      self._read(HEADER + 'a,1,K,1\n', series_tables.columns(value='valu'))

  @parameterized.parameters(
    ({'time_unit': 'hour'}, "Unknown time_unit 'hour'.*Did you mean 'hours'"),
    ({'after_index': 'dorp'}, "Did you mean 'drop'"),
    ({'index': math.inf}, 'index is inf'),
    ({'window': 0}, 'window is 0'),
    ({'length': 0}, 'length is 0'),
    ({'study': ()}, 'study is'),
    ({'plausible': {'K': (5, 1)}}, r"plausible of 'K' is \(5, 1\)"),
  )
  def test_illegal_keys(self, options, message):
    with self.assertRaisesRegex(errors.UserError, message):
      series_tables.columns(**options)

  def test_no_table_and_no_rows(self):
    with self.assertRaisesRegex(errors.UserError, 'No table'):
      self._read(None)
    with self.assertRaisesRegex(errors.UserError, 'a header but no rows'):
      self._read(HEADER)
    with self.assertRaisesRegex(errors.UserError, 'is empty'):
      self._read('')
    with self.assertRaisesRegex(errors.UserError, r'line 3: 2 values'):
      self._read(HEADER + 'a,1,K,1\na,1\n')

  def test_no_row_is_left(self):
    data, _, found = self._read(HEADER + 'x,1,K,1\n')
    self.assertFalse(data.present.any())
    self.assertIn(
      "none of 1 rows is of a study of the cohort (here 'x'", found[0]
    )
    _, _, found = self._read(
      HEADER + 'a,50,K,1\n', series_tables.columns(after_index='drop')
    )
    self.assertIn('no row is left: of 1 rows 1 is at or after', found[0])

  def test_a_code_may_be_called_na(self):
    data, _, found = self._read(HEADER + 'a,1,Na,140\na,1,NA,1\na,2,K,NA\n')
    self.assertEqual(data.codes, ('K', 'NA', 'Na'))
    self.assertTrue(np.isnan(data.value[-1]))
    self.assertEqual(found, [])

  def test_without_values(self):
    data, _, _ = self._read(
      'stay,hour,item\na,1,I10\nb,2,E11\n', series_tables.columns(value='')
    )
    self.assertEqual(
      series_tables.listed(data)[:2],
      [[(-47.0, 'I10', None)], [(-46.0, 'E11', None)]],
    )

  def test_studies_of_several_columns(self):
    raw = 'site,stay,hour,item,value\n1.0,7,1,K,1\n2.0,7,1,K,2\n1.0,8,1,K,3\n'
    data, notes, found = self._read(
      raw + ',7,1,K,4\n',
      series_tables.columns(study=('site', 'stay')),
      np.array(['2/7', '1/7', '3/7']),
    )
    self.assertEqual([len(x) for x in series_tables.listed(data)], [1, 1, 0])
    self.assertEqual(series_tables.listed(data)[0][0][2], 2.0)
    self.assertIn('of studies that are not in the cohort', notes[0])
    self.assertIn("line 5, column 'site': the study is blank.", found[0])

  @parameterized.parameters(
    ('7.0 8.0', [1, 1]),  # Whole numbers all: pandas wrote them.
    ('7 8', [1, 1]),
    ('7.0 x8', [0, 0]),  # The column holds names, which stay as written.
    ('7.0 7', [0, 1]),  # Two studies; nobody knows which is meant by 7.0.
    ('07 8', [0, 1]),
  )
  def test_spellings_of_studies(self, written, expected):
    one, two = written.split()
    study = np.array(['7', '8']) if two != '7' else np.array(['8', '7'])
    data, _, found = self._read(
      HEADER + f'{one},1,K,1\n{two},1,K,1\n', study=study
    )
    self.assertEqual([len(x) for x in series_tables.listed(data)], expected)
    if one == '07':
      self.assertIn(
        "study '07' are ignored, but it is written like '7'", found[0]
      )

  def test_codes_have_one_spelling(self):
    for raw, names in (
      ('a,1,1.0,1\na,2,2.0,1\n', ('1', '2')),
      ('a,1,250.00,1\na,2,1.0,1\n', ('1.0', '250.00')),
    ):
      data, _, found = self._read(
        HEADER + raw, series_tables.columns(codes=('1', '250.00'))
      )
      self.assertContainsSubset(data.codes, names)
    self.assertEqual(found, [])
    _, _, found = self._read(
      HEADER + 'a,1,Temp,1\n',
      series_tables.columns(codes=('Temp', 'Tmep'), plausible={'Tep': (0, 1)}),
    )
    self.assertIn(
      "has the code 'Tmep' (key codes). Did you mean 'Temp'?", found[0]
    )
    self.assertIn("has the code 'Tep' (key plausible)", found[1])

  def test_zeros_of_either_sign_are_one_value(self):
    rows = ['a,1,K,0\n', 'a,1,K,-0\n', 'a,1,K,\n']
    one, _, _ = self._read(HEADER + ''.join(rows))
    other, _, _ = self._read(HEADER + ''.join(rows[::-1]))
    self.assertEqual(one.digest(), other.digest())

  def test_the_least_time_before_the_prediction_is_before_it(self):
    data, _, found = self._read(
      HEADER + 'a,-1e-300,K,1\n', series_tables.columns(index=0.0)
    )
    self.assertLess(data.time[0], 0)
    self.assertEqual(found, [])

  def test_equal_rows_are_kept_and_counted(self):
    raw = 'a,1,K,1\na,1,K,1\na,1,K,\na,1,K,\na,1,K,2\nb,1,K,1\n'
    data, notes, _ = self._read(HEADER + raw)
    self.assertLen(data.time, 6)
    self.assertEqual(
      notes,
      (
        'of 6 rows 2 are equal to another in study, time, code and value, and '
        'kept',
      ),
    )
    # Equal as float32 hours, a tenth of a second apart.
    raw = 'a,1,K,1\na,1.1,K,1\n'
    c = series_tables.columns(time_unit='seconds', index=4e8)
    data, notes, _ = self._read(HEADER + raw, c)
    self.assertEqual(data.time[0], data.time[1])
    self.assertEqual(notes, ())


if __name__ == '__main__':
  absltest.main()
