"""The largest probability that any modality gives to a class.

Kittler et al. 1998, "On combining classifiers", IEEE TPAMI 20(3), equation 16
with equal priors, divided by the sum over classes; of each label of a
multilabel task, over its two.
"""

import dataclasses

import numpy as np
from scipy import special

from fusion_jax.core import types
from fusion_jax.fusion import late


@dataclasses.dataclass(frozen=True)
class Maximum(late.Rule):
  """Estimates nothing, unless it is recalibrated."""

  recalibrated: bool = False

  tasks = late.CLASSES
  interactions = True

  def fuse(self, fitted, values, here):
    here = here[:, :, None]
    if fitted.task.kind == types.MULTICLASS:
      found = special.log_softmax(values, axis=2)
      return np.where(here, found, -np.inf).max(axis=0, initial=-1e3)
    high = np.where(here, values, -np.inf).max(axis=0, initial=-1e3)
    low = np.where(here, values, np.inf).min(axis=0, initial=1e3)
    return special.log_expit(high) - special.log_expit(-low)


@late.RULES.register('max', summary='largest probability', missing=True)
def maximum(*, recalibrated: bool = False) -> Maximum:
  """The modality that is surest of a class decides on it."""
  return Maximum(recalibrated)
