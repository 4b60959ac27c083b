"""Tests of frozen models on another cohort."""

import dataclasses
import json
import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import external
from fusion_jax.core import errors, types
from fusion_jax.data import reader
from fusion_jax.evaluation import predictions
from tests import tiny
from tests.ablation import runner_test


class ExternalTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    base = pathlib.Path(self.create_tempdir().full_path)
    self.path, self.out = base / 'run', base / 'out'
    runner_test.run(self.path, cohort=tiny.cohort(absent=True))

  def _apply(self, cohort, **options):
    run = external.open_run(self.path)
    config = dataclasses.replace(
      run.config, cohort=external.cohort_config(run, name='other')
    )
    self.assertEqual(config.cohort.image_size, 8)
    with mock.patch.object(reader, 'open_cohort', return_value=cohort):
      return external.apply(run, config, self.out, **options)

  def test_the_same_cohort_gives_the_same_predictions(self):
    cohort = tiny.cohort(absent=True)
    summary = self._apply(cohort)
    before = predictions.read(self.path / 'predictions.parquet')
    after = predictions.read(self.out / 'predictions.parquet')
    self.assertEqual(set(after.part), {'test'})
    self.assertEqual(set(after.fold), {0, 1})
    self.assertLen(after, 4 * 2 * len(cohort))
    places = zip(after.study_id, after.arm, after.fold, strict=True)
    scores = dict(zip(places, after.scores, strict=True))
    for study, arm, fold, score in zip(
      before.study_id, before.arm, before.fold, before.scores, strict=True
    ):
      np.testing.assert_array_equal(scores[study, arm, fold], score)
    self.assertTrue(
      any('48 of the 48 patient ids' in x for x in summary['warnings'])
    )
    text = json.dumps(summary)
    for patient in set(cohort.patient):
      self.assertNotIn(f"'{patient}'", text)

  def test_other_patients_and_columns_in_another_order(self):
    cohort = tiny.cohort(60, seed=3)
    cohort = dataclasses.replace(
      cohort,
      patient=np.char.add('q', cohort.patient),
      numeric=cohort.numeric[:, ::-1],
      numeric_names=cohort.numeric_names[::-1],
    )
    summary = self._apply(cohort)
    self.assertFalse(any('patient ids' in x for x in summary['warnings']))
    self.assertEqual(summary['cohort']['studies'], 60)
    own = json.loads((self.path / 'summary.json').read_text())
    chosen = [
      [(x['fold'], x['arm']) for x in s['best_single']['by_fold']]
      for s in (own, summary)
    ]
    self.assertEqual(*chosen)
    self.assertEqual({c['arm'] for c in summary['comparisons']}, {'early_pca'})

  def test_some_arms_only(self):
    summary = self._apply(tiny.cohort(60, seed=3), arms=['ehr_linear'])
    self.assertEqual(list(summary['arms']), ['ehr_linear'])
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'ehr_linear'"):
      self._apply(tiny.cohort(60), arms=['ehr_liner'])

  def test_what_is_missing_is_named(self):
    whole = tiny.cohort(60)
    lacking = dataclasses.replace(
      whole, numeric=whole.numeric[:, 1:], numeric_names=('noise',)
    )
    with self.assertRaisesRegex(errors.UserError, "column 'lab'"):
      self._apply(lacking)
    lacking = dataclasses.replace(whole, images=None, image_mask=None)
    with self.assertRaisesRegex(
      errors.UserError, 'no image data.*Give --arms=ehr_linear,ehr_trees'
    ):
      self._apply(lacking)
    with self.assertRaisesRegex(errors.UserError, 'survival task'):
      self._apply(tiny.cohort(60, kind=types.SURVIVAL))
    with self.assertRaisesRegex(errors.UserError, '16 x 16 with 1 channel;'):
      self._apply(tiny.cohort(60, size=16))

  def test_a_run_is_not_overwritten(self):
    self.out = self.path
    with self.assertRaisesRegex(errors.UserError, 'holds a run'):
      self._apply(tiny.cohort(60))

  def test_no_run_or_an_unfinished_one(self):
    with self.assertRaisesRegex(errors.UserError, 'not a run folder'):
      external.open_run(self.out)
    (self.path / 'summary.json').unlink()
    with self.assertRaisesRegex(errors.UserError, 'not finished'):
      external.open_run(self.path)


class SurvivalTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    base = pathlib.Path(self.create_tempdir().full_path)
    self.path, self.out = base / 'run', base / 'out'
    self.cohort = tiny.cohort(kind=types.SURVIVAL, absent=True)
    runner_test.run(
      self.path, cohort=self.cohort, arms='run_arms=ehr_linear,image_pca'
    )

  def _apply(self, cohort, horizons=()):
    run = external.open_run(self.path)
    evaluation = dataclasses.replace(run.config.evaluation, horizons=horizons)
    config = dataclasses.replace(
      run.config,
      cohort=external.cohort_config(run, name='other'),
      evaluation=evaluation,
    )
    with mock.patch.object(reader, 'open_cohort', return_value=cohort):
      external.apply(run, config, self.out)
    return predictions.read(self.out / 'predictions.parquet')

  def test_the_same_cohort_gives_the_same_curves(self):
    before = predictions.read(self.path / 'predictions.parquet')
    after = self._apply(self.cohort)
    self.assertEqual(set(after.survival), set(before.survival))
    self.assertLen(before.survival, 3)
    for name, curve in before.survival.items():
      places = zip(after.study_id, after.arm, after.fold, strict=True)
      curves = dict(zip(places, after.survival[name], strict=True))
      for study, arm, fold, value in zip(
        before.study_id, before.arm, before.fold, curve, strict=True
      ):
        self.assertEqual(curves[study, arm, fold], value)

  def test_labels_of_the_other_cohort_have_no_say(self):
    other = tiny.cohort(60, kind=types.SURVIVAL, seed=3)
    before = self._apply(other)
    labels = other.labels * np.array([50.0, 1.0])
    after = self._apply(dataclasses.replace(other, labels=labels))
    self.assertEqual(list(before.survival), list(after.survival))
    for name, curve in before.survival.items():
      np.testing.assert_array_equal(after.survival[name], curve)

  def test_only_times_that_the_run_knows(self):
    models = json.loads((self.path / 'models.json').read_text())
    known = models['horizons'][1]
    found = self._apply(self.cohort, (known,))
    self.assertEqual(list(found.survival), [f'{known:g}'])
    with self.assertRaisesRegex(
      errors.UserError, 'horizons=0.123: the run in .* knows survival at'
    ) as caught:
      self._apply(self.cohort, (0.123,))
    self.assertNotIn('\n', str(caught.exception))

  def test_a_run_made_before_curves_were_stored(self):
    path = self.path / 'models.json'
    models = json.loads(path.read_text())
    del models['horizons']
    for entries in models['arms'].values():
      for entry in entries:
        del entry['cumulative_hazard']
    path.write_text(json.dumps(models))
    self.assertEmpty(self._apply(self.cohort).survival)
    with self.assertRaisesRegex(errors.UserError, 'knows survival at no time'):
      self._apply(self.cohort, (0.5,))


if __name__ == '__main__':
  absltest.main()
