"""A minute's run that shows whether all works; its numbers mean little."""

import dataclasses

from fusion_jax.ablation import config
from fusion_jax.launch.configs import default


def get_config() -> config.ExperimentConfig:
  """Few studies, small images, two folds, three epochs."""
  base = default.get_config()
  return dataclasses.replace(
    base,
    cohort=dataclasses.replace(base.cohort, n=240, image_size=16),
    splits=dataclasses.replace(base.splits, folds=2),
    training=dataclasses.replace(
      base.training, epochs=3, least_steps=0, least_patience=0
    ),
    small_below=0,
  )
