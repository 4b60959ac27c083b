"""Tests of what all learners have in common."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import families, learner
from fusion_jax.core import errors, links, types
from fusion_jax.data import config as data_config
from fusion_jax.data import preprocess, splits
from tests import tiny

KNOWN = families.review(families.USUAL)


def job(cohort, *, features=None, logits=None, hyper=None, **small):
  """A job on the first fold of `cohort`."""
  split = splits.make_splits(cohort, data_config.SplitConfig(folds=2))[0]
  config = data_config.PreprocessConfig(pixel_components=4, pixel_size=8)
  fitted = preprocess.Preprocessor(config).fit(cohort, split.train)
  inputs = learner.Inputs(cohort, fitted, features or {}, logits or {})
  return learner.Job(inputs, split, 5, hyper or {}, **small)


class Constant(learner.Learner):
  """Says 3 for every study."""

  @classmethod
  def reads(cls, x):
    return True

  @classmethod
  def claims(cls, arm):
    return types.TASK_KINDS, False, ''

  def fit(self, jobs, on_epoch=None):
    return [learner.Trained((None,), 0) for _ in jobs]

  def size(self, model):
    return 0

  def logits(self, trained, inputs, rows):
    return [np.full((len(at), self.task.num_outputs), 3.0) for at in rows]

  def save(self, trained, folder, *, fitted, extra):
    raise NotImplementedError

  def load(self, folder):
    raise NotImplementedError


class LearnerTest(parameterized.TestCase):
  @parameterized.parameters(*types.TASK_KINDS)
  def test_studies_without_the_modality_get_the_constant(self, kind):
    cohort = tiny.cohort(kind=kind, absent=True)
    given = job(cohort)
    one = Constant(KNOWN['image'], cohort.task)
    rows = np.arange(10)
    (found,) = one.predict(one.fit([given]), [given.inputs], [rows])
    present = cohort.present['image'][rows]
    np.testing.assert_array_equal(found[present], 3)
    scores = links.scores_from_logits(cohort.task, found[~present])
    expected = np.broadcast_to(given.inputs.fitted.constant, scores.shape)
    np.testing.assert_allclose(scores, expected)

  def test_more_cuts_give_more_pairs_that_share_no_patient(self):
    cohort = tiny.cohort()
    given = job(cohort, cuts=learner.SMALL_CUTS)
    encoders = learner.model_rows(KNOWN['extractor'], given)
    stages = learner.model_rows(KNOWN['early_trees'], given)
    expected = learner.models_per_node(KNOWN['extractor'], small=True)
    self.assertLen({x.tobytes() for x in encoders}, expected)
    for encoder, stage in zip(encoders, stages, strict=True):
      self.assertEmpty({*cohort.patient[encoder]} & {*cohort.patient[stage]})
      np.testing.assert_array_equal(
        np.sort(np.r_[encoder, stage]), given.split.train
      )
    one = learner.model_rows(KNOWN['extractor'], job(cohort))
    np.testing.assert_array_equal(one[0], encoders[0])

  def test_an_encoder_and_its_second_stage_share_no_patient(self):
    cohort = tiny.cohort()
    given = job(cohort)
    encoders = learner.model_rows(KNOWN['extractor'], given)
    stages = learner.model_rows(KNOWN['early_trees'], given)
    self.assertLen(encoders, 2)
    for encoder, stage in zip(encoders, stages, strict=True):
      self.assertEmpty(
        set(cohort.patient[encoder]) & set(cohort.patient[stage])
      )
      both = np.sort(np.concatenate([encoder, stage]))
      np.testing.assert_array_equal(both, given.split.train)

  def test_so_also_where_images_are_absent(self):
    cohort = tiny.cohort(absent=True)
    given = job(cohort)
    encoders = learner.model_rows(KNOWN['extractor'], given)
    stages = learner.model_rows(KNOWN['early_features'], given)
    for encoder, stage in zip(encoders, stages, strict=True):
      self.assertTrue(cohort.present['image'][encoder].all())
      self.assertFalse(cohort.present['image'][stage].all())
      self.assertEmpty(
        set(cohort.patient[encoder]) & set(cohort.patient[stage])
      )

  def test_other_arms_train_on_the_whole_part(self):
    given = job(tiny.cohort())
    (rows,) = learner.model_rows(KNOWN['joint'], given)
    np.testing.assert_array_equal(rows, given.split.train)

  def test_a_half_that_cannot_be_learnt_from_is_called_a_half(self):
    cohort = tiny.cohort()
    given = job(cohort)
    cohort.labels[given.split.train] = 0
    cohort.labels[given.split.train[0]] = 1
    learner.model_rows(KNOWN['image'], given)
    with self.assertRaisesRegex(
      errors.UserError, '^One half of the training part holds one class only'
    ):
      learner.model_rows(KNOWN['extractor'], given)

  @parameterized.parameters(*KNOWN)
  def test_how_many_models_a_node_trains(self, name):
    arm = KNOWN[name]
    rows = learner.model_rows(arm, job(tiny.cohort()))
    self.assertLen(rows, learner.models_per_node(arm, small=False))

  def test_not_every_learner_encodes(self):
    one = Constant(KNOWN['ehr'], tiny.task_of('binary'))
    with self.assertRaisesRegex(TypeError, 'no encoder'):
      one.encode([], [])

  def test_multiclass_models_are_averaged_as_log_probabilities(self):
    task = tiny.task_of(types.MULTICLASS)
    one = Constant(KNOWN['image'], task)
    logits = np.array([[0.0, 1.0, 2.0]])
    np.testing.assert_allclose(
      links.scores_from_logits(task, one.mean([logits, logits + 100])),
      links.scores_from_logits(task, logits),
    )


if __name__ == '__main__':
  absltest.main()
