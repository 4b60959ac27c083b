"""Tests of Gaussian processes as a learner."""

import dataclasses
import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import families, kernel_learner, learners, roster
from fusion_jax.core import errors, types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from fusion_jax.training import gaussian_process
from tests import tiny
from tests.ablation import classical_learners_test, learner_test

ARMS = families.kernel(families.USUAL)


def _learner(arm, task):
  return learners.create_learner(
    ARMS[arm],
    task,
    training=training_config.TrainingConfig(),
    parallel=parallel_config.ParallelConfig(),
  )


class KernelLearnerTest(parameterized.TestCase):
  def test_arms(self):
    self.assertEqual(list(ARMS), ['image_gp', 'ehr_gp', 'early_gp', 'late_gp'])
    roster.check(families.make(('review', 'kernel'), families.USUAL))
    record = [m for m in families.USUAL if m.side == 'record']
    self.assertEqual(list(families.kernel(record)), ['ehr_gp'])

  @parameterized.product(
    arm=('image_gp', 'ehr_gp', 'early_gp'),
    kind=(types.BINARY, types.MULTICLASS, types.REGRESSION),
  )
  def test_saved_models_predict_the_same_elsewhere(self, arm, kind):
    cohort = tiny.cohort(kind=kind, absent=True)
    job = classical_learners_test.job_of(cohort, arm)
    one = _learner(arm, cohort.task)
    (trained,) = one.fit([job])
    folder = pathlib.Path(self.create_tempdir().full_path) / 'model'
    one.save(trained, folder, fitted=job.inputs.fitted, extra={})
    loaded, fitted = one.load(folder)
    self.assertEqual(loaded.parameters, trained.parameters)
    rows = job.split.test
    (before,) = one.predict([trained], [job.inputs], [rows])
    inputs = learner_test.learner.Inputs(cohort, fitted)
    (after,) = one.predict([loaded], [inputs], [rows])
    np.testing.assert_array_equal(before, after)
    self.assertTrue(np.isfinite(before).all())

  def test_small_cohorts_have_predictions_of_rows_not_fitted_on(self):
    cohort = tiny.cohort()
    job = classical_learners_test.job_of(cohort, 'ehr_gp', inner_folds=3)
    one = _learner('ehr_gp', cohort.task)
    fitted_on = []
    real = gaussian_process.fit

    def fit(*, x, **more):
      fitted_on.append(len(x))
      return real(x=x, **more)

    with mock.patch.object(kernel_learner.gaussian_process, 'fit', fit):
      (trained,) = one.fit([job])
    both = len(job.split.train) + len(job.split.valid)
    self.assertEqual(fitted_on[-1], both)
    self.assertEqual(sum(both - n for n in fitted_on[:-1]), both)
    self.assertTrue(np.isfinite(trained.valid_logits).all())
    (seen,) = one.logits([trained], [job.inputs], [job.split.valid])
    self.assertFalse(np.allclose(seen, trained.valid_logits))

  @parameterized.parameters(
    ('ehr_gp', "Arm 'ehr_gp' does not support survival tasks, only binary"),
    ('late_gp', "Arm 'late_gp' needs 'image_gp', which does not support surv"),
  )
  def test_survival_is_one_line(self, arm, message):
    task = tiny.task_of(types.SURVIVAL)
    with self.assertRaisesRegex(errors.UserError, message):
      roster.select(ARMS, [arm], task=task, modalities=('image', 'ehr'))

  def test_what_it_chose_is_kept(self):
    cohort = tiny.cohort()
    one = _learner('ehr_gp', cohort.task)
    job = classical_learners_test.job_of(cohort, 'ehr_gp')
    (trained,) = one.fit([job])
    ((length,),) = (x['length'] for x in trained.chosen)
    self.assertGreater(length, 0)
    changed = dataclasses.replace(job, seed=1)
    (other,) = one.fit([changed])
    self.assertEqual(trained.chosen, other.chosen)


if __name__ == '__main__':
  absltest.main()
