"""A bilinear form of each pair of modalities.

Tenenbaum and Freeman 2000, "Separating style and content with bilinear models",
Neural Computation 12(6), the symmetric model of section 2: what is observed is
y_k = sum_ij w_ijk a_i b_j of two factors a and b.

What differs: the factors are not free parameters but linear maps of the
modalities' features, of `width` numbers, so that the forms stay small; each
modality's linear term is added; of n modalities each pair has a form, and no
three interact.
"""

import itertools

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import checks, protocol

_FORM = nn.initializers.variance_scaling(
  1.0, 'fan_in', 'truncated_normal', in_axis=(1, 2), out_axis=0
)


class Bilinear(nn.Module):
  """Linear terms and the pairs' bilinear forms, without any nonlinearity.

  Attributes:
    num_outputs: number s of logits.
    width: of each modality's factor.
    dropout: rate on the factors.
  """

  num_outputs: int
  width: int = 16
  dropout: float = 0.5

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out); out['pairs'] by 'A*B' (b, s) terms."""
    drop = nn.Dropout(self.dropout, deterministic=not train)
    logits = nn.Dense(self.num_outputs, name='head')(
      protocol.concatenate(features, present)
    )
    # Without a bias, so that an absent modality has no part in any form.
    factors = {
      m: drop(
        nn.Dense(self.width, use_bias=False, name=f'factor_{m}')(
          features[m].pooled
        )
      )
      for m in sorted(features)
    }
    pairs = {}
    for a, b in itertools.combinations(sorted(features), 2):
      form = self.param(
        f'form_{a}_{b}', _FORM, (self.num_outputs, self.width, self.width)
      )
      pairs[f'{a}*{b}'] = jnp.einsum(
        'bi,sij,bj->bs', factors[a], form, factors[b]
      )
    return logits + sum(pairs.values()), {'pairs': pairs}


@protocol.COMBINERS.register(
  'bilinear',
  summary='a bilinear form of each pair (Tenenbaum and Freeman 2000)',
  interactions=True,
)
def bilinear(
  *, num_outputs: int, width: int = 16, dropout: float = 0.5
) -> Bilinear:
  """Products of two modalities' features and nothing else beyond `additive`."""
  checks.at_least_one('bilinear', width=width)
  checks.rate('bilinear', dropout=dropout)
  return Bilinear(num_outputs, width, dropout)
