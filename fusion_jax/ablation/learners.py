"""The learners by name, and the learner of an arm."""

import dataclasses
from collections.abc import Mapping

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import (
  classical_learners,
  learner,
  neural_learner,
  pretrained_learner,
  rule_learner,
)
from fusion_jax.core import types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config

LEARNERS: Mapping[str, type[learner.Learner]] = {
  'neural': neural_learner.Neural,
  'pretrained': pretrained_learner.Pretrained,
  'elastic_net': classical_learners.ElasticNet,
  'trees': classical_learners.Trees,
  'kernel': classical_learners.Kernel,
  'rule': rule_learner.Rule,
}


def of(arm: arm_lib.Arm) -> type[learner.Learner]:
  """What trains an arm."""
  return LEARNERS[arm.learner]


def create_learner(
  arm: arm_lib.Arm,
  task: types.Task,
  *,
  training: training_config.TrainingConfig,
  parallel: parallel_config.ParallelConfig,
) -> learner.Learner:
  """The learner of an arm, with the settings that the arm replaces."""
  cls = of(arm)
  if issubclass(cls, neural_learner.Neural):
    return cls(arm, task, dataclasses.replace(training, **arm.train), parallel)
  return cls(arm, task)
