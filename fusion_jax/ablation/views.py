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
# What the frozen encoder of an upstream arm makes of it.
FEATURES = 'features'
# What an arm predicts from it.
LOGITS = 'logits'
ALL = (RAW, REDUCED, FEATURES, LOGITS)
# Those that stand on another arm.
UPSTREAM = (FEATURES, LOGITS)
# Those that are vectors, whatever the kind of the modality.
VECTORS = (REDUCED, FEATURES)


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
  if x.view == FEATURES:
    return seen.features[modality][half].astype(np.float64)
  return seen.fitted.columns(seen.cohort, modality, learner).x
