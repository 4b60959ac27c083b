"""Tests of training again with less."""

import dataclasses
import pathlib
import tempfile
from unittest import mock

import pytest
import rich.console
from absl.testing import absltest, parameterized

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import (
  external,
  finished,
  progress,
  robustness,
  runner,
  store,
)
from fusion_jax.core import errors
from fusion_jax.data import config as data_config
from fusion_jax.evaluation import config as evaluation_config

_ARMS = ('ehr_linear', 'image_pca', 'early_pca')


def _config():
  return config_lib.ExperimentConfig(
    cohort=data_config.CohortConfig(n=240, image_size=16),
    splits=data_config.SplitConfig(folds=2),
    evaluation=evaluation_config.EvaluationConfig(replicates=60),
    run_arms=_ARMS,
  )


class _Quiet(progress.Progress):
  """Counts what is trained."""

  def __init__(self):
    super().__init__(rich.console.Console(quiet=True))
    self.trained = []

  def advance(self, arm):
    self.trained.append(arm)


class RobustnessTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    runner.run(_config(), store.Store(cls.folder), _Quiet())

  def extend(self, **changes):
    quiet = _Quiet()
    arguments = {'train_missing': (), 'fractions': (), 'arms': (), **changes}
    summary = robustness.extend(
      external.open_run(self.folder), progress=quiet, **arguments
    )
    return summary, quiet.trained

  def test_the_run_itself_needs_no_training(self):
    summary, trained = self.extend()
    self.assertEmpty(trained)
    rows = summary['missing']
    self.assertEqual({r['train_rate'] for r in rows}, {0.0})
    self.assertEqual({r['modality'] for r in rows}, {'image', 'ehr'})
    for row in rows:
      if row['rate'] == 0:
        for arm, entry in row['arms'].items():
          self.assertAlmostEqual(
            entry['estimate'],
            summary['arms'][arm]['metrics']['auroc']['estimate'],
          )
    last = [r for r in rows if r['rate'] == 1 and r['modality'] == 'image']
    for row in last:
      # One constant for all: chance. The EHR arm does not look at images.
      self.assertEqual(row['arms']['image_pca']['estimate'], 0.5)
      self.assertEqual(
        row['arms']['ehr_linear']['estimate'],
        summary['arms']['ehr_linear']['metrics']['auroc']['estimate'],
      )

  @pytest.mark.slow
  def test_training_with_less_is_kept_and_shown(self):
    asked = {'train_missing': ['image:0.5'], 'fractions': [0.5]}
    summary, trained = self.extend(**asked)
    self.assertLen(trained, 2 * 2 * len(_ARMS))
    shown = {(r['train_modality'], r['train_rate']) for r in summary['missing']}
    self.assertEqual(shown, {(None, 0.0), ('image', 0.5)})
    half, whole = summary['learning_curve']
    self.assertEqual([half['fraction'], whole['fraction']], [0.5, 1.0])
    self.assertAlmostEqual(half['patients'] / whole['patients'], 0.5, delta=0.1)
    self.assertEqual(
      whole['arms']['early_pca']['estimate'],
      summary['arms']['early_pca']['metrics']['auroc']['estimate'],
    )
    again, trained = self.extend(**asked)
    self.assertEmpty(trained)
    self.assertEqual(again['missing'], summary['missing'])
    # A later evaluation of the run keeps what was added.
    self.assertEqual(
      self.evaluated()['learning_curve'], summary['learning_curve']
    )

  def evaluated(self, **changes):
    config = _config()
    evaluation = dataclasses.replace(config.evaluation, **changes)
    config = dataclasses.replace(config, evaluation=evaluation)
    runner.run(config, store.Store(self.folder), _Quiet())
    return external.open_run(self.folder).summary

  def test_curves_of_another_state_are_left_out_and_said_so(self):
    self.extend()
    kept = self.evaluated()
    self.assertIn('missing', kept)
    self.assertNotIn(finished.STALE, kept['warnings'])
    changed = self.evaluated(replicates=50)
    self.assertNotIn('missing', changed)
    self.assertIn(finished.STALE, changed['warnings'])
    again, trained = self.extend()
    self.assertEmpty(trained)
    self.assertIn('missing', again)
    self.assertNotIn(finished.STALE, again['warnings'])
    kept = self.evaluated(replicates=50)
    self.assertEqual(kept['missing'], again['missing'])
    self.evaluated()

  @pytest.mark.slow
  def test_damaged_curves_are_left_out_and_made_again(self):
    before, _ = self.extend(fractions=[0.45])
    path = pathlib.Path(self.folder) / store.ROBUSTNESS
    for damage in (
      lambda: path.write_text(path.read_text().replace('0.45', '0.46', 1)),
      lambda: path.write_bytes(path.read_bytes()[:40]),
      lambda: path.write_text('[]'),
    ):
      damage()
      self.assertIn(finished.STALE, self.evaluated()['warnings'])
      again, trained = self.extend(fractions=[0.45])
      self.assertEmpty(trained)
      self.assertEqual(again['learning_curve'], before['learning_curve'])
    self.assertEmpty(store.Store(self.folder).faults())

  def test_trainings_do_not_leave_the_folder(self):
    place = pathlib.Path(self.folder) / robustness.FOLDER / 'fraction-0.4'
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(self.create_tempdir().full_path)
    self.addCleanup(place.unlink)
    with self.assertRaisesRegex(errors.UserError, "fraction-0.4' is a link"):
      self.extend(fractions=[0.4])

  @pytest.mark.slow
  def test_one_arm_keeps_its_references(self):
    summary, _ = self.extend(
      train_missing=['ehr:0.5'], fractions=[0.6], arms=['early_pca']
    )
    for row in [*summary['missing'], *summary['learning_curve']]:
      self.assertEqual(list(row['arms']), ['early_pca'])
      self.assertEqual(list(row['gain']), ['early_pca'])

  def test_an_arm_that_failed_is_not_tried_again(self):
    run = external.open_run(self.folder)
    arms = dict(run.summary['arms'])
    del arms['ehr_linear']
    partly = dataclasses.replace(run, summary={**run.summary, 'arms': arms})
    self.assertCountEqual(
      robustness._narrowed(partly, ()).run_arms, ['image_pca', 'early_pca']
    )

  def test_a_run_in_use_is_one_line(self):
    with store.Store(self.folder).alone():
      with self.assertRaisesRegex(errors.UserError, 'in use by process'):
        self.extend()

  def test_an_arm_the_run_lacks_is_one_line(self):
    with self.assertRaisesRegex(errors.UserError, "'joint'"):
      self.extend(arms=['joint'])


class FailureTest(absltest.TestCase):
  @pytest.mark.slow
  def test_an_arm_that_fails_again_is_left_out(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    runner.run(_config(), store.Store(folder), _Quiet())
    real = runner.run

    def failing(config, place, progress):
      arms = tuple(a for a in config.run_arms if a != 'image_pca')
      report = real(dataclasses.replace(config, run_arms=arms), place, progress)
      return runner.Report(report.summary, {'image_pca': 'It failed.'})

    with mock.patch.object(runner, 'run', failing):
      summary = robustness.extend(
        external.open_run(folder),
        train_missing=['image:0.5'],
        fractions=[0.5],
        arms=(),
        progress=_Quiet(),
      )
    half, whole = summary['learning_curve']
    self.assertNotIn('image_pca', half['arms'])
    self.assertIn('early_pca', half['arms'])
    # What is left of the single modalities may be too easy to beat.
    self.assertEmpty(half['gain'])
    self.assertIn('early_pca', whole['gain'])
    gains = {r['train_rate']: bool(r['gain']) for r in summary['missing']}
    self.assertEqual(gains, {0.0: True, 0.5: False})

  def test_nothing_trained_is_one_line(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    runner.run(_config(), store.Store(folder), _Quiet())
    nothing = runner.Report(None, {'image_pca': 'It failed.'})
    with mock.patch.object(runner, 'run', return_value=nothing):
      with self.assertRaisesRegex(errors.UserError, 'no arm could be trained'):
        robustness.extend(
          external.open_run(folder),
          train_missing=(),
          fractions=[0.5],
          arms=(),
          progress=_Quiet(),
        )


class CheckTest(parameterized.TestCase):
  @parameterized.parameters(0.0, 1.0, -0.5, float('nan'))
  def test_fractions(self, fraction):
    with self.assertRaisesRegex(errors.UserError, 'fraction'):
      robustness.check([], [fraction])

  def test_withheld(self):
    robustness.check(['image:0.5'], [0.5])
    with self.assertRaises(errors.UserError):
      robustness.check(['image'], [])


if __name__ == '__main__':
  absltest.main()
