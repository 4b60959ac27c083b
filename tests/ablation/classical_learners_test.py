"""Tests of the adapters of elastic nets, trees and late rules."""

import dataclasses
import pathlib
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.ablation import families, learners
from fusion_jax.core import links, types
from fusion_jax.data import inner, preprocess
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from tests import tiny
from tests.ablation import learner_test

ARMS = (
  'ehr_linear',
  'ehr_trees',
  'ehr_kernel',
  'image_pca',
  'image_linear',
  'early_pca',
  'early_trees',
  'late_mean',
  'late_stack',
  'late_mean_recalibrated',
)

KNOWN = families.review(families.USUAL)
# As --arm='NAME=late_mean(rule=mean(recalibrated=true))' adds it.
PARTS = {
  **KNOWN,
  # As --arm='NAME=ehr_linear(learner=kernel)' adds it.
  'ehr_kernel': dataclasses.replace(KNOWN['ehr_linear'], learner='kernel'),
  'late_mean_recalibrated': dataclasses.replace(
    KNOWN['late_mean'], rule='mean(recalibrated=true)'
  ),
}


def learner_of(arm, task):
  return learners.create_learner(
    PARTS[arm],
    task,
    training=training_config.TrainingConfig(),
    parallel=parallel_config.ParallelConfig(),
  )


def job_of(cohort, arm, cuts=1, **small):
  rng = np.random.default_rng(0)
  size = len(cohort), cohort.task.num_outputs
  return learner_test.job(
    cohort,
    features={
      'image': tuple(
        rng.normal(size=(2 * cuts, len(cohort), 3)).astype(np.float32)
      )
    },
    logits={m: rng.normal(size=size) for m in ('image', 'ehr')}
    if arm.startswith('late')
    else None,
    cuts=cuts,
    **small,
  )


class ClassicalLearnersTest(parameterized.TestCase):
  @parameterized.product(
    arm=ARMS, kind=(types.BINARY, types.MULTICLASS, types.SURVIVAL)
  )
  def test_saved_models_predict_the_same_elsewhere(self, arm, kind):
    cohort = tiny.cohort(kind=kind, absent=True)
    job = job_of(cohort, arm)
    one = learner_of(arm, cohort.task)
    (trained,) = one.fit([job])
    self.assertLen(trained.models, 2 if 'features' in str(one.arm) else 1)
    folder = pathlib.Path(self.create_tempdir().full_path) / 'model'
    one.save(trained, folder, fitted=job.inputs.fitted, extra={'a': 1})
    loaded, fitted = one.load(folder)
    self.assertEqual(loaded.parameters, trained.parameters)
    rows = job.split.test
    (before,) = one.predict([trained], [job.inputs], [rows])
    inputs = learner_test.learner.Inputs(
      cohort, fitted, job.inputs.features, job.inputs.logits
    )
    (after,) = one.predict([loaded], [inputs], [rows])
    self.assertEqual(before.shape, (len(rows), cohort.task.num_outputs))
    self.assertTrue(np.isfinite(before).all())
    np.testing.assert_array_equal(before, after)

  @parameterized.parameters(
    # 64 pixels, 4 components, 8 bins; the record has 6 columns.
    ('ehr_linear', 6 + 1),
    ('image_pca', (64 + 4 * 64 + 2 + 2 * 12) + 12 + 1),
    ('early_pca', (64 + 4 * 64 + 2 + 2 * 12) + 12 + 1 + 6 + 1),
    # Two halves on three features each; their encoders are another arm's.
    ('image_linear', 2 * (3 + 1)),
    # Of both sides: centre, scale and weight.
    ('late_mean', 2 * 3),
    # And a slope and an intercept.
    ('late_mean_recalibrated', 2 * 3 + 2),
    ('late_vote', 2),
    # Of both sides origin, scale, and coefficients of logit and presence.
    ('late_stack', 2 + 2 + 4 + 1),
  )
  def test_parameters_counted_by_hand(self, arm, expected):
    cohort = tiny.cohort()
    job = job_of(cohort, arm)
    (trained,) = learner_of(arm, cohort.task).fit([job])
    self.assertEqual(trained.parameters, expected)

  @parameterized.product(
    arm=('ehr_linear', 'ehr_trees', 'image_linear', 'early_pca', 'early_trees'),
    kind=(types.BINARY, types.SURVIVAL),
  )
  @pytest.mark.slow
  def test_small_cohorts_are_fitted_on_both_parts(self, arm, kind):
    cohort = tiny.cohort(kind=kind, absent=True)
    job = job_of(cohort, arm, cuts=3, inner_folds=3)
    one = learner_of(arm, cohort.task)
    (trained,) = one.fit([job])
    self.assertLen(trained.models, 6 if 'features' in str(one.arm) else 1)
    (own,) = one.logits([trained], [job.inputs], [job.split.valid])
    usable = np.isfinite(trained.valid_logits).all(axis=1)
    present = np.any([cohort.present[m] for m in one.arm.modalities], axis=0)
    np.testing.assert_array_equal(usable, present[job.split.valid])
    # Models that had not seen the validation part fit it less well.
    labels = cohort.labels[job.split.valid][usable]
    unseen = links.mean_loss(cohort.task, trained.valid_logits[usable], labels)
    self.assertLess(
      links.mean_loss(cohort.task, own[usable], labels), unseen + 0.05
    )
    self.assertGreater(
      np.abs(own[usable] - trained.valid_logits[usable]).max(), 1e-6
    )
    # A label of the validation part changes the model, one of the test part
    # changes nothing.
    for part, same in ((job.split.test, True), (job.split.valid, False)):
      labels = cohort.labels.copy()
      labels[part] = labels[part][::-1]
      changed = dataclasses.replace(cohort, labels=labels)
      inputs = dataclasses.replace(job.inputs, cohort=changed)
      (again,) = one.fit([dataclasses.replace(job, inputs=inputs)])
      (logits,) = one.logits([again], [inputs], [job.split.test])
      (before,) = one.logits([trained], [job.inputs], [job.split.test])
      self.assertEqual(np.array_equal(logits, before), same, part)

  @parameterized.parameters('ehr_linear', 'ehr_trees', 'image_linear')
  def test_no_patient_is_in_two_inner_folds(self, arm):
    cohort = tiny.cohort()
    patients = np.unique(cohort.patient)
    self.assertLess(len(patients), len(cohort))
    job = job_of(cohort, arm, inner_folds=3)
    given = []
    real = inner.folds

    def folds(cohort, rows, count, seed):
      found = real(cohort, rows, count, seed)
      given.append((rows, found))
      return found

    with mock.patch.object(inner, 'folds', folds):
      learner_of(arm, cohort.task).fit([job])
    self.assertNotEmpty(given)
    for rows, fold in given:
      self.assertEmpty(np.intersect1d(rows, job.split.test))
      for patient in np.unique(cohort.patient[rows]):
        self.assertLen(np.unique(fold[cohort.patient[rows] == patient]), 1)

  def test_components_of_pixels_are_chosen(self):
    cohort = tiny.cohort()
    job = job_of(cohort, 'early_pca', inner_folds=3)
    one = learner_of('early_pca', cohort.task)
    pixels = len(job.inputs.fitted.reduction('image').mean)
    found = one._candidates(job.inputs, 0)
    self.assertEqual([int(x[:pixels].sum()) for x in found], [1, 2, 4, pixels])
    for columns in found:
      self.assertTrue(columns[pixels:].all())
      self.assertLen(columns, one._table(job.inputs, 0)[0].shape[1])

  @parameterized.parameters('image_pca', 'early_pca', 'early_trees')
  def test_what_an_absent_image_holds_changes_nothing(self, arm):
    cohort = tiny.cohort(absent=True)
    results = []
    for value in (0, 200):
      tiny.images(cohort)[~tiny.image_mask(cohort)] = value
      job = job_of(cohort, arm)
      absent = ~cohort.present['image']
      for features in job.inputs.features['image']:
        features[absent] = value
      one = learner_of(arm, cohort.task)
      rows = np.arange(len(cohort))
      results += one.predict(one.fit([job]), [job.inputs], [rows])
    np.testing.assert_array_equal(*results)

  def test_test_rows_change_no_model(self):
    results = []
    for garbage in (False, True):
      cohort = tiny.cohort()
      job = job_of(cohort, 'early_pca')
      if garbage:
        tiny.numeric(cohort)[job.split.test] = 1e3
        tiny.images(cohort)[job.split.test] = 7
        cohort.labels[job.split.test] = 0
        config = job.inputs.fitted.config
        fitted = preprocess.Preprocessor(config).fit(cohort, job.split.train)
        inputs = dataclasses.replace(job.inputs, fitted=fitted)
        job = dataclasses.replace(job, inputs=inputs)
      one = learner_of('early_pca', cohort.task)
      (trained,) = one.fit([job])
      results.append(trained.models[0].coefficients)
    np.testing.assert_array_equal(*results)


if __name__ == '__main__':
  absltest.main()
