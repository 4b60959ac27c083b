"""The learner of an arm, whatever kind it is."""

from fusion_jax.ablation import arms as arms_lib
from fusion_jax.ablation import classical_learners, learner, neural_learner
from fusion_jax.core import types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config


def create_learner(
  arm: arms_lib.ArmConfig,
  task: types.Task,
  *,
  training: training_config.TrainingConfig,
  parallel: parallel_config.ParallelConfig,
) -> learner.Learner:
  """The learner of an arm."""
  if arm.learner == arms_lib.NEURAL:
    return neural_learner.Neural(arm, task, training, parallel)
  kinds = {
    arms_lib.ELASTIC_NET: classical_learners.ElasticNet,
    arms_lib.TREES: classical_learners.Trees,
    arms_lib.RULE: classical_learners.Rule,
  }
  return kinds[arm.learner](arm, task)
