import json
import pathlib

import numpy as np
from absl.testing import absltest

from experiments.studies.small import study
from fusion_jax.core import errors
from tests.data import folders


class StudyTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.out = pathlib.Path(self.create_tempdir().full_path) / 'out'

  def cohort(self, toml=folders.TOML):
    """The folder of a cohort of 40 patients."""
    root = pathlib.Path(self.create_tempdir().full_path) / 'data'
    return folders.write(root, table=folders.rows(80), toml=toml)

  def test_draws_patients_and_compares_arms_with_the_recipe(self):
    root = self.cohort()
    cell = study.Cell(str(root / 'cohort.toml'), str(root), 30, 1)
    study.run(
      cell,
      self.out,
      [
        'run_arms=ehr_linear',
        'splits.folds=2',
        'evaluation.replicates=100',
        f'cohort.cache_dir={self.out / "cache"}',
      ],
    )
    result = json.loads((self.out / cell.name / study.RESULT).read_text())
    self.assertEqual(result['studies'], 60)  # two of each patient
    (row,) = result['rows']
    self.assertEqual((row['arm'], row['recipe']), ('ehr_linear', 'plain_ehr'))
    self.assertTrue(np.isfinite(row['difference']))
    # What is there is not made again.
    study.run(cell, self.out, ['run_arms=no_such_arm'])

  def test_no_more_patients_than_there_are(self):
    root = self.cohort()
    cell = study.Cell(str(root / 'cohort.toml'), str(root), 41, 0)
    with self.assertRaisesRegex(errors.UserError, 'has 40 patients, of which'):
      study.run(cell, self.out, ['run_arms=ehr_linear'])

  def test_only_binary_cohorts(self):
    toml = folders.TOML.replace('"binary"', '"regression"')
    root = self.cohort(toml.replace('label = "label"', 'label = "fold"'))
    cell = study.Cell(str(root / 'cohort.toml'), str(root), 0, 0)
    cache = f'cohort.cache_dir={self.out / "cache"}'
    with self.assertRaisesRegex(errors.UserError, 'only binary cohorts'):
      study.run(cell, self.out, ['run_arms=ehr_linear', cache])
    # Before anything was trained.
    self.assertFalse((self.out / cell.name / 'run').exists())


if __name__ == '__main__':
  absltest.main()
