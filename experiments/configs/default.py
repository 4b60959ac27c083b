"""All arms on the built-in `complementary` world."""

from fusion_jax.ablation import config


def get_config() -> config.ExperimentConfig:
  """The main job as it is without flags."""
  return config.ExperimentConfig()
