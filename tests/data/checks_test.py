"""Tests of fusion_jax.data.checks."""

import os
import pathlib
import shutil
import time
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics

from fusion_jax.data import checks, descriptor, records
from tests.data import folders


class ValidateTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    cache = self.create_tempdir('cache').full_path
    self.enter_context(mock.patch.dict(os.environ, {'XDG_CACHE_HOME': cache}))
    self.rows = folders.rows(60)
    rng = np.random.default_rng(3)
    for row in self.rows:
      row['label'] = str(rng.integers(0, 2))

  def _validate(self, extra='', toml=folders.TOML):
    folder = pathlib.Path(self.create_tempdir().full_path)
    folders.write(folder, table=self.rows, toml=toml + extra)
    self.folder = folder
    return self._again()

  def _again(self):
    d = descriptor.load(self.folder / 'cohort.toml')
    return checks.examine(d, self.folder).problems

  def _one(self, *args, error=True, **options):
    found = self._validate(*args, **options)
    self.assertLen(found, 1, msg=str([str(x) for x in found]))
    self.assertEqual(found[0].is_error, error)
    return str(found[0])

  def test_a_sound_cohort_has_no_problems(self):
    extra = 'fold = "fold"\npatient_constants = ["fold"]\ngroups = ["region"]'
    self.assertEqual(self._validate(extra), [])

  @parameterized.parameters(
    ('042', '42'), ('1', '1.0'), ('Arm', 'arm '), ('250.0', '250.00')
  )
  def test_levels_that_may_be_one(self, one, other):
    for i, row in enumerate(self.rows):
      row['region'] = (one, other, 'E11.9')[i % 3]
    text = self._one(error=False)
    self.assertStartsWith(
      text,
      f"table.csv, column 'region': '{one}'/'{other.strip()}' are different "
      'levels, though they differ only in case',
    )

  @parameterized.parameters('groups = ["sex"]', 'site = "sex"')
  def test_groups_that_may_be_one(self, key):
    for i, row in enumerate(self.rows):
      row['sex'] = ('F', 'M', 'm')[i % 3]
    self.assertIn("column 'sex': 'M'/'m' are", self._one(key, error=False))

  def test_classes_that_may_be_one(self):
    for i, row in enumerate(self.rows):
      row['label'] = ('nv', 'NV', 'mel')[i % 3]
    text = self._one(
      toml=folders.TOML.replace('binary', 'multiclass'), error=False
    )
    self.assertIn("column 'label': 'NV'/'nv' are different levels", text)

  def test_one_class_of_several_in_a_cell(self):
    for i, row in enumerate(self.rows):
      row['label'] = ('a|b', 'b')[i % 2]
    toml = folders.TOML.replace('binary', 'multilabel')
    text = self._one('label_separator = "|"', toml=toml)
    self.assertIn("every known label of 'b' is 1", text)

  def test_one_class_only(self):
    for row in self.rows:
      row['label'] = '1'
    self.assertIn('only one class', self._one())

  @parameterized.parameters('multiclass', 'regression')
  def test_one_value_only(self, task):
    for row in self.rows:
      row['label'] = '3'
    self._one(toml=folders.TOML.replace('binary', task))

  def test_no_event(self):
    for row in self.rows:
      row.update(days='3', label='0')
    toml = folders.TOML.replace('"binary"', '"survival"')
    toml = toml.replace('label = "label"', 'time = "days"\nevent = "label"')
    self.assertIn('every known label is 0', self._one(toml=toml))

  def test_contradictory_constants(self):
    for row in self.rows:
      row['sex'] = 'f'
    self.rows[4]['sex'] = ''
    self.rows[7]['sex'] = 'm'
    line = self._one('patient_constants = ["sex"]')
    self.assertEqual(
      line,
      "table.csv, line 9, column 'sex': patient 'p003' has 'm' here but 'f' "
      'on line 8.',
    )

  def test_a_patient_in_two_folds(self):
    self.rows[1]['fold'] = '2'
    line = self._one('fold = "fold"')
    self.assertIn("line 3, column 'fold': patient 'p000' has '2' here", line)

  def test_one_fold_only(self):
    for row in self.rows:
      row['fold'] = '4'
    self.assertIn('every study is in fold 4', self._one('fold = "fold"'))

  def test_constant_and_empty_columns_are_warnings(self):
    for row in self.rows:
      row['region'] = 'arm'
    self.assertIn("every value is 'arm'", self._one(error=False))
    for row in self.rows:
      row['region'] = ''
    self.assertIn('every value is missing', self._one(error=False))

  def test_columns_that_are_nearly_empty_are_named(self):
    for i, row in enumerate(self.rows):
      row['age'] = f'{40 + i}' if i < 9 else ''
    self.assertIn(
      "'age': nearly empty: 9 of 60 studies have a value",
      self._one(error=False),
    )
    self.rows[9]['age'] = '50'
    self.assertEqual(self._validate(), [])

  @parameterized.parameters(('region', 'x{}'), ('age', '{}'))
  def test_identifiers_are_warnings(self, column, form):
    order = np.random.default_rng(0).permutation(len(self.rows))
    for i, row in zip(order, self.rows, strict=True):
      row[column] = form.format(i)
    line = self._one(error=False)
    self.assertIn('looks like an identifier: 60 distinct values', line)

  def test_disguised_labels_are_errors_unless_accepted(self):
    for i, row in enumerate(self.rows):
      row['region'] = f'{"ab"[int(row["label"])]}{i % 3}'
    self.assertIn("column 'region': looks like the label", self._one())
    line = self._one('accept = ["region"]', error=False)
    self.assertIn('It is accepted', line)

  @parameterized.parameters(1, -1)
  def test_disguised_numbers(self, sign):
    for i, row in enumerate(self.rows):
      row['age'] = str(sign * (100 * int(row['label']) + i / 7))
    self.assertIn('AUROC of', self._one())

  def test_codes_that_are_not_in_order(self):
    for i, row in enumerate(self.rows):
      row['age'] = str((1, 5, 9)[i % 2 * 2 if row['label'] == '1' else 1])
    self.assertIn("its values determine the label 'label'", self._one())

  def test_disguised_number_of_a_regression(self):
    for i, row in enumerate(self.rows):
      row['label'], row['age'] = str(i * i), str(3.5 - i)
    line = self._one(toml=folders.TOML.replace('binary', 'regression'))
    self.assertIn('its rank correlation', line)

  def test_telling_missingness_is_a_warning(self):
    for i, row in enumerate(self.rows):
      if row['label'] == '1' and i % 4:
        row['region'] = row['age'] = ''
      elif not row['age']:
        row['age'] = '50'
    line = self._one(error=False)
    self.assertIn("column 'age, region': whether a value is missing", line)

  def test_missingness_at_random_is_none(self):
    for row, drop in zip(
      self.rows, np.random.default_rng(5).random(60), strict=True
    ):
      row['region'] = row['region'] if drop > 0.4 else ''
    self.assertEqual(self._validate(), [])

  def test_truncated_images_are_listed_with_the_rest(self):
    self.rows[2]['age'] = 'x'
    self._validate()
    path = self.folder / 'images/s010.png'
    path.write_bytes(path.read_bytes()[:70])
    os.unlink(self.folder / 'images/s011.png')
    lines = [str(x) for x in self._again()]
    self.assertLen(lines, 4)
    self.assertIn("line 13: no such image 'images/s011.png'", lines[0])
    self.assertIn("line 4, column 'age'", lines[-2])
    self.assertStartsWith(lines[-1], 'images/s010.png: truncated')
    self.assertIn('(named on table.csv line 12)', lines[-1])

  def test_identical_images_of_two_patients_are_a_warning(self):
    self._validate()
    images = self.folder / 'images'
    shutil.copy(images / 's000.png', images / 's001.png')
    self.assertEqual(self._again(), [])
    shutil.copy(images / 's000.png', images / 's002.png')
    (problem,) = self._again()
    self.assertFalse(problem.is_error)
    self.assertIn("identical to 'images/s000.png'", str(problem))

  def test_errors_come_first(self):
    for row in self.rows:
      row['region'] = 'arm'
    self.rows[0]['age'] = 'x'
    found = self._validate()
    self.assertEqual([x.is_error for x in found], [True, False])


class StatisticsTest(absltest.TestCase):
  def test_auroc_equals_sklearn_with_ties(self):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 300), rng.integers(0, 2, 300) == 1
    expected = metrics.roc_auc_score(y, x)
    self.assertAlmostEqual(checks._auroc(x, y), expected, places=12)

  def test_level_accuracy(self):
    y = np.arange(400) % 2 == 0
    self.assertEqual(checks._level_accuracy(y.astype(str), y), 1)
    self.assertEqual(checks._level_accuracy(np.arange(400), y), 0)
    noise = np.random.default_rng(0).integers(0, 5, 400)
    self.assertLess(checks._level_accuracy(noise, y), 0.6)

  def test_a_hundred_thousand_rows_take_seconds(self):
    n = 100_000
    rng = np.random.default_rng(0)
    folder = pathlib.Path(self.create_tempdir().full_path)
    columns = {
      'study': np.arange(n),
      'patient': np.arange(n) // 2,
      'label': rng.integers(0, 2, n),
      'age': rng.normal(size=n).round(3),
      'region': rng.choice(['a', 'b', 'c'], n),
      'smokes': rng.choice(['0', '1'], n),
      'fold': np.arange(n) // 2 % 5,
    }
    lines = [','.join(columns)]
    lines += [
      ','.join(map(str, x)) for x in zip(*columns.values(), strict=True)
    ]
    (folder / 'table.csv').write_text('\n'.join(lines))
    toml = folders.TOML.replace('images = "images/{study}.png"', '')
    (folder / 'cohort.toml').write_text(toml + 'fold = "fold"')
    started = time.monotonic()
    r = records.read(descriptor.load(folder / 'cohort.toml'), folder)
    checks.check(r)
    self.assertEqual(r.findings.finished(), [])
    self.assertLess(time.monotonic() - started, 30)


if __name__ == '__main__':
  absltest.main()
