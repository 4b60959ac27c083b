"""Tests of which learner an arm gets."""

from absl.testing import absltest, parameterized

from fusion_jax.ablation import families, learners
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from tests import tiny

KNOWN = families.review(families.USUAL)


def create(arm):
  return learners.create_learner(
    arm,
    tiny.task_of('binary'),
    training=training_config.TrainingConfig(),
    parallel=parallel_config.ParallelConfig(),
  )


class LearnersTest(parameterized.TestCase):
  @parameterized.parameters(*KNOWN)
  def test_every_arm_has_the_learner_it_names(self, name):
    found = create(KNOWN[name])
    self.assertIs(type(found), learners.LEARNERS[KNOWN[name].learner])
    self.assertIs(type(found), learners.of(KNOWN[name]))
    self.assertEqual(found.arm, KNOWN[name])
    self.assertEqual(found.task, tiny.task_of('binary'))

  def test_every_kind_is_some_arm_s(self):
    found = {a.learner for a in KNOWN.values()}
    # Kernel machines are for those who ask: `ehr_linear(learner=kernel)`.
    self.assertEqual(found | {'kernel'}, set(learners.LEARNERS))

  @parameterized.parameters(*learners.LEARNERS)
  def test_what_is_searched_are_settings(self, name):
    cls = learners.LEARNERS[name]
    self.assertContainsSubset(cls.space, cls.settings)
    self.assertEqual(bool(cls.settings), bool(cls.group))


if __name__ == '__main__':
  absltest.main()
