"""Tests of runs: whole ones, extended ones, interrupted and failing ones."""

import io
import json
import pathlib
from unittest import mock

import numpy as np
import pytest
import rich.console
from absl.testing import absltest, parameterized

from fusion_jax.ablation import (
  checksums,
  learner,
  learners,
  neural_learner,
  runner,
)
from fusion_jax.ablation import progress as progress_lib
from fusion_jax.ablation import rows as rows_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors, types
from fusion_jax.data import reader
from fusion_jax.evaluation import predictions
from tests import tiny
from tests.ablation import config_test

CLASSICAL = 'run_arms=ehr_linear,ehr_trees,image_pca,early_pca'
# Of a world made on the fly, so that a process of its own can make it too.
SMALL = (
  'cohort.n=120',
  'cohort.image_size=16',
  'splits.folds=2',
  'evaluation.replicates=100',
  'training.epochs=2',
  'training.least_steps=0',
  'preprocess.pixel_components=4',
  'parallel.devices=1',
  'audits.names=none',
  'small_below=0',
)


def run(path, *overrides, cohort=None, arms=CLASSICAL):
  """(report, store, text shown) of a run in the folder `path`."""
  config = config_test.config(*SMALL, arms, *overrides)
  shown = io.StringIO()
  store = store_lib.Store(path)
  opened = mock.patch.object(reader, 'open_cohort', return_value=cohort)
  with opened if cohort else mock.patch.object(reader, 'locate'):
    report = runner.run(
      config, store, progress_lib.Progress(rich.console.Console(file=shown))
    )
  return report, store, shown.getvalue()


def keys(path):
  return {x.name for x in (path / 'nodes').iterdir()}


def one_line(text):
  """Text that a console has wrapped."""
  return ''.join(
    x if x.endswith((' ', ',')) else x + ' ' for x in text.split('\n')
  )


def comparable(path):
  """A summary without what may differ between runs of the same work."""
  summary = json.loads((path / 'summary.json').read_text())
  # Fronts over seconds differ as the seconds do.
  del summary['run'], summary['tradeoffs']
  (summary['use'] or {}).pop('cost', None)
  for arm in summary['arms'].values():
    for name in [x for x in arm['cost'] if x.endswith('seconds')]:
      del arm['cost'][name]
  return summary


class RunnerTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'run'


class ClassicalRunTest(RunnerTestCase):
  def test_what_a_run_folder_holds(self):
    report, store, shown = run(self.path)
    self.assertEmpty(report.failures)
    self.assertContainsSubset(
      {
        'config.json',
        'splits.csv',
        'nodes',
        'log.jsonl',
        'models.json',
        'predictions.parquet',
        'summary.json',
      },
      {x.name for x in self.path.iterdir()},
    )
    self.assertIn('8 nodes in 4 arms', shown)
    found = predictions.read(store.path / 'predictions.parquet')
    self.assertEqual(set(found.part), {'valid', 'test'})
    self.assertEqual(set(found.available), {'image', 'ehr'})
    for arm in found.arms:
      tested = (found.arm == arm) & (found.part == 'test')
      self.assertLen(set(found.study_id[tested]), 120)
    costs = {a: x['cost'] for a, x in report.summary['arms'].items()}
    for arm, cost in costs.items():
      self.assertGreater(cost['seconds'], 0, arm)
      self.assertGreater(cost['parameters'], 0, arm)
      self.assertEqual(cost['trials'], 1)
    self.assertEqual(
      set(report.summary['cohort']['oracle']), {*'image ehr both'.split()}
    )
    log = (self.path / 'log.jsonl').read_text().splitlines()
    events = [json.loads(x) for x in log]
    self.assertEqual(
      [e['event'] for e in events], ['start'] + ['node'] * 8 + ['end']
    )

  def test_the_same_work_gives_the_same_summary(self):
    run(self.path)
    other = self.path.with_name('other')
    run(other)
    self.assertEqual(comparable(self.path), comparable(other))
    self.assertEqual(keys(self.path), keys(other))

  def test_a_finished_run_trains_nothing(self):
    run(self.path)
    before = comparable(self.path)
    with mock.patch.object(learners, 'create_learner') as create:
      _, _, shown = run(self.path)
    create.assert_not_called()
    self.assertIn('8 of them finished before', shown)
    self.assertEqual(comparable(self.path), before)

  def test_another_arm_or_seed_runs_only_what_is_new(self):
    run(self.path, arms='run_arms=ehr_linear')
    self.assertLen(keys(self.path), 2)
    times = {k: self._landed(k) for k in keys(self.path)}
    run(self.path, arms='run_arms=ehr_linear,ehr_trees')
    self.assertLen(keys(self.path), 4)
    run(self.path, 'seeds=2', arms='run_arms=ehr_linear,ehr_trees')
    self.assertLen(keys(self.path), 8)
    for key, moment in times.items():
      self.assertEqual(self._landed(key), moment)

  def test_fewer_arms_are_compared_with_all_that_were_tried(self):
    run(self.path, 'seeds=2')
    before = comparable(self.path)
    _, _, shown = run(self.path, arms='run_arms=early_pca')
    self.assertIn(
      'run_arms=ehr_linear,ehr_trees,image_pca,early_pca', one_line(shown)
    )
    self.assertIn('seeds=2', one_line(shown))
    self.assertEqual(comparable(self.path), before)
    saved = json.loads((self.path / 'config.json').read_text())
    self.assertEqual(saved['seeds'], 2)
    self.assertLen(saved['run_arms'], 4)

  def test_other_arms_join_those_of_before(self):
    run(self.path, arms='run_arms=ehr_linear')
    report, _, shown = run(self.path, arms='run_arms=image_pca,early_pca')
    self.assertEqual(
      list(report.summary['arms']), ['ehr_linear', 'image_pca', 'early_pca']
    )
    self.assertIn('stays in the comparison', one_line(shown))

  def test_the_summary_says_what_arms_are(self):
    report, _, _ = run(self.path)
    found = {
      a: (x['strategy'], x['type']) for a, x in report.summary['arms'].items()
    }
    self.assertEqual(found['ehr_linear'], ('single', ''))
    self.assertEqual(found['early_pca'], ('early', 'I'))

  def _landed(self, key):
    return (self.path / 'nodes' / key / 'node.json').stat().st_mtime_ns

  def test_the_summary_says_what_was_trained_and_on_whom(self):
    report, _, _ = run(self.path, 'trials=2', arms='run_arms=ehr_trees')
    made = report.summary['arms']['ehr_trees']['made_of']
    self.assertEqual((made['learner'], made['models']), ('trees', 2))
    self.assertEqual(made['trials']['tried'], 2)
    self.assertEqual(sum(made['trials']['chosen'].values()), 2)
    self.assertGreaterEqual(made['chosen']['rounds'][0], 0)
    self.assertEqual(made['differs']['splits.folds'], 2)
    cohort = report.summary['cohort']
    self.assertEqual(cohort['table1']['columns'][0]['studies'], 120)
    self.assertEqual(cohort['flow'][0]['studies'], 120)
    tested = [x['test']['studies'] for x in cohort['splits']]
    self.assertEqual(sum(tested), 120)
    versions = report.summary['run']['versions']
    self.assertEqual(next(iter(versions)), 'fusion_jax')
    curves = json.loads((self.path / 'curves.json').read_text())
    self.assertNotIn('training', curves)  # nothing is trained by epochs

  def test_losses_survive_and_earlier_nodes_may_lack_them(self):
    arms = 'run_arms=ehr'
    report, _, _ = run(self.path, arms=arms)
    before = json.loads((self.path / 'curves.json').read_text())['training']
    self.assertEqual([x['fold'] for x in before['ehr']], [0, 1])
    self.assertEqual(before['ehr'][0]['epochs'], [1, 2])
    for loss in (*before['ehr'][0]['train'], *before['ehr'][0]['valid']):
      self.assertGreater(loss, 0)
    made = report.summary['arms']['ehr']['made_of']
    self.assertEqual(
      (made['epochs']['planned'], made['epochs']['run']), (2, [2] * 2)
    )
    run(self.path, arms=arms)
    again = json.loads((self.path / 'curves.json').read_text())['training']
    self.assertEqual(again, before)
    for record in (self.path / 'nodes').glob('*/node.json'):
      values = json.loads(record.read_text())
      for name in ('history', 'chosen'):
        del values[name]
      record.write_text(json.dumps(values))
      checksums.write(record.parent, record.parent.name)
    report, _, shown = run(self.path, arms=arms)
    self.assertIn('2 of them finished before', shown)
    self.assertNotIn(
      'training', json.loads((self.path / 'curves.json').read_text())
    )
    made = report.summary['arms']['ehr']['made_of']
    self.assertIsNone(made['epochs']['run'])

  def test_trials_are_chosen_on_validation(self):
    report, store, _ = run(
      self.path, 'trials=3', arms='run_arms=ehr_linear,ehr_trees'
    )
    self.assertLen(keys(self.path), 12)
    models = json.loads((self.path / 'models.json').read_text())['arms']
    for arm in ('ehr_linear', 'ehr_trees'):
      self.assertEqual(report.summary['arms'][arm]['cost']['trials'], 3)
      records = [store.record(k) for k in keys(self.path)]
      for chosen in models[arm]:
        losses = {
          r['trial']: r['valid_loss']
          for r in records
          if (r['arm'], r['fold']) == (arm, chosen['fold'])
        }
        self.assertEqual(losses[chosen['trial']], min(losses.values()))
    self.assertEqual(report.summary['audits']['tuning']['trials'], 3)

  def test_interrupted_and_resumed(self):
    whole = self.path.with_name('whole')
    run(whole)
    written = store_lib.Store.write
    count = 0

    def write(*args, **kwargs):
      nonlocal count
      count += 1
      if count == 4:
        raise KeyboardInterrupt
      written(*args, **kwargs)

    with mock.patch.object(store_lib.Store, 'write', write):
      with self.assertRaises(KeyboardInterrupt):
        run(self.path)
    self.assertLen(keys(self.path), 3)
    _, _, shown = run(self.path)
    self.assertIn('3 of them finished before', shown)
    self.assertEqual(comparable(self.path), comparable(whole))

  def test_the_folder_of_another_configuration(self):
    run(self.path, arms='run_arms=ehr_linear')
    with self.assertRaisesRegex(errors.UserError, 'cohort.n is 120 there and'):
      run(self.path, 'cohort.n=130', arms='run_arms=ehr_linear')
    self.assertLen(keys(self.path), 2)

  @parameterized.parameters(*types.TASK_KINDS)
  def test_every_task(self, kind):
    report, _, _ = run(self.path, cohort=tiny.cohort(kind=kind, absent=True))
    self.assertEmpty(report.failures)
    self.assertEqual(report.summary['task']['kind'], kind)
    for arm, found in report.summary['arms'].items():
      primary = found['metrics'][report.summary['task']['metric']]
      self.assertIsNotNone(primary['estimate'], arm)

  def test_an_absent_modality_predicts_the_training_prevalence(self):
    cohort = tiny.cohort(absent=True)
    run(self.path, cohort=cohort)
    found = predictions.read(self.path / 'predictions.parquet')
    image = found.take((found.arm == 'image_pca') & (found.part == 'test'))
    absent = ~image.available['image']
    self.assertTrue(absent.any())
    for fold in (0, 1):
      here = absent & (image.fold == fold)
      self.assertLen(np.unique(image.scores[here].round(9)), 1)
      self.assertBetween(image.scores[here][0, 0], 0.2, 0.8)
    both = found.take((found.arm == 'early_pca') & (found.part == 'test'))
    absent = ~both.available['image'] & (both.fold == 0)
    self.assertGreater(len(np.unique(both.scores[absent])), 3)


class BadInputTest(RunnerTestCase):
  def test_one_class_only(self):
    cohort = tiny.cohort()
    cohort.labels[:] = 1
    with self.assertRaises(errors.UserError):
      run(self.path, cohort=cohort)
    self.assertFalse(self.path.exists())

  def test_one_class_in_a_part(self):
    cohort = tiny.cohort()
    splits = self.create_tempfile('splits.csv').full_path
    order = np.argsort(cohort.labels[:, 0])
    parts = {'train': order[:20], 'valid': order[60:70], 'test': order[70:]}
    lines = ['study_id,repeat,fold,part']
    used = set()
    for part, rows in parts.items():
      for row in rows:
        if cohort.patient[row] not in used:
          lines.append(f'{cohort.study[row]},0,0,{part}')
          used.add(cohort.patient[row])
    pathlib.Path(splits).write_text('\n'.join(lines) + '\n')
    with self.assertRaisesRegex(
      errors.UserError, 'fold 0: The training part holds one class only'
    ):
      run(
        self.path,
        'splits.scheme=file',
        f'splits.file={splits}',
        'splits.folds=0',
        cohort=cohort,
      )

  def test_impossible_folds(self):
    with self.assertRaisesRegex(errors.UserError, 'folds are impossible'):
      run(self.path, 'splits.folds=500')

  def test_a_cohort_without_images(self):
    cohort = tiny_without_images()
    report, _, _ = run(self.path, cohort=cohort, arms='run_arms=')
    self.assertEqual(
      list(report.summary['arms']), ['ehr', 'ehr_linear', 'ehr_trees']
    )
    self.assertTrue(
      any("'joint' was left out" in x for x in report.summary['warnings'])
    )


def tiny_without_images():
  return tiny.changed(tiny.cohort(), images=None, image_mask=None)


class FailureTest(RunnerTestCase):
  """A neural learner that trains nothing stands in for the real one."""

  def _run(
    self, failures, *overrides, arms='run_arms=image,ehr,late_mean,ehr_linear'
  ):
    def fit(self, jobs, on_epoch=None):
      on_epoch(1, 2, 0.5)
      return [
        learner.Trained(
          models=(),
          parameters=7,
          failure=failures.get((self.arm.modalities[0], k), ''),
        )
        for k, job in enumerate(jobs)
      ]

    def logits(self, trained, inputs, rows):
      return [
        np.tile(seen.cohort.labels[at], (1, 1)) * 0.1
        for seen, at in zip(inputs, rows, strict=True)
      ]

    def save(self, trained, folder, *, fitted, extra):
      folder.mkdir()

    with mock.patch.multiple(
      neural_learner.Neural, fit=fit, logits=logits, save=save
    ):
      return run(self.path, *overrides, cohort=tiny.cohort(), arms=arms)

  def test_a_diverging_arm_stops_and_the_rest_goes_on(self):
    fault = 'loss is not finite at epoch 2, step 5'
    report, store, shown = self._run({('image', 1): fault})
    self.assertEqual(set(report.failures), {'image', 'late_mean'})
    line = report.failures['image']
    self.assertIn(
      f"'image' failed: repeat 0, fold 1, seed 0, trial 0: {fault}", line
    )
    self.assertIn("needs 'image', which failed", report.failures['late_mean'])
    self.assertEqual(list(report.summary['arms']), ['ehr', 'ehr_linear'])
    self.assertIn(line, report.summary['warnings'])
    self.assertIn(line, shown)
    # The sound member of the fleet is kept.
    landed = [store.record(k) for k in keys(self.path)]
    self.assertLen([r for r in landed if r['arm'] == 'image'], 1)
    # Next time only what is missing is tried, and succeeds.
    report, _, _ = self._run({})
    self.assertEmpty(report.failures)
    self.assertIn('late_mean', report.summary['arms'])

  def test_another_trial_can_save_a_fold(self):
    fault = 'loss is not finite at epoch 1, step 1'
    report, _, shown = self._run({('image', 1): fault}, 'trials=2')
    self.assertEmpty(report.failures)
    self.assertIn('fold 0, seed 0, trial 1: loss is not finite', shown)

  def test_an_arm_that_does_not_need_what_failed_is_evaluated(self):
    # As many failures, upstream ones among them, as arms in the table.
    report, _, _ = self._run(
      {('image', 0): 'bad', ('image', 1): 'bad'},
      arms='run_arms=image_linear,ehr_linear',
    )
    self.assertEqual(set(report.failures), {'extractor', 'image_linear'})
    self.assertEqual(list(report.summary['arms']), ['ehr_linear'])

  def test_arms_that_failed_before_stay_in_sight(self):
    fault = {('image', 0): 'bad', ('image', 1): 'bad'}
    self._run(fault)
    report, _, _ = self._run(fault, arms='run_arms=ehr')
    self.assertEqual(list(report.summary['arms']), ['ehr', 'ehr_linear'])
    self.assertTrue(
      any("'image' failed" in x for x in report.summary['warnings'])
    )

  def test_a_half_that_cannot_be_learnt_from(self):
    check = rows_lib.check_labels

    def refuse(cohort, at, part, *, half=False):
      if half:
        raise errors.UserError('One half of the training part is bad.')
      check(cohort, at, part)

    with mock.patch.object(rows_lib, 'check_labels', refuse):
      report, _, _ = self._run({}, arms='run_arms=image_linear,ehr_linear')
    self.assertEqual(
      report.failures['extractor'],
      "Arm 'extractor' failed: repeat 0, fold 0, seed 0: One half of the "
      'training part is bad.',
    )

  def test_all_fail(self):
    report, _, _ = self._run(
      {('image', 0): 'bad', ('image', 1): 'bad'}, arms='run_arms=image'
    )
    self.assertIsNone(report.summary)
    self.assertEqual(set(report.failures), {'image'})

  def test_a_full_disk_keeps_what_is_finished(self):
    real = np.savez
    calls = 0

    def savez(*args, **kwargs):
      nonlocal calls
      calls += 1
      if calls == 6:
        raise OSError(28, 'No space left on device')
      return real(*args, **kwargs)

    with mock.patch.object(np, 'savez', savez):
      with self.assertRaisesRegex(errors.UserError, 'is full'):
        self._run({})
    finished = keys(self.path)
    self.assertNotEmpty(finished)
    self.assertFalse([x for x in finished if x.startswith('.')])


@pytest.mark.slow
class NeuralRunTest(RunnerTestCase):
  def test_every_arm(self):
    trained = {}
    real = learner.model_rows

    def model_rows(arm, job):
      found = real(arm, job)
      patients = [set(job.inputs.cohort.patient[x]) for x in found]
      trained[arm.summary, job.split.fold] = patients
      return found

    with mock.patch.object(learner, 'model_rows', model_rows):
      report, _, _ = run(self.path, arms='run_arms=')
    self.assertEmpty(report.failures)
    self.assertLen(report.summary['arms'], 18)
    models = json.loads((self.path / 'models.json').read_text())
    self.assertLen(models['arms']['extractor'], 2)
    # No second stage sees a study that its encoder was trained on.
    summary = {k: x.summary for k, x in config_test.config().known_arms.items()}
    for name in ('image_linear', 'early_features', 'early_trees'):
      for fold in (0, 1):
        encoders = trained[summary['extractor'], fold]
        stages = trained[summary[name], fold]
        for encoder, stage in zip(encoders, stages, strict=True):
          self.assertTrue(stage and encoder.isdisjoint(stage))


if __name__ == '__main__':
  absltest.main()
