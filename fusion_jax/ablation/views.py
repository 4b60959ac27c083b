"""What models get of a modality, by its kind and by how an arm sees it.

This file is in the closure of every arm (keys.py): it holds what changes
results, and nothing that lists or checks arms.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

if typing.TYPE_CHECKING:
  from fusion_jax.ablation import arm as arm_lib
  from fusion_jax.ablation import learner as learner_lib

# As the preprocessing gives it.
RAW = 'raw'
# Reduced to a short vector by the preprocessing, which sees no label.
REDUCED = 'reduced'
# What the frozen encoder of an upstream arm makes of it.
FEATURES = 'features'
# What an arm predicts from it.
LOGITS = 'logits'
ALL = (RAW, REDUCED, FEATURES, LOGITS)
# Those that stand on another arm.
UPSTREAM = (FEATURES, LOGITS)
# Those that are vectors, whatever the kind of the modality.
VECTORS = (REDUCED, FEATURES)

# By kind and view, the fields of `batches.Source` that a network reads.
NETWORK: Mapping[
  tuple[str, str], Callable[[learner_lib.Inputs], dict[str, Any]]
] = {
  ('image', RAW): lambda seen: {'image_stats': seen.fitted.image_stats},
  ('image', REDUCED): lambda seen: {
    'image_vector': seen.fitted.pixels(seen.cohort).astype(np.float32)
  },
  ('table', RAW): lambda seen: {'ehr': seen.fitted.ehr(seen.cohort)},
}
# By kind, (n, q) float64 vectors that the preprocessing reduces it to.
REDUCE: Mapping[str, Callable[[learner_lib.Inputs], np.ndarray]] = {
  'image': lambda seen: seen.fitted.pixels(seen.cohort),
}


def encoder_kind(x: arm_lib.Input) -> str:
  """The kind of encoder that an input takes, a key of `protocol.ENCODERS`."""
  return 'vector' if x.view in VECTORS else x.kind


def given(x: arm_lib.Input, seen: learner_lib.Inputs) -> tuple:
  """What the library gives the builder of an input's encoder."""
  if x.kind == 'table' and x.view == RAW:
    return (('levels', seen.fitted.config.max_levels),)
  return ()


def of_network(
  modality: str, x: arm_lib.Input, seen: learner_lib.Inputs, half: int
) -> dict[str, Any]:
  """The fields of `batches.Source` that the model of a half reads."""
  if x.view == FEATURES:
    return {'image_features': seen.features[modality][half]}
  return NETWORK[x.kind, x.view](seen)


def vectors(
  modality: str, x: arm_lib.Input, seen: learner_lib.Inputs, half: int
) -> np.ndarray:
  """(n, q) float64: reduced inputs, or features of the half's encoder."""
  if x.view == FEATURES:
    return seen.features[modality][half].astype(np.float64)
  return REDUCE[x.kind](seen)
