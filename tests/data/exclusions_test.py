"""Tests of what a descriptor leaves out."""

import dataclasses

import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.data import descriptor, exclusions, tables
from tests.data import folders

AGE = '[[exclude]]\ncolumn = "age"\nvalues = [""]\nreason = "no age"\n'
FOLD = '[[exclude]]\ncolumn = "fold"\nvalues = [2.0]\nreason = "kept back"\n'


class ExclusionsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self._findings = tables.Findings('table.csv')

  def _write(self, table=None, toml=''):
    return folders.write(
      self.create_tempdir().full_path,
      table=table,
      toml=folders.TOML + toml,
      images=False,
    )

  def _descriptor(self, toml=''):
    return descriptor.load(self._write(toml=toml) / 'cohort.toml')

  def _table(self, table=None):
    return tables.read(self._write(table) / 'table.csv')

  def _apply(self, toml, table=None):
    return exclusions.apply(
      self._descriptor(toml), self._table(table), self._findings
    )

  def test_values_that_no_row_has_are_a_warning(self):
    toml = (
      '[[exclude]]\ncolumn = "region"\nvalues = ["{}", "NA", ""]\n'
      'reason = "x"\n'
    )
    whole = self._table()
    regions = sorted({x for x in whole.columns['region'] if x is not None})
    self._apply(toml.format(f'{regions[0]}x'))
    self._apply(toml.format(regions[0]))
    missing = (
      "table.csv, column 'region': exclude: no row has 'NA'. It is read as "
      "missing, which is ''."
    )
    found = [str(x) for x in self._findings.finished()]
    self.assertLen(found, 3)
    self.assertIn(f"exclude: no row has '{regions[0]}x'.", found[0])
    self.assertEqual(found[1:], [missing, missing])

  def test_steps_of_rows_studies_and_patients(self):
    # 24 studies of 12 patients; 's003' of patient 'p001' has no age; patients
    # p002, p005, p008 and p011 are of fold 2.
    table, notes, steps = self._apply(AGE + FOLD)
    self.assertLen(table, 15)
    self.assertEqual(
      [dataclasses.astuple(x) for x in steps],
      [
        ('read', 24, 24, 12, ''),
        ('excluded', 1, 1, 0, 'age = : no age'),
        ('excluded', 8, 8, 4, 'fold = 2.0: kept back'),
        ('kept', 15, 15, 8, ''),
      ],
    )
    self.assertEqual(notes[1], '8 of 23 rows excluded (fold = 2.0): kept back')

  def test_a_study_goes_with_its_last_row(self):
    table = folders.rows(4)
    table[1]['study'] = 's000'  # two rows of one study, of which one goes
    table[1]['fold'] = '2'
    _, _, steps = self._apply(FOLD, table)
    self.assertEqual(
      [(x.rows, x.studies, x.patients) for x in steps],
      [(4, 3, 2), (1, 0, 0), (3, 3, 2)],
    )

  def test_nothing_is_excluded(self):
    _, notes, steps = self._apply('')
    self.assertEmpty(notes)
    self.assertEqual([x.step for x in steps], ['read', 'kept'])

  def test_no_row_is_left(self):
    with self.assertRaisesRegex(errors.UserError, 'no row is left'):
      self._apply(
        '[[exclude]]\ncolumn = "label"\nvalues = [0, 1]\nreason = "x"'
      )

  def test_a_range_of_numbers(self):
    table = folders.rows(6)
    for row, age in zip(
      table, ('17', '18', '', '90', '90.5', 'UNK'), strict=True
    ):
      row['age'] = age
    rule = '[[exclude]]\ncolumn = "age"\nbelow = 18\nabove = 90\nreason = "x"'
    kept, notes, steps = self._apply(rule, table)
    self.assertEqual(kept.columns['age'].tolist(), ['18', None, '90', 'UNK'])
    self.assertEqual(notes, ('2 of 6 rows excluded (age < 18 or age > 90): x',))
    self.assertEqual(
      dataclasses.astuple(steps[1]),
      ('excluded', 2, 2, 0, 'age < 18 or age > 90: x'),
    )

  def test_a_range_of_what_is_no_number(self):
    table = folders.rows(6)
    table[2]['age'] = 'old'
    with self.assertRaisesRegex(
      errors.UserError, "line 4, column 'age': 'old' is not a number"
    ):
      self._apply(
        '[[exclude]]\ncolumn = "age"\nbelow = 18\nreason = "x"', table
      )

  def test_studies_without_an_image(self):
    table = folders.rows(6)
    table[3]['study'] = 's002'  # Two rows of one study.
    d = self._descriptor()
    whole = self._table(table)
    _, _, steps = exclusions.apply(d, whole, self._findings)
    has = np.array([True, False, True, True, False, True])
    left, notes, steps = exclusions.without_image(d, whole, has, steps)
    self.assertLen(left, 4)
    self.assertEqual(
      [dataclasses.astuple(x) for x in steps],
      [
        ('read', 6, 5, 3, ''),
        ('excluded', 2, 2, 0, 'without an image'),
        ('kept', 4, 3, 3, ''),
      ],
    )
    self.assertEqual(
      notes,
      ('2 of 5 studies excluded: without an image (exclude_without_image)',),
    )
    with self.assertRaisesRegex(errors.UserError, 'no study has an image'):
      exclusions.without_image(d, whole, ~np.ones(6, bool), steps)


if __name__ == '__main__':
  absltest.main()
