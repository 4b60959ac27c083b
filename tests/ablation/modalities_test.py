"""A cohort of five modalities through runs, controls and robustness."""

import json

import numpy as np
from absl.testing import absltest

from fusion_jax.ablation import changes, external, progress, robustness
from fusion_jax.core import errors
from fusion_jax.data import five, synthetic
from fusion_jax.evaluation import predictions
from tests.ablation import changes_test, runner_test

FIVE = (
  f'cohort.name={five.NAME}',
  'cohort.n=160',
  'preprocess.series_codes=3',
  'preprocess.volume_size=6',
  'evaluation.replicates=60',
)
ARMS = 'run_arms=ehr_linear,image_pca,early_pca,late_linear'


class FiveModalitiesTest(runner_test.RunnerTestCase):
  def test_classical_arms_controls_and_robustness(self):
    report, store, _ = runner_test.run(
      self.path, *FIVE, 'controls.conditions=all', arms=ARMS
    )
    self.assertEmpty(report.failures)
    summary = report.summary
    self.assertEmpty([x for x in summary['warnings'] if 'could not' in x])
    self.assertEqual(set(summary['controls']), {'early_pca', 'late_linear'})
    table = predictions.read(store.path / 'predictions.parquet')
    self.assertEqual(set(table.available), set(five.MODALITIES))
    for condition in ('image_permuted', 'ehr_absent', 'image_noise', 'emap'):
      self.assertIn(condition, set(table.condition))
    made = json.loads((self.path / 'summary.json').read_text())
    self.assertIn('early_pca', made['arms'])
    extended = robustness.extend(
      external.open_run(self.path),
      train_missing=(),
      fractions=(),
      arms=(),
      progress=progress.Progress(runner_test.rich.console.Console(quiet=True)),
    )
    curves = json.dumps(extended['missing'])
    for name in five.MODALITIES:
      self.assertIn(f'"{name}"', curves)

  def test_what_no_modality_is_called_is_one_line(self):
    with self.assertRaisesRegex(errors.UserError, "Unknown encoder 'x'|'xra'"):
      runner_test.run(
        self.path, *FIVE, '--arm=own=joint(xra=resnet)', arms='run_arms=own'
      )


class SidesTest(absltest.TestCase):
  def test_the_modalities_of_a_side_move_together(self):
    cohort = synthetic.make_five(n=40, size=16, seed=0)
    splits = changes_test.splits_of(cohort)
    moved, done = changes.change(cohort, 'image_permuted', splits, seed=0)
    self.assertLen(done, len(splits))
    rows = moved.modalities['xray'].rows
    np.testing.assert_array_equal(rows, moved.modalities['ct'].rows)
    self.assertTrue((rows != np.arange(40)).any())
    for name in ('labs', 'vitals', 'note'):
      self.assertIs(moved.modalities[name], cohort.modalities[name])
    one, _ = changes.change(cohort, 'vitals_absent', splits, seed=0)
    tested = np.concatenate([s.test for s in splits])
    self.assertFalse(one.present['vitals'][tested].any())
    self.assertTrue(one.present['labs'].all())
    noisy, _ = changes.change(cohort, 'ehr_noise', splits, seed=0)
    for name in ('labs', 'vitals', 'note'):
      self.assertTrue(noisy.present[name][tested].any())
      self.assertIsNot(
        noisy.modalities[name].data, cohort.modalities[name].data
      )
    with self.assertRaisesRegex(errors.UserError, "mean 'vitals'"):
      changes.change(cohort, 'vital_absent', splits, seed=0)


if __name__ == '__main__':
  absltest.main()
