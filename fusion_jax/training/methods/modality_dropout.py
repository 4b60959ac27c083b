"""Takes modalities from training studies at random.

Neverova et al. 2016, "ModDrop: adaptive multi-modal gesture recognition", IEEE
TPAMI 38(8), section 3.2: a model that has learnt without one of its inputs
leans less on any of them, and predicts where one is missing.
"""

import dataclasses

import jax
import jax.numpy as jnp

from fusion_jax.core import errors, types
from fusion_jax.training import protocol


@dataclasses.dataclass(frozen=True)
class ModalityDropout(protocol.Method):
  """Takes each modality of a study with a probability, but never all.

  Attributes:
    modalities: of the model.
    rate: the probability.
  """

  modalities: tuple[str, ...]
  rate: float

  def batch(self, key: jax.Array, batch: types.Batch) -> types.Batch:
    """The batch with some modalities marked as absent."""
    names = sorted(self.modalities)
    present = jnp.stack([batch.present[m] for m in names], axis=1)  # (b, k)
    draws = jax.vmap(
      lambda row: jax.random.uniform(
        jax.random.fold_in(key, row), (len(names),)
      )
    )(batch.row)
    # The one that was nearest to staying stays if none else does.
    chance = jnp.where(present, draws, -1.0)
    keep = (draws >= self.rate) | (chance == chance.max(1, keepdims=True))
    kept = {m: present[:, k] & keep[:, k] for k, m in enumerate(names)}
    return batch.replace(present={**batch.present, **kept})


@protocol.METHODS.register(
  'modality_dropout',
  summary='takes modalities from studies at random',
  missing=True,
)
def modality_dropout(
  *, modalities: tuple[str, ...], rate: float = 0.25
) -> ModalityDropout:
  """`rate` is the probability, from 0 to 1, for each modality of a study."""
  if not 0 <= rate <= 1:
    raise errors.UserError(
      f'modality_dropout(rate={rate:g}): expected a number from 0 to 1.'
    )
  return ModalityDropout(modalities, rate)
