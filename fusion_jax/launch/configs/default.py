"""All arms on the built-in `complementary` world."""

import dataclasses

from fusion_jax.ablation import config


def get_config() -> config.ExperimentConfig:
  """The main job as it is without flags: some four minutes on two cores."""
  base = config.ExperimentConfig()
  return dataclasses.replace(
    base, training=dataclasses.replace(base.training, epochs=20)
  )
