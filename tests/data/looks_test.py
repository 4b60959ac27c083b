"""Tests of what cells look like."""

import tomllib

from absl.testing import absltest, parameterized

from fusion_jax.data import looks, numbers


class LooksTest(parameterized.TestCase):
  @parameterized.parameters(
    (['37,5', '36,9', '38'], looks.DECIMAL),
    (['1,234', '1,5'], looks.DECIMAL),
    (['1,234', '2,345,678'], looks.THOUSANDS),
    (['<0.5', '0.7', '>90'], looks.BOUND),
    (['<0,5'], looks.BOUND),
    (['37 C', '36.5 C', '38'], looks.UNIT),
    (['045Y', '046Y'], looks.UNIT),
    (['5 mg/m2', '7 mg/m2'], looks.UNIT),
    (['12 mmHg', '13 mmHg'], looks.UNIT),
    (['31.12.2020', '1.2.2021'], looks.DATE),
    (['12/31/2020', '1/2/21'], looks.DATE),
    (['2020-01-31', '2021-02-03 10:00'], looks.DATE),
    (['12-Mar-2020', '3 April 2021'], looks.DATE),
  )
  def test_a_look_is_named(self, cells, kind):
    self.assertEqual(looks.of_cells(set(cells)).kind, kind)

  @parameterized.parameters(
    (['1', '2.5'],),
    (['a', 'b', '37,5'],),
    (['x1', 'x2'],),
    (['1', '2', '37,5'],),
    (['5o', '7'],),
    (['120/80', '130/90'],),
    (['18-30', '31-40'],),
    (['T1', 'T2a'],),
    ([],),
  )
  def test_no_look(self, cells):
    self.assertIsNone(looks.of_cells(set(cells)))

  def test_what_a_format_reads_needs_no_look(self):
    comma = numbers.Format(decimal=numbers.COMMA)
    self.assertIsNone(looks.of_cells({'37,5', '36,9'}, comma))

  @parameterized.parameters(
    (['1A', '2A', '3A'], False),
    (['1A', '2A', '3A', '4A', '5A'], True),
    (['<65', '>=65'], False),
    (['<5', '6', '7', '8', '9', '10'], True),
    (['male', 'female'], False),
    (['1', '2', '3'], False),
  )
  def test_names_are_no_numbers(self, cells, seen):
    self.assertEqual(looks.of_column(set(cells)) is not None, seen)

  @parameterized.parameters(
    ('bp', 'mmHg', '{bp = "mmHg"}'),
    ('BP (mean)', 'mmHg', '{"BP (mean)" = "mmHg"}'),
    ('a"b', "'", '{"a\\"b" = "\'"}'),
  )
  def test_the_remedy_is_legal_toml_of_the_column(self, column, unit, value):
    look = looks.of_cells({f'{x} {unit}' for x in range(5)})
    remedy = look.remedy(column)
    self.assertEqual(remedy, f'name it with units = {value}.')
    read = tomllib.loads(remedy.removeprefix('name it with ').rstrip('.'))
    self.assertEqual(read, {'units': {column: unit}})

  def test_numbers_among_dates(self):
    self.assertIn('years', looks.of_dates({'2020-01-02', '2019'}).what)
    self.assertIn('Excel', looks.of_dates({'2020-01-02', '43831'}).what)
    self.assertIsNone(looks.of_dates({'2020-01-02', '12'}))
    self.assertIsNone(looks.of_dates({'43831', '43832'}))

  def test_serial_dates_are_told_by_the_name_too(self):
    self.assertTrue(looks.are_serials('admission_date', {'43831', '44000'}))
    self.assertFalse(looks.are_serials('platelets', {'43831', '44000'}))
    self.assertFalse(looks.are_serials('admission_date', {'43831', '7'}))


if __name__ == '__main__':
  absltest.main()
