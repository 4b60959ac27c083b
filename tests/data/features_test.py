"""Tests of features as a descriptor names them."""

import pathlib

import numpy as np
from absl.testing import absltest

from fusion_jax.data import descriptor, features, tables
from tests.data import folders


class FeaturesTest(absltest.TestCase):
  def _read(self, columns, **keys):
    """Features of columns (lists of texts), and the problems found."""
    n = len(next(iter(columns.values())))
    path = pathlib.Path(self.create_tempdir().full_path) / 't.csv'
    columns = {'study': [f's{i}' for i in range(n)], **columns}
    rows = [
      dict(zip(columns, x, strict=True))
      for x in zip(*columns.values(), strict=True)
    ]
    folders.write_table(path, rows)
    d = descriptor.parse(
      dict(task='binary', table='t.csv', study='study', patient='study')
      | dict(label='y')
      | keys,
      path,
    )
    findings = tables.Findings('t.csv')
    found = features.read(d, tables.read(path), findings)
    return found, [str(x) for x in findings.finished()]

  def test_checkboxes(self):
    columns = {'fever': ['X', '', 'x', ''], 'cough': ['yes', '', '', '']}
    found, problems = self._read(
      columns, boolean=['fever', 'cough'], blank_false=['fever', 'cough']
    )
    self.assertEqual(
      found.categorical['fever'].tolist(), ['true', 'false', 'true', 'false']
    )
    self.assertEqual(
      found.categorical['cough'].tolist(), ['true', 'false', 'false', 'false']
    )
    self.assertEmpty(problems)
    # Without the key blank is missing, and an x is no word for true.
    found, problems = self._read(columns, boolean=['fever', 'cough'])
    self.assertEqual(
      found.categorical['cough'].tolist(), ['true', None, None, None]
    )
    self.assertLen(problems, 2)
    self.assertIn('list the column under blank_false', problems[0])

  def test_illegal_words_are_no_ticks(self):
    found, problems = self._read(
      {'fever': ['X', 'perhaps', '']}, boolean=['fever'], blank_false=['fever']
    )
    self.assertEqual(
      found.categorical['fever'].tolist(), ['true', None, 'false']
    )
    self.assertIn("line 3, column 'fever': 'perhaps' is neither", problems[0])

  def test_codes_by_column(self):
    found, _ = self._read(
      {
        'sex': ['f', 'U', 'm'],
        'blood': ['A', 'U', 'B'],
        'spo2': ['98', '999', '97'],
        'rate': ['999', '1', ''],
      },
      categorical=['sex', 'blood'],
      numeric=['spo2', 'rate'],
      unknown_codes={'sex': ['U'], 'spo2': [999]},
    )
    self.assertEqual(
      found.unknown_codes, {'sex': ('U',), 'spo2 (code)': ('999',)}
    )
    np.testing.assert_array_equal(found.numeric['spo2'], [98, np.nan, 97])
    np.testing.assert_array_equal(found.numeric['rate'], [999, 1, np.nan])
    self.assertEqual(
      found.categorical['spo2 (code)'].tolist(), ['number', '999', 'number']
    )
    self.assertNotIn('rate (code)', found.categorical)

  def test_a_declared_code_has_its_column_even_where_it_does_not_occur(self):
    found, _ = self._read(
      {'spo2': ['98', '']}, numeric=['spo2'], unknown_codes={'spo2': ['999']}
    )
    self.assertEqual(
      found.categorical['spo2 (code)'].tolist(), ['number', None]
    )

  def test_a_code_with_a_unit_is_no_number(self):
    found, problems = self._read(
      {'spo2': ['98 %', '999 %', '97']},
      numeric=['spo2'],
      units={'spo2': '%'},
      unknown_codes={'spo2': ['999']},
    )
    self.assertEmpty(problems)
    np.testing.assert_array_equal(found.numeric['spo2'], [98, np.nan, 97])
    self.assertEqual(
      found.categorical['spo2 (code)'].tolist(), ['number', '999', 'number']
    )

  def test_what_is_not_plausible_is_missing_in_companions_too(self):
    found, _ = self._read(
      {'crp': ['<0.5', '>=90', '7', '340', 'UNK']},
      numeric=['crp'],
      bounds=['crp'],
      plausible={'crp': [0, 50]},
      unknown_codes=['UNK'],
    )
    np.testing.assert_array_equal(
      found.numeric['crp'], [0.5, np.nan, 7, np.nan, np.nan]
    )
    self.assertEqual(
      found.categorical['crp (bound)'].tolist(),
      ['<', None, 'number', None, None],
    )
    self.assertEqual(
      found.categorical['crp (code)'].tolist(),
      ['number', None, 'number', None, 'UNK'],
    )

  def test_bounds_have_a_companion(self):
    found, problems = self._read(
      {'crp': ['<0,5', '12,5', '>=90', '', 'UNK']},
      numeric=['crp'],
      bounds=['crp'],
      decimal=',',
      unknown_codes=['UNK'],
    )
    np.testing.assert_array_equal(
      found.numeric['crp'], [0.5, 12.5, 90, np.nan, np.nan]
    )
    self.assertEqual(
      found.categorical['crp (bound)'].tolist(),
      ['<', 'number', '>', None, None],
    )
    self.assertEqual(
      found.categorical['crp (code)'].tolist(),
      ['number', 'number', 'number', None, 'UNK'],
    )
    self.assertEmpty(problems)

  def test_what_is_not_plausible_is_noted(self):
    found, problems = self._read(
      {'spo2': ['98', '340']}, numeric=['spo2'], plausible={'spo2': [0, 100]}
    )
    np.testing.assert_array_equal(found.numeric['spo2'], [98, np.nan])
    self.assertIn('1 of 2 values is outside', found.notes[0])
    self.assertLen(problems, 1)


if __name__ == '__main__':
  absltest.main()
