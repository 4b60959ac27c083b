"""A classifier for each modality, which is given more layers where it is weak.

Jiang et al. 2025, "Rethinking multimodal learning from the perspective of
mitigating classification ability disproportion", NeurIPS (AUG): each modality
is classified by a layer of its own and a head that all share. To the logits of
one that lags are added those of further layers into the same head, each of
which learns what the ones before it leave wrong (sustained boosting). The
prediction is a mean of the modalities' logits.

What differs: the layers, up to `most` for each modality, are there from the
first and have gates, which the training method `aug` opens one after the other;
without it all stay closed. All modalities have equal shares in the mean, taken
over those that a study has. Layers of one width in place of 256.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import checks, protocol

# The collection of which layers count, 0 or 1, by modality.
GATES = 'gates'


class AUG(nn.Module):
  """Layers for each modality, and one head.

  Attributes:
    num_outputs: number s of logits.
    width: of the layers.
    most: further layers of a modality.
  """

  num_outputs: int
  width: int = 64
  most: int = 4

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    out['boosted'] holds by modality (b, 3, s) logits: of all its open layers,
    of all but the last, and of the last; out['opened'] the (b,) 1 if it has
    more than the first, else 0.
    """
    del train
    head = nn.Dense(self.num_outputs, name='head')
    boosted, opened = {}, {}
    for m in sorted(features):
      x = features[m].pooled
      gates = self.variable(
        GATES, m, lambda: jnp.zeros(self.most, jnp.float32)
      ).value.astype(x.dtype)
      first = head(nn.relu(nn.Dense(self.width, name=f'first_{m}')(x)))
      more = jnp.stack(
        [
          head(nn.relu(nn.Dense(self.width, name=f'more_{k}_{m}')(x)))
          for k in range(self.most)
        ],
        axis=1,
      )  # (b, most, s)
      whole = first + jnp.einsum('bks,k->bs', more, gates)
      # Gates open in order: the last open one is followed by a closed one.
      ends = gates - jnp.append(gates[1:], jnp.zeros(1, gates.dtype))
      last = jnp.einsum('bks,k->bs', more, ends)
      boosted[m] = jnp.stack([whole, whole - last, last], axis=1)
      opened[m] = jnp.broadcast_to(gates[0], (len(x),))
    total, number = 0.0, 0
    for m, x in boosted.items():
      here = present[m][:, None]
      total += jnp.where(here, x[:, 0], 0)
      number += here.astype(total.dtype)
    return total / jnp.maximum(number, 1), {
      'boosted': boosted,
      'opened': opened,
    }


@protocol.COMBINERS.register(
  'aug',
  summary='a boosted classifier for each modality (AUG, Jiang 2025)',
  interactions=False,
)
def aug(*, num_outputs: int, width: int = 64, most: int = 4) -> AUG:
  """Meant with the training method of the same name."""
  checks.at_least_one('aug', width=width, most=most)
  return AUG(num_outputs, width, most)
