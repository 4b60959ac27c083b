"""What models get of a modality, by its kind and by how an arm sees it.

This file is in the closure of every arm (keys.py): it holds what changes
results, and nothing that lists or checks arms.
"""

from __future__ import annotations

import typing
from typing import Any

import numpy as np

from fusion_jax.data import kind as kinds
from fusion_jax.training import batches

if typing.TYPE_CHECKING:
  from fusion_jax.ablation import arm as arm_lib
  from fusion_jax.ablation import learner as learner_lib

# As the preprocessing gives it.
RAW = 'raw'
# Reduced to a short vector by the preprocessing, which sees no label.
REDUCED = 'reduced'
# What the frozen encoder of an upstream arm makes of it, which was trained on
# one half of the training part.
FEATURES = 'features'
# Likewise of one with published weights, which no study of the cohort formed.
PRETRAINED = 'pretrained'
# What an arm predicts from it.
LOGITS = 'logits'
ALL = (RAW, REDUCED, FEATURES, PRETRAINED, LOGITS)
# Those that another arm's encoder gives.
ENCODED = (FEATURES, PRETRAINED)
# Those that stand on another arm.
UPSTREAM = (*ENCODED, LOGITS)
# Those that are vectors, whatever the kind of the modality.
VECTORS = (REDUCED, *ENCODED)


def encoder_kind(x: arm_lib.Input) -> str:
  """The kind of encoder that an input takes, see `protocol.encoders`."""
  return 'vector' if x.view in VECTORS else x.kind


def given(
  modality: str, x: arm_lib.Input, seen: learner_lib.Inputs
) -> tuple[tuple[str, Any], ...]:
  """What the library gives the builder of an input's encoder."""
  if x.view in VECTORS:
    return ()
  fitted = seen.fitted
  return tuple(fitted.kind(modality).given(fitted.fits[modality]).items())


def of_network(
  modality: str, x: arm_lib.Input, seen: learner_lib.Inputs, half: int
) -> batches.Part:
  """What the model of a half reads of a modality."""
  if x.view in VECTORS:
    values = vectors(modality, x, seen, half, kinds.LINEAR)
    kind = batches.FEATURES if x.view == FEATURES else batches.VECTOR
    return batches.Part(kind, vector=values.astype(np.float32))
  fitted = seen.fitted
  return batches.Part(
    fitted.kinds[modality],
    derived=fitted.derived(seen.cohort, modality),
    constants=fitted.kind(modality).constants(fitted.fits[modality]),
  )


def encoded(modality: str, seen: learner_lib.Inputs, half: int) -> np.ndarray:
  """(n, c) float32 features that the model of a half sees.

  An encoder that no study formed is the same for both.
  """
  found = seen.features[modality]
  return found[half if len(found) > 1 else 0]


def vectors(
  modality: str,
  x: arm_lib.Input,
  seen: learner_lib.Inputs,
  half: int,
  learner: str,
) -> np.ndarray:
  """(n, q) float64: reduced inputs, or features of the half's encoder.

  Args:
    modality: its name.
    x: how it is seen; one of VECTORS.
    seen: what the arm is given.
    half: of the arm's models.
    learner: `kind.LINEAR` or `kind.TREES`.
  """
  if x.view in ENCODED:
    return encoded(modality, seen, half).astype(np.float64)
  return seen.fitted.columns(seen.cohort, modality, learner).x
