"""The gated multimodal unit.

Arevalo et al. 2017, "Gated multimodal units for information fusion", ICLR
workshop, section 3.1: h = z tanh(W_v x_v) + (1 - z) tanh(W_t x_t) with
z = sigmoid(W_z [x_v, x_t]).

What differs: the gates of n modalities are a softmax, which for two are z and
1 - z; it is taken over the modalities that a study has, so that one it lacks
has no share.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import attention, protocol


class Gated(nn.Module):
  """A sum of one hidden vector a modality, weighted by gates that see all.

  Attributes:
    num_outputs: number s of logits.
    width: of the hidden vectors.
    dropout: rate on their sum.
  """

  num_outputs: int
  width: int = 64
  dropout: float = 0.5

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out); out['gates'] (b, modalities, width).

    Modalities are in sorted order; gates add up to 1 over them.
    """
    names = sorted(features)
    everything = protocol.concatenate(features, present)
    hidden = jnp.stack(
      [
        jnp.tanh(
          nn.Dense(self.width, use_bias=False, name=f'hidden_{m}')(
            features[m].pooled
          )
        )
        for m in names
      ],
      axis=1,
    )  # (b, m, width)
    scores = nn.Dense(len(names) * self.width, name='gates')(everything)
    scores = scores.reshape(-1, len(names), self.width)  # (b, m, width)
    here = jnp.stack([present[m] for m in names], axis=1)[..., None]
    gates = attention.shares(scores, here, axis=1)
    x = jnp.einsum('bmc,bmc->bc', gates, hidden)
    x = nn.Dropout(self.dropout, deterministic=not train)(x)
    return nn.Dense(self.num_outputs, name='head')(x), {'gates': gates}


@protocol.COMBINERS.register(
  'gated', summary='gated multimodal unit (Arevalo 2017)', interactions=True
)
def gated(*, num_outputs: int, width: int = 64, dropout: float = 0.5) -> Gated:
  """Gates that depend on all modalities weigh each one's hidden vector."""
  return Gated(num_outputs, width, dropout)
