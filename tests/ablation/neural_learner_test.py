"""Tests of the adapter of neural fleets."""

import dataclasses
import pathlib

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from sklearn import metrics

from fusion_jax.ablation import families, learner, learners, neural_learner
from fusion_jax.core import links, types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from fusion_jax.training import neural
from tests import tiny
from tests.ablation import learner_test

KNOWN = families.review(families.USUAL)

HYPER = {'learning_rate': 3e-3, 'weight_decay': 0.01}


def learner_of(arm, task, **changes):
  return learners.create_learner(
    KNOWN[arm],
    task,
    training=training_config.TrainingConfig(
      epochs=2, least_steps=0, least_patience=0, batch_size=16, **changes
    ),
    parallel=parallel_config.ParallelConfig(devices=1),
  )


def job_of(cohort, **options):
  rng = np.random.default_rng(0)
  features = rng.normal(size=(2, len(cohort), 3)).astype(np.float32)
  return learner_test.job(
    cohort, features={'image': tuple(features)}, hyper=HYPER, **options
  )


def fitted(losses, epochs, best=None):
  """A model whose validation loss took this course."""
  return neural.FittedNeural(
    params={},
    label_mean=0.0,
    label_std=1.0,
    epochs=epochs,
    best_epoch=1,
    valid_loss=min(losses) if best is None else best,
    history=tuple((0.0, x) for x in losses),
    failure='',
    parameters=0,
  )


class NeuralLearnerTest(parameterized.TestCase):
  def _round_trip(self, arm, cohort):
    job = job_of(cohort)
    one = learner_of(arm, cohort.task)
    told = []
    (trained,) = one.fit([job], lambda *x: told.append(x[:2]))
    self.assertEqual(told, [(1, 2), (2, 2)])
    self.assertEqual(trained.failure, '')
    folder = pathlib.Path(self.create_tempdir().full_path) / 'model'
    one.save(trained, folder, fitted=job.inputs.fitted, extra={'a': 1})
    loaded, fitted = one.load(folder)
    inputs = learner.Inputs(cohort, fitted, job.inputs.features)
    (before,) = one.predict([trained], [job.inputs], [job.split.test])
    (after,) = one.predict([loaded], [inputs], [job.split.test])
    np.testing.assert_array_equal(before, after)
    self.assertTrue(np.isfinite(before).all())
    self.assertEqual(loaded.parameters, trained.parameters)
    return trained, before

  def test_the_record_alone(self):
    cohort = tiny.cohort(absent=True)
    trained, logits = self._round_trip('ehr', cohort)
    self.assertLen(trained.models, 1)
    self.assertEqual(logits.shape[1], 1)

  @pytest.mark.slow
  def test_a_fleet_that_was_stopped_goes_on(self):
    cohort = tiny.cohort()
    job = job_of(cohort)
    one = learner_of('ehr', cohort.task, save_epochs=1)
    one.folder = pathlib.Path(self.create_tempdir().full_path) / 'fleet'
    told = []

    def stop(*seen):
      told.append(seen[0])
      if len(told) == 1:
        raise KeyboardInterrupt

    with self.assertRaises(KeyboardInterrupt):
      one.fit([job], stop)
    (trained,) = one.fit([job], stop)
    self.assertEqual(told, [1, 2])
    whole = learner_of('ehr', cohort.task)
    (other,) = whole.fit([job])
    self.assertEqual(trained.history, other.history)

  def test_reduced_pixels(self):
    trained, _ = self._round_trip('early_raw', tiny.cohort(absent=True))
    # 64 pixels, 4 components, 8 bins.
    reduction = 64 + 4 * 64 + 2 + 2 * 12
    (network,) = trained.models
    self.assertEqual(trained.parameters, network.parameters + reduction)

  def test_a_second_stage_has_two_models(self):
    trained, _ = self._round_trip('early_features', tiny.cohort(absent=True))
    self.assertLen(trained.models, 2)

  @parameterized.parameters(*types.TASK_KINDS)
  def test_probabilities_of_a_deep_ensemble_are_averaged(self, kind):
    task = tiny.task_of(kind)
    logits = np.random.default_rng(0).normal(size=(3, 5, task.num_outputs))
    found = learner_of('ehr', task, members=3).mean(list(logits))
    each = [links.scores_from_logits(task, x) for x in logits]
    np.testing.assert_allclose(
      links.scores_from_logits(task, found), np.mean(each, axis=0), atol=1e-9
    )

  @pytest.mark.slow
  def test_a_deep_ensemble_is_the_mean_of_its_members(self):
    """Of their probabilities; the first is the model that there is alone."""
    cohort = tiny.cohort(96, kind=types.MULTICLASS)
    job = job_of(cohort)
    one, several = (learner_of('ehr', cohort.task, members=k) for k in (1, 3))
    (alone,), (trained,) = one.fit([job]), several.fit([job])
    self.assertLen(trained.models, 3)
    rows = [job.split.test]

    def scores(own, models):
      part = dataclasses.replace(trained, models=models)
      (found,) = own.logits([part], [job.inputs], rows)
      return links.scores_from_logits(cohort.task, found)

    each = [scores(one, (m,)) for m in trained.models]
    np.testing.assert_allclose(each[0], scores(one, alone.models), atol=1e-5)
    for other in each[1:]:
      self.assertGreater(np.abs(other - each[0]).max(), 1e-3)
    np.testing.assert_allclose(
      scores(several, trained.models), np.mean(each, axis=0), atol=1e-6
    )
    self.assertEqual(trained.parameters, 3 * alone.parameters)

  @pytest.mark.slow
  def test_arms_on_halves_have_no_members(self):
    cohort = tiny.cohort(96)
    arm = learner_of('early_features', cohort.task, members=3)
    (trained,) = arm.fit([job_of(cohort)])
    self.assertLen(trained.models, 2)

  def test_a_second_stage_is_defined_by_a_frozen_encoder(self):
    cohort = tiny.cohort()
    inputs = job_of(cohort).inputs
    for arm, frozen in (
      ('early_features', (types.IMAGE,)),
      ('early_raw', ()),
      ('joint', ()),
    ):
      found = learner_of(arm, cohort.task).model_config(inputs)
      self.assertEqual(found.frozen, frozen, arm)

  def test_regression_is_in_the_labels_unit(self):
    cohort = tiny.cohort(kind=types.REGRESSION)
    _, values = self._round_trip('ehr', cohort)
    self.assertBetween(values.mean(), 35, 65)

  @parameterized.parameters(*types.TASK_KINDS)
  def test_says_that_nothing_was_learnt(self, kind):
    cohort = tiny.cohort(kind=kind)
    job = job_of(cohort)
    one = learner_of('ehr', cohort.task)
    null = one._constant_loss(job)

    def notes(loss):
      return one._notes(job, [fitted([loss], 20, loss)])

    self.assertEmpty(notes(null - 1e-3))
    (note,) = notes(null)
    self.assertIn('no better than a constant', note)
    y = cohort.labels[:, 0]
    train, valid = y[job.split.train], y[job.split.valid]
    if kind == types.REGRESSION:
      expected = np.square(valid - train.mean()).mean() / train.var()
      self.assertAlmostEqual(null, expected, places=9)
    elif kind == types.BINARY:
      p = (train.sum() + 0.5) / (len(train) + 1)
      expected = metrics.log_loss(valid, np.full(len(valid), p))
      self.assertAlmostEqual(null, expected, places=9)

  def test_says_that_training_was_cut_short(self):
    def improving(losses, epochs):
      return neural_learner._still_improving(fitted(losses, epochs))

    falling = [1 - 0.05 * k for k in range(10)]
    self.assertTrue(improving(falling, 10))
    self.assertFalse(improving(falling, 20))  # patience ended it
    self.assertFalse(improving([1, 0.6, *[0.5] * 7, 0.499], 10))

  def test_names_what_ended_training_too_early(self):
    cohort = tiny.cohort()
    job, one = job_of(cohort), learner_of('ehr', cohort.task)
    falling = [0.5 - 0.01 * k for k in range(40)]
    usual = one._training.epochs
    self.assertLess(usual, 40)
    for epochs, name in ((usual, 'epochs'), (40, 'least_steps')):
      losses = falling[:epochs]
      (note,) = one._notes(job, [fitted(losses, epochs, losses[-1])])
      self.assertEndsWith(note, f'raise --set=training.{name}=N.')

  @parameterized.parameters(
    ((), 'joint', 1.0, False),
    (('modality_dropout(rate=0.4)',), 'joint', 0.2, False),
    (('modality_dropout(rate=0.4)',), 'joint', 0.8, True),
    (('modality_dropout(rate=0.4)',), 'image', 0.8, False),
  )
  def test_says_that_tests_lack_more_than_training(
    self, methods, arm, share, said
  ):
    cohort = tiny.cohort()
    job = job_of(cohort)
    test = job.split.test
    lost = np.zeros(len(cohort), bool)
    lost[test[: int(share * len(test))]] = True
    image = cohort.modalities[types.IMAGE].without(lost)
    cohort = dataclasses.replace(
      cohort, modalities={**cohort.modalities, types.IMAGE: image}
    )
    job = dataclasses.replace(
      job, inputs=dataclasses.replace(job.inputs, cohort=cohort)
    )
    one = learner_of(arm, cohort.task, methods=methods)
    found = list(one._absence(job))
    self.assertLen(found, said)
    if said:
      self.assertStartsWith(found[0], 'Its test studies lack image more often')

  @pytest.mark.slow
  def test_jobs_of_a_fleet_equal_single_ones(self):
    cohort = tiny.cohort()
    jobs = [dataclasses.replace(job_of(cohort), seed=s) for s in (1, 2)]
    one = learner_of('ehr', cohort.task)
    rows = [j.split.test for j in jobs]
    inputs = [j.inputs for j in jobs]
    together = one.predict(one.fit(jobs), inputs, rows)
    for k, job in enumerate(jobs):
      alone = one.predict(one.fit([job]), inputs[k : k + 1], rows[k : k + 1])
      np.testing.assert_array_equal(together[k], alone[0])
    self.assertGreater(np.abs(together[0] - together[1]).max(), 1e-3)

  @pytest.mark.slow
  def test_jobs_of_other_widths_are_fleets_of_their_own(self):
    cohort = tiny.cohort()
    rng = np.random.default_rng(1)
    jobs = []
    for width in (3, 5, 3):
      job = job_of(cohort)
      x = rng.normal(size=(2, len(cohort), width)).astype(np.float32)
      inputs = dataclasses.replace(job.inputs, features={'image': tuple(x)})
      jobs.append(dataclasses.replace(job, inputs=inputs))
    one = learner_of('early_features', cohort.task)
    rows = [j.split.test for j in jobs]
    inputs = [j.inputs for j in jobs]
    beside = one.predict(one.fit(jobs), inputs, rows)
    for k, job in enumerate(jobs):
      alone = one.predict(one.fit([job]), inputs[k : k + 1], rows[k : k + 1])
      np.testing.assert_allclose(beside[k], alone[0], atol=1e-5)

  @pytest.mark.slow
  def test_encoders_give_features_of_every_study(self):
    cohort = tiny.cohort()
    one = learner_of('extractor', cohort.task)
    job = job_of(cohort)
    trained = one.fit([job])
    ((first, second),) = one.encode(trained, [job.inputs])
    # Features do not pass through the head: a coefficient each and one more.
    heads = 2 * (first.shape[1] + 1)
    whole = sum(m.parameters for m in trained[0].models)
    self.assertEqual(trained[0].parameters, whole - heads)
    self.assertEqual(first.shape, second.shape)
    self.assertLen(first, len(cohort))
    self.assertEqual(first.dtype, np.float32)
    self.assertGreater(np.abs(first - second).max(), 1e-3)


if __name__ == '__main__':
  absltest.main()
