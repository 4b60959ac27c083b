"""Tests of columns of numbers."""

import numpy as np
from absl.testing import absltest

from fusion_jax.data import numbers, readings, tables


def _table(cells):
  column = np.empty(len(cells), object)
  column[:] = cells
  lines = np.arange(2, 2 + len(cells))
  return tables.Table('t.csv', {'x': column}, lines, 'line')


class ReadingsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.findings = tables.Findings('t.csv')

  def _read(self, cells, form=None, **options):
    form = form or numbers.Format()
    return readings.read(_table(cells), 'x', form, self.findings, **options)

  def _problems(self):
    return [str(x) for x in self.findings.finished()]

  def test_numbers_codes_and_gaps(self):
    values, coded = self._read(['1', None, '999', '2.5'], codes=['999'])
    np.testing.assert_array_equal(values, [1, np.nan, np.nan, 2.5])
    np.testing.assert_array_equal(coded, [False, False, True, False])
    self.assertEmpty(self._problems())

  def test_codes_are_written_as_the_numbers_beside_them(self):
    comma = numbers.Format(decimal=',', unit='mg')
    for codes in (['-9'], ['-9.0'], ['-9,0 mg']):
      values, coded = self._read(['-9,0', '-9 mg', '1,5'], comma, codes=codes)
      np.testing.assert_array_equal(values, [np.nan, np.nan, 1.5])
      np.testing.assert_array_equal(coded, [True, True, False])
    self.assertEmpty(self._problems())

  def test_cells_of_one_look_are_one_line(self):
    values, _ = self._read(['36,6', '37,5', '38', None, 'high'])
    np.testing.assert_array_equal(values, [np.nan, np.nan, 38, np.nan, np.nan])
    self.assertEqual(
      self._problems(),
      [
        "t.csv, line 2, column 'x': '36,6' is not a number.",
        "t.csv, line 3, column 'x': '37,5' is not a number.",
        "t.csv, line 6, column 'x': 'high' is not a number.",
      ],
    )
    self.findings = tables.Findings('t.csv')
    self._read([f'3{i},5' for i in range(9)] + ['high'])
    self.assertEqual(
      self._problems(),
      [
        "t.csv, line 2, column 'x': 9 cells such as '30,5' look like numbers "
        'with a decimal comma: set decimal = ",".',
        "t.csv, line 11, column 'x': 'high' is not a number.",
      ],
    )

  def test_one_bound_in_many_rows(self):
    self._read(['88', '>=90', '77', '>=90'])
    (line,) = self._problems()
    self.assertIn("line 3, column 'x': 2 cells such as '>=90' look like", line)
    self.assertIn('list the column under bounds', line)

  def test_one_unit_names_the_column(self):
    self._read(['45 kg', '6 kg', '7'])
    (line,) = self._problems()
    self.assertTrue(line.endswith('name it with units = {x = "kg"}.'), line)

  def test_other_units_are_said(self):
    values, _ = self._read(['045Y', '006M', '7'], numbers.Format(unit='Y'))
    np.testing.assert_array_equal(values, [45, np.nan, 7])
    self.assertIn("line 3, column 'x': '006M' is not", self._problems()[0])

  def test_companions(self):
    level = np.array([None, '<', '', 'UNK'], object)
    there = np.array([False, True, True, False])
    self.assertEqual(
      readings.companion(level, there).tolist(), [None, '<', 'number', 'UNK']
    )

  def test_what_is_not_plausible_is_missing_and_counted(self):
    form = numbers.Format(low=0, high=100)
    values = np.array([98, 340, -7, np.nan, 0, 100])
    found, notes = readings.plausible(values, 'spo2', form, self.findings)
    np.testing.assert_array_equal(found, [98, np.nan, np.nan, np.nan, 0, 100])
    message = (
      '2 of 5 values are outside plausible = [0, 100] (-7 to 340) and taken as '
      'missing.'
    )
    self.assertEqual(notes, (f"Column 'spo2': {message}",))
    self.assertEqual(self._problems(), [f"t.csv, column 'spo2': {message}"])
    self.assertFalse(self.findings.finished()[0].is_error)
    self.assertEqual(
      readings.plausible(found, 'spo2', form, self.findings)[1], ()
    )


if __name__ == '__main__':
  absltest.main()
