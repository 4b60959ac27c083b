"""Low-rank multimodal fusion.

Liu et al. 2018, "Efficient low-rank multimodal fusion with modality-specific
factors", ACL, section 3.2: the weights of a linear layer on the outer product
of all [x_m, 1] are a sum of `rank` outer products of factors w_m, so that the
layer is h = sum_i prod_m (w_m^(i) [x_m, 1]) and the tensor is never made.

What differs: the sum over i has a weight for each i and a bias, and products
come before the sum, as in the authors' code; a modality that a study lacks is
left out of the product; h is followed by a linear layer.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import checks, protocol

_FACTOR = nn.initializers.variance_scaling(
  1.0, 'fan_in', 'truncated_normal', in_axis=1, out_axis=2, batch_axis=0
)


class LowRank(nn.Module):
  """Products of one linear map a modality, summed over ranks.

  Attributes:
    num_outputs: number s of logits.
    width: of h.
    rank: number of products that are summed.
    dropout: rate on h.
  """

  num_outputs: int
  width: int = 32
  rank: int = 4
  dropout: float = 0.5

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out); out['fused'] (b, width) is h."""
    product = 1.0
    for m in sorted(features):
      x = features[m].pooled
      x = jnp.concatenate([x, jnp.ones_like(x[:, :1])], axis=1)
      factor = self.param(
        f'factor_{m}', _FACTOR, (self.rank, x.shape[1], self.width)
      )
      mapped = jnp.einsum('bc,rcw->brw', x, factor)
      product *= jnp.where(present[m][:, None, None], mapped, 1)
    weights = self.param(
      'weights', nn.initializers.normal(self.rank**-0.5), (self.rank,)
    )
    bias = self.param('bias', nn.initializers.zeros, (self.width,))
    fused = jnp.einsum('r,brw->bw', weights, product) + bias
    x = nn.Dropout(self.dropout, deterministic=not train)(fused)
    return nn.Dense(self.num_outputs, name='head')(x), {'fused': fused}


@protocol.COMBINERS.register(
  'lmf', summary='low-rank tensor fusion (Liu 2018)', interactions=True
)
def lmf(
  *, num_outputs: int, width: int = 32, rank: int = 4, dropout: float = 0.5
) -> LowRank:
  """Products of all modalities; its size grows with their number, not more."""
  checks.at_least_one('lmf', width=width, rank=rank)
  checks.rate('lmf', dropout=dropout)
  return LowRank(num_outputs, width, rank, dropout)
