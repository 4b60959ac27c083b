"""Adds the loss of the combiner `reconstruction`.

Ma et al. 2021, "SMIL: multimodal learning with severely missing modality",
AAAI: where a study has several modalities, what is rebuilt of one from the
others is to be what its encoder gives, by their squared distance.

What differs: the distance is a mean over channels, and no gradient reaches the
encoder through it, which could make features easy to rebuild by making them
alike; what else differs is said of the combiner.
"""

import dataclasses

import jax
import jax.numpy as jnp

from fusion_jax.core import errors
from fusion_jax.training import protocol


@dataclasses.dataclass(frozen=True)
class Reconstruction(protocol.Method):
  """The distance of what the combiner rebuilt from what is there.

  Attributes:
    weight: beside the task's loss.
  """

  weight: float

  def losses(self, logits, out, batch, collective):
    """By 'reconstruction/MODALITY', its (sum, weight).

    Raises:
      UserError: if a model of several modalities has another combiner.
    """
    del logits, collective
    names = sorted(out['features'])
    if len(names) < 2:
      return {}  # There are no others.
    if 'rebuilt' not in out:
      raise errors.UserError(
        'reconstruction adds the loss of the combiner of this name, which a '
        f'model of {", ".join(names)} does not have: give it '
        'combiner=reconstruction.'
      )
    number = sum(batch.present[m].astype(jnp.int32) for m in names)
    found = {}
    for m in names:
      target = jax.lax.stop_gradient(out['features'][m].pooled)
      far = jnp.square(out['rebuilt'][m] - target).mean(-1)
      weight = batch.weight * (batch.present[m] & (number > 1))
      found[f'reconstruction/{m}'] = (
        self.weight * (far * weight).sum(),
        weight.sum(),
      )
    return found


@protocol.METHODS.register(
  'reconstruction',
  summary='adds the loss of the combiner reconstruction (SMIL, Ma 2021)',
  combiner='reconstruction',
  missing=True,
)
def reconstruction(*, weight: float = 1.0) -> Reconstruction:
  """`weight` is of each modality's distance beside the task's loss."""
  if not weight >= 0:
    raise errors.UserError(
      f'reconstruction(weight={weight:g}): expected a number of at least 0.'
    )
  return Reconstruction(weight)
