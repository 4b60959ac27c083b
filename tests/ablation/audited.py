"""A cohort to audit, whose facts say nothing of its label."""

import functools

import numpy as np

from fusion_jax.ablation import audit_config, audits
from fusion_jax.core import types
from fusion_jax.data import config as data_config
from fusion_jax.data import splits
from fusion_jax.evaluation import config as evaluation_config
from tests import tiny

N = 300


@functools.cache
def clean(kind=types.BINARY):
  """A cohort whose names, order, groups and gaps say nothing of the label."""
  data = tiny.cohort(N, kind=kind, seed=3, images=2)
  rng = np.random.default_rng(5)
  images = rng.integers(0, 256, tiny.images(data).shape, dtype=np.uint8)
  return tiny.changed(
    data,
    images=images,
    groups={'sex': rng.choice(['f', 'm'], N)},
    site=rng.choice(['a', 'b', 'c'], N),
  )


def audit(data, *names, folder=None, **options):
  options = {'permutations': 2, **options}
  return audits.run(
    data,
    splits.make_splits(data, data_config.SplitConfig(folds=2)),
    config=audit_config.AuditsConfig(names=names or ('all',), **options),
    evaluation=evaluation_config.EvaluationConfig(replicates=200),
    preprocessing=data_config.PreprocessConfig(pixel_components=4),
    folder=folder,
  )


def positive(data):
  return data.labels[:, 0] > 0
