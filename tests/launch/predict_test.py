"""Tests of fusion_jax.launch.predict."""

import json
import pathlib

from absl.testing import absltest

from tests.launch import ablate_test, evaluate_test


def predict(work, *flags, **options):
  return ablate_test.ablate(work, *flags, module='predict', **options)


class PredictTest(absltest.TestCase):
  def test_another_cohort(self):
    work = pathlib.Path(self.create_tempdir().full_path)
    done = ablate_test.ablate(
      work, *ablate_test.SMALL, '--out=run', report=False
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    flags = ['--run=run', '--cohort=redundant', '--set=cohort.n=100']
    done = predict(work, *flags)
    self.assertEqual(done.returncode, 0, done.stderr)
    last = done.stdout.strip().splitlines()[-1]
    folder = pathlib.Path(last.removeprefix('Results: '))
    self.assertStartsWith(str(folder), 'run/external/redundant-')
    self.assertEqual(
      {x.name for x in (work / folder).iterdir()},
      {'predictions.parquet', *evaluate_test.FILES},
    )
    summary = json.loads((work / folder / 'summary.json').read_text())
    self.assertEqual(summary['cohort']['studies'], 100)
    self.assertEqual(
      list(summary['arms']), ['ehr_linear', 'image_pca', 'early_pca']
    )
    with self.subTest('some arms go to a folder of their own'):
      before = (work / folder / 'summary.json').read_bytes()
      done = predict(work, *flags, '--arms=ehr_linear', report=False)
      self.assertEqual(done.returncode, 0, done.stderr)
      last = done.stdout.strip().splitlines()[-1]
      self.assertRegex(last, rf'{folder}-[0-9a-f]{{8}}$')
      self.assertEqual((work / folder / 'summary.json').read_bytes(), before)
    for flag, message in (
      ('--arms=joint', "Unknown arm 'joint' (--arms, of "),
      ('--set=training.epochs=3', "setting of frozen models 'training'"),
      ('--set=cohort.task=survival', 'survival task'),
      ('--out=run', 'holds a run'),
      ('--cohort=complementary', 'are also in cohort'),
    ):
      with self.subTest(flag):
        done = predict(work, *flags, flag)
        self.assertEqual(done.returncode, 2)
        self.assertIn(message, done.stderr)
        self.assertLen(done.stderr.strip().splitlines(), 1)

  def test_what_has_to_be_given(self):
    work = pathlib.Path(self.create_tempdir().full_path)
    for flags, message in (
      ([], 'Give both --run=DIR and --cohort'),
      (['--run=nowhere', '--cohort=null'], "'nowhere' is not a run folder"),
    ):
      done = predict(work, *flags)
      self.assertEqual(done.returncode, 2)
      self.assertIn(message, done.stderr)


if __name__ == '__main__':
  absltest.main()
