"""The weighted mean evidence of the modalities that a study has.

A modality's weight is its skill, 1 - loss / loss of the best constant
prediction, on the validation studies that have it, not below 0; weights are
divided by their sum over the modalities that a study has; all are equal where
all are 0.
"""

import dataclasses

import numpy as np

from fusion_jax.core import links
from fusion_jax.fusion import evidence, late


@dataclasses.dataclass(frozen=True)
class Weighted(evidence.Average):
  """Weighs by skill."""

  def weights(self, given):
    skills = [
      _skill(given.task, v[rows], given.labels[rows], given.weight[rows])
      for v, rows in zip(given.values, given.here, strict=True)
    ]
    if not any(skills):
      return super().weights(given)
    return np.array(skills) / sum(skills)


def _skill(task, logits, labels, weight):
  """1 - loss / loss of the best constant, at least 0; 0 where undefined."""
  constant = links.constant_logits(task, labels, weight)
  loss = links.mean_loss(task, logits, labels, weight)
  base = links.mean_loss(
    task, np.tile(constant, (len(logits), 1)), labels, weight
  )
  return max(0.0, 1 - loss / base) if base > 0 and np.isfinite(loss) else 0.0


@late.RULES.register('weighted', summary='weighted mean evidence', missing=True)
def weighted(*, recalibrated: bool = False) -> Weighted:
  """Estimates one weight for each modality."""
  return Weighted(recalibrated)
