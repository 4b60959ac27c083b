"""Tests of which learner an arm gets."""

from absl.testing import absltest, parameterized

from fusion_jax.ablation import (
  arms,
  classical_learners,
  learners,
  neural_learner,
)
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from tests import tiny

_KINDS = {
  arms.NEURAL: neural_learner.Neural,
  arms.ELASTIC_NET: classical_learners.ElasticNet,
  arms.TREES: classical_learners.Trees,
  arms.RULE: classical_learners.Rule,
}


class LearnersTest(parameterized.TestCase):
  @parameterized.parameters(*arms.ARMS)
  def test_every_arm_has_the_learner_it_names(self, name):
    arm, task = arms.ARMS[name], tiny.task_of('binary')
    found = learners.create_learner(
      arm,
      task,
      training=training_config.TrainingConfig(),
      parallel=parallel_config.ParallelConfig(),
    )
    self.assertIs(type(found), _KINDS[arm.learner])
    self.assertEqual((found.arm, found.task), (arm, task))

  def test_every_kind_is_some_arm_s(self):
    self.assertEqual({a.learner for a in arms.ARMS.values()}, set(_KINDS))
    self.assertEqual(set(arms.LEARNERS), set(_KINDS))


if __name__ == '__main__':
  absltest.main()
