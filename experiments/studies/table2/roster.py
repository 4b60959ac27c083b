"""Which arms stand for a strategy in an experiment that trains them."""

from collections.abc import Mapping, Sequence

from experiments.studies.table2 import claims, work
from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import external

SINGLES = ('image', 'ehr')
ARMS: Mapping[str, tuple[str, ...]] = {
  arm_lib.EARLY: ('early_pca', 'early_features', 'early_trees'),
  arm_lib.JOINT: ('joint',),
  arm_lib.LATE: ('late_mean', 'late_stack'),
}

# The configured setting on complete data, which two experiments share.
PLAIN = 'plain'


def listed(arms: Mapping[str, Sequence[str]] = ARMS) -> list[str]:
  """The single modalities and all of `arms`."""
  return [*SINGLES, *(a for s in claims.STRATEGIES for a in arms[s])]


def plain_config(at: work.Work) -> config_lib.ExperimentConfig:
  """All of ARMS in the world where the modalities complement each other."""
  return at.config('complementary', listed())


def plain(at: work.Work) -> external.Run:
  """The run of it."""
  return at.run(PLAIN, plain_config(at))
