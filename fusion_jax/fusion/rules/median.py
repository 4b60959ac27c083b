"""The median evidence of the modalities that a study has.

Kittler et al. 1998, "On combining classifiers", IEEE TPAMI 20(3), section 3.5;
there of probabilities, here of what rules average (evidence.py). Of two
modalities it is their mean.
"""

import dataclasses

import numpy as np

from fusion_jax.fusion import evidence, late


@dataclasses.dataclass(frozen=True)
class Median(evidence.OfEvidence):
  """Estimates nothing but the scale of log hazards, unless recalibrated."""

  interactions = True

  def fit(self, given):
    return evidence.spread(given)

  def fuse(self, fitted, values, here):
    found = evidence.of(fitted.task, values, here, fitted.state)
    # A study without any modality is not used: let it be 0, not an empty slice.
    seen = here | ~here.any(axis=0)
    found = np.where(seen[:, :, None], found, np.nan)
    return np.nanmedian(found, axis=0)


@late.RULES.register('median', summary='median evidence', missing=True)
def median(*, recalibrated: bool = False) -> Median:
  """Of three or more modalities it is not moved by one that is far off."""
  return Median(recalibrated)
