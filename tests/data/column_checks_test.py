"""Tests of warnings about single columns."""

import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.data import column_checks, descriptor, records
from tests.data import folders


class ColumnChecksTest(parameterized.TestCase):
  def _warnings(self, cells, key, extra='', name='x', replace=('', '')):
    """Warnings about one more column with these cells, repeated."""
    rows = folders.rows(60)
    for i, row in enumerate(rows):
      row['region'] = 'ab'[i % 2]
      row[name] = cells[i % len(cells)]
    toml = folders.TOML.replace('images = "images/{study}.png"', extra)
    toml = toml.replace(*replace) if replace[0] else toml
    listed = {'numeric': '"age"', 'categorical': '"region"'}
    listed['boolean'] = '"smokes"'
    if key == 'label':
      toml = toml.replace('label = "label"', f'label = "{name}"')
    else:
      toml = toml.replace(
        f'{key} = [{listed[key]}]', f'{key} = [{listed[key]}, "{name}"]'
      )
    folder = pathlib.Path(self.create_tempdir().full_path)
    folders.write(folder, table=rows, toml=toml, images=False)
    d = descriptor.load(folder / 'cohort.toml')
    self.records = found = records.read(d, folder)
    column_checks.check(found)
    return [str(x) for x in found.findings.finished()]

  def test_codes_among_numbers(self):
    cells = [*map(str, range(60, 100)), '999', '-1']
    self.assertEmpty(self._warnings(cells[:-2], 'numeric'))
    # 60 rows: the first 18 cells twice, so no code is repeated...
    self.assertEmpty(self._warnings(cells, 'numeric'))
    # ... and now both are.
    (line,) = self._warnings(cells[-20:], 'numeric')
    self.assertEqual(
      line,
      "table.csv, column 'x': -1 (3 times), 999 (3 times) stand apart from the "
      'other values (82 to 99): codes for unknown? If so, name it in '
      'unknown_codes = {x = ["-1"]}, or say what is plausible.',
    )
    (line,) = self._warnings(
      cells[-20:], 'numeric', 'plausible = {x = [0, 100]}'
    )
    self.assertIn('6 of 60 values are outside plausible', line)

  def test_codes_among_labels_with_a_threshold(self):
    # -1 must not become a 0 without a word.
    cells = [*'0123' * 14, *['-1'] * 4]
    extra = 'positive_above = 0'
    found = self._warnings(cells, 'label', extra)
    self.assertLen([x for x in found if "column 'x': -1 (4 times)" in x], 1)

  @parameterized.parameters(
    ([*'0012', '-1'], '-1 (12 times) among numbers that are not negative'),
    ([*'012', '-1', '-9'], '-9 (12 times) and -1 (12 times) among numbers'),
    ([*'012', '-0.5'], '-0.5 (15 times) among numbers'),
  )
  def test_negative_labels_are_doubted_however_frequent(self, cells, text):
    (line,) = [
      x
      for x in self._warnings(cells, 'label', 'positive_above = 0')
      if "column 'x'" in x
    ]
    self.assertIn(text, line)
    verb = 'count' if ' and ' in text else 'counts'
    self.assertIn(f'negative {verb} as 0 by positive_above = 0', line)
    self.assertIn('[[exclude]] column = "x", values = ["-', line)
    self.assertEqual(
      self.records.warnings, (f"Column 'x': {line.split(': ', 1)[1]}",)
    )

  @parameterized.parameters(
    (['-1', '1'],), ([*'0123'],), (['-3', '-2', '-1', '0', '1', '2'],)
  )
  def test_labels_of_a_scale_are_not_doubted(self, cells):
    lines = self._warnings(cells, 'label', 'positive_above = 0')
    self.assertEmpty([x for x in lines if "column 'x'" in x])
    self.assertEqual(self.records.warnings, ())

  def test_what_a_threshold_made_of_numbers_is_noted(self):
    self._warnings([*'0012', '-1'], 'label', 'positive_above = 0')
    self.assertIn(
      "Column 'x': by positive_above = 0, label 0 is -1 (12 studies), 0 (24 "
      'studies); label 1 is 1 (12 studies), 2 (12 studies).',
      self.records.notes,
    )
    cells = [str(x) for x in range(60)]
    self._warnings(cells, 'label', 'positive_above = 57')
    self.assertIn(
      "Column 'x': by positive_above = 57, label 0 is 58 numbers from 0 to 57 "
      '(58 studies); label 1 is 58 (1 study), 59 (1 study).',
      self.records.notes,
    )

  def test_a_negative_label_of_several_may_be_unknown(self):
    extra = 'positive_above = 0'
    cells = [*'012', '-1']
    toml = ('task = "binary"', 'task = "multilabel"')
    (line,) = [
      x
      for x in self._warnings(cells, 'label', extra, replace=toml)
      if "column 'x'" in x
    ]
    self.assertIn('name it in unknown_codes = {x = ["-1"]}.', line)

  @parameterized.parameters(
    (['37,5', '36,1', '35,9', '38'], 'decimal comma'),
    (['37 C', '36 C', '35 C', '38 C', '39 C'], "the unit 'C'"),
    (['045Y', '046Y', '047Y', '048Y', '049Y'], "the unit 'Y'"),
    (['<0.5', '1', '2', '3', '4', '5'], 'bounds'),
    (['31.12.2020', '1.2.2021'], 'day.month.year'),
  )
  def test_numbers_and_dates_listed_as_names(self, cells, text):
    (line,) = self._warnings(cells, 'categorical')
    self.assertIn(text, line)

  def test_names_are_left_alone(self):
    self.assertEmpty(self._warnings(['1', '2', '3'], 'categorical'))
    self.assertEmpty(self._warnings(['<65', '>=65'], 'categorical'))

  def test_serial_dates(self):
    cells = [str(43831 + i) for i in range(30)]
    (line,) = self._warnings(cells, 'numeric', name='admission_date')
    self.assertIn('Excel serial dates', line)

  def test_a_tick_is_hinted_at(self):
    (line,) = self._warnings(['yes', '', ''], 'boolean')
    self.assertIn("every value is 'true' or missing.", line)
    self.assertIn('blank_false', line)
    self.assertEmpty(
      self._warnings(['X', '', ''], 'boolean', 'blank_false = ["x"]')
    )
    (line,) = self._warnings(['X', '', ''], 'categorical')
    self.assertIn('blank_false', line)


if __name__ == '__main__':
  absltest.main()
