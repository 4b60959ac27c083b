"""Tests of what a descriptor leaves out."""

import dataclasses

from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.data import descriptor, exclusions, tables
from tests.data import folders

AGE = '[[exclude]]\ncolumn = "age"\nvalues = [""]\nreason = "no age"\n'
FOLD = '[[exclude]]\ncolumn = "fold"\nvalues = [2.0]\nreason = "kept back"\n'


class ExclusionsTest(absltest.TestCase):
  def _apply(self, toml, table=None):
    folder = folders.write(
      self.create_tempdir().full_path, table=table, toml=folders.TOML + toml
    )
    d = descriptor.load(folder / 'cohort.toml')
    return exclusions.apply(d, tables.read(folder / 'table.csv'))

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


if __name__ == '__main__':
  absltest.main()
