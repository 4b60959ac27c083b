"""Tests of split files, which fusion_jax.data.splits writes and reads."""

import dataclasses
import os
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import config as config_lib
from fusion_jax.data import splits, synthetic
from tests.data import splits_test


class FileTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.cohort = synthetic.make('null', n=90, size=16)
    self.splits = splits.make_splits(
      self.cohort, config_lib.SplitConfig(folds=3, repeats=2)
    )

  def write(self, *lines):
    path = self.folder / 'given.csv'
    path.write_text('\n'.join(['study_id,repeat,fold,part', *lines]))
    return path

  def test_round_trip_in_any_row_order(self):
    path = self.folder / 'splits.csv'
    splits.save(self.splits, self.cohort, path)
    self.assertEqual(os.listdir(self.folder), ['splits.csv'])
    config = config_lib.SplitConfig(scheme='file', file=str(path))
    found = splits.make_splits(self.cohort, config)
    self.assertEqual(
      [(x.repeat, x.fold, *splits_test.rows(x)) for x in found],
      [(x.repeat, x.fold, *splits_test.rows(x)) for x in self.splits],
    )
    with self.assertRaisesRegex(errors.UserError, 'Could not write'):
      splits.save(self.splits, self.cohort, self.folder / 'none/splits.csv')
    order = np.random.default_rng(0).permutation(90)
    shuffled = self.cohort.subset(order)
    for a, b in zip(self.splits, splits.load(path, shuffled), strict=True):
      self.assertEqual(
        splits.digest(a, self.cohort), splits.digest(b, shuffled)
      )

  def test_a_file_as_spreadsheets_save_it(self):
    path = self.folder / 'splits.csv'
    splits.save(self.splits, self.cohort, path)
    text = 'sep=;\r\n' + path.read_text().replace(',', ';')
    for encoding in ('utf-8-sig', 'utf-16'):
      path.write_text(text, encoding=encoding)
      self.assertLen(splits.load(path, self.cohort), 6)
    path.write_text(text.replace('train', 'trian', 1), encoding='utf-16')
    with self.assertRaisesRegex(errors.ProblemsError, "row 3: part 'trian'"):
      splits.load(path, self.cohort)

  def test_digests_tell_splits_apart(self):
    found = {splits.digest(x, self.cohort) for x in self.splits}
    self.assertLen(found, 6)

  def test_lists_every_problem_with_its_row(self):
    cohort = splits_test.bare([0, 0, 1, 2], [0, 1, 0, 1])
    path = self.write(
      's0,0,0,train',
      's1,0,0,test',
      's9,0,0,valid',
      's2,0,0,dev',
      's2,x,0,valid',
      's0,0,0,valid',
      's3,0,0',
    )
    with self.assertRaises(errors.ProblemsError) as caught:
      splits.load(path, cohort)
    self.assertEqual(
      caught.exception.lines,
      (
        "row 4: no study 's9'",
        "row 5: part 'dev' is none of train, valid, test",
        "row 6: repeat 'x' is not a whole number",
        "row 7: study 's0' was already put in repeat 0, fold 0 by row 2",
        'row 8: 3 cells, expected 4',
        'repeat 0, fold 0: no valid studies',
        "repeat 0, fold 0: patient 'p0' is in train and test (1 patients are)",
      ),
    )

  def test_folds_of_a_repeat_test_other_studies_or_all_the_same(self):
    cohort = splits_test.bare([0, 1, 2, 3, 4], [0, 1, 0, 1, 0])
    first = 'test test valid train train'.split()
    second = 'valid test test train train'.split()
    third = 'train valid test test train'.split()

    def load(*folds):
      named = [(g, i) for g in range(len(folds)) for i in range(5)]
      lines = (f's{i},0,{g},{folds[g][i]}' for g, i in named)
      return len(splits.load(self.write(*lines), cohort))

    self.assertEqual((load(first, third), load(first, first)), (2, 2))
    for folds in ((first, second), (first, first, third)):
      with self.assertRaisesRegex(errors.ProblemsError, 'several folds'):
        load(*folds)

  def test_studies_are_found_by_their_number(self):
    cohort = dataclasses.replace(
      self.cohort, study=np.arange(len(self.cohort)).astype(str)
    )
    path = self.folder / 'splits.csv'
    splits.save(self.splits, cohort, path)
    lines = path.read_text().splitlines()[1:]
    spelt = [x.replace(',', '.0,', 1) for x in lines]
    for a, b in zip(
      self.splits, splits.load(self.write(*spelt), cohort), strict=True
    ):
      self.assertEqual(splits_test.rows(a), splits_test.rows(b))
    # Where both spellings stand in the file, nobody knows which is meant.
    with self.assertRaisesRegex(errors.ProblemsError, "no study '1.0'"):
      splits.load(self.write(*lines, '1.0,0,0,train'), cohort)

  def test_many_rows_of_one_fault_are_counted(self):
    rows = [f'x{i},0,0,train' for i in range(30)]
    with self.assertRaises(errors.ProblemsError) as caught:
      splits.load(self.write(*rows), self.cohort)
    lines = [x for x in caught.exception.lines if 'row' in x]
    self.assertEqual(
      lines[:3], [f"row {i + 2}: no study 'x{i}'" for i in range(3)]
    )
    self.assertLen(lines, 4)
    self.assertStartsWith(
      lines[3], '27 more of these (no such study): rows 5, 6,'
    )

  def test_missing_empty_and_strange_files(self):
    for text, message in ((None, 'No such file'), ('a,b\n', 'first row')):
      path = self.folder / 'other.csv'
      if text:
        path.write_text(text)
      with self.assertRaisesRegex(errors.UserError, message):
        splits.load(path, self.cohort)
    with self.assertRaisesRegex(errors.ProblemsError, 'no rows'):
      splits.load(self.write(), self.cohort)


if __name__ == '__main__':
  absltest.main()
