"""Tests of columns of many rows as numbers."""

import datetime
import math

import hypothesis
import numpy as np
import pyarrow as pa
from absl.testing import absltest, parameterized
from hypothesis import strategies as st

from fusion_jax.data import numbers, row_cells, tables

FINE, BLANK, UNKNOWN, OTHER, UNREADABLE, TOO_LARGE = (
  row_cells.FINE,
  row_cells.BLANK,
  row_cells.UNKNOWN,
  row_cells.OTHER,
  row_cells.UNREADABLE,
  row_cells.TOO_LARGE,
)
CELLS = st.sampled_from(
  ['1', '+1.5', '.5', '5.', '1e3', '1e400', 'inf', '-nan', '1_0', '٣', '0x1']
  + ['', 'NA', 'NaN', '2024-03-01', '20240301', '2024-03-01 10', '2024-W10-5']
  + ['2024-03-01T10:00:00.123456', '2024-03-01T10:00+02:00', '2024-3-1', 'x']
  + ['2024-02-30', '2024', '12:30']
)


class RowCellsTest(parameterized.TestCase):
  def test_texts(self):
    for column, expected in (
      (pa.array([' a', 'b', None, 'a ']), ['a', 'b', None, 'a']),
      (pa.array([1, None, 2], pa.int16()), ['1', None, '2']),
      (pa.array([101.0, 1e7, 1.5, None]), ['101', '10000000', '1.5', None]),
      (pa.array(['x', None]).dictionary_encode(), ['x', None]),
      (
        pa.DictionaryArray.from_arrays([0, 1, None], ['a', None]),
        ['a', None, None],
      ),
      (pa.array(['x'], pa.large_string()), ['x']),
      (pa.array([datetime.date(2024, 3, 1)]), ['2024-03-01']),
      (pa.array([], pa.string()), []),
    ):
      found = row_cells.texts(column)
      distinct = [*found.distinct.to_pylist(), None]
      self.assertEqual([distinct[k] for k in found.index], expected)
    with self.assertRaises(pa.ArrowException):
      row_cells.texts(pa.array([[1]]))

  def test_texts_of_other_rows_are_let_go(self):
    column = pa.array(['a', 'b', 'c', 'd']).dictionary_encode()
    found = row_cells.texts(column.take(pa.array([2, 2])))
    self.assertEqual(found.distinct.to_pylist(), ['c'])
    self.assertEqual(found.index.tolist(), [0, 0])

  def test_numbers(self):
    cells = row_cells.read(
      pa.array(['1.5', ' 2 ', '+3', '', 'n/a', 'x', '1,5', '-1.0', '1e16']),
      unknown=('-1',),
    )
    np.testing.assert_array_equal(cells.value, [1.5, 2, 3, *[math.nan] * 6])
    self.assertEqual(
      cells.fault.tolist(),
      [FINE] * 3 + [BLANK] * 2 + [UNREADABLE] * 2 + [UNKNOWN, TOO_LARGE],
    )
    self.assertEqual(cells.text(6), '1,5')
    self.assertEqual([cells.text(1), cells.text(3)], ['2', ''])
    self.assertEqual(row_cells.read(pa.array([None, 1.0])).text(0), '')

  def test_unknown(self):
    column = pa.array(['UNK', 'NA', '', '99.90', '1'])
    cells = row_cells.read(column, unknown=('UNK', 'NA', '99.9', ''))
    self.assertEqual(cells.fault.tolist(), [UNKNOWN] * 4 + [FINE])
    column = pa.array([99.9, 1, None], pa.float32())
    cells = row_cells.read(column, unknown=('99.9',))
    self.assertEqual(cells.fault.tolist(), [UNKNOWN, FINE, BLANK])
    cells = row_cells.read(column, unknown=('',))
    self.assertEqual(cells.fault.tolist(), [FINE, FINE, UNKNOWN])

  @parameterized.parameters(
    (pa.array([True, None]), [FINE, BLANK], [OTHER, BLANK]),
    (pa.array([1, 2], pa.int64()), [FINE] * 2, [OTHER] * 2),
    (pa.array([math.inf, math.nan]), [UNREADABLE, BLANK], [UNREADABLE, BLANK]),
    (pa.array([1.5, 1.5]).dictionary_encode(), [FINE] * 2, [OTHER] * 2),
    (pa.array([None, None]), [BLANK] * 2, [BLANK] * 2),
    (pa.array([b'1', b'2024-03-01']), [FINE, OTHER], [OTHER, FINE]),
    (
      pa.array([datetime.date(2024, 3, 1), None]),
      [OTHER, BLANK],
      [FINE, BLANK],
    ),
  )
  def test_types(self, column, as_numbers, as_dates):
    found = row_cells.read(column).fault.tolist()
    self.assertEqual(found, as_numbers)
    found = row_cells.read(column, dates=True).fault.tolist()
    self.assertEqual(found, as_dates)

  def test_moments_are_days(self):
    moment = datetime.datetime(2024, 3, 1, 10, 30, tzinfo=datetime.UTC)
    expected = tables.days('2024-03-01T10:30')
    for column in (
      pa.array([moment], pa.timestamp('ms', 'America/New_York')),
      pa.array([moment.replace(tzinfo=None)], pa.timestamp('ns')),
      pa.array(['2024-03-01 11:30:00+01:00']),
    ):
      cells = row_cells.read(column, dates=True)
      self.assertEqual(cells.value.tolist(), [expected])
    for column in (pa.array([[1]]), pa.array([1], pa.duration('s'))):
      with self.assertRaises(pa.ArrowException):
        row_cells.read(column)

  def test_reads_as_one_cell_at_a_time_is_read(self):
    @hypothesis.settings(max_examples=200, deadline=None, database=None)
    @hypothesis.given(st.lists(CELLS, min_size=1, max_size=6), st.booleans())
    def check(texts, dates):
      cells = row_cells.read(pa.array(texts), dates=dates)
      for k, text in enumerate(texts):
        number = numbers.number(text)
        day = tables.days(text) if math.isnan(number) else math.nan
        value, other = (day, number) if dates else (number, tables.days(text))
        if text.lower() in tables.MISSING:
          fault, value = BLANK, math.nan
        elif math.isnan(value):
          fault = UNREADABLE if math.isnan(other) else OTHER
        else:
          fault = FINE
        self.assertEqual(cells.fault[k], fault, text)
        np.testing.assert_equal(cells.value[k], value, text)

    check()


if __name__ == '__main__':
  absltest.main()
