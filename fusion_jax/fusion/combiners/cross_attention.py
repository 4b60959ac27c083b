"""Cross-attention of each modality's tokens to each other's.

Tsai et al. 2019, "Multimodal transformer for unaligned multimodal language
sequences", ACL, section 3.1: for each ordered pair, tokens of the one are
queries, those of the other keys and values, in blocks around shortcuts. For two
modalities it is attention in both directions, as in Lu et al. 2019, "ViLBERT",
NeurIPS.

What differs: tokens are those of the encoders, by a linear layer, without
convolutions and positions before it; what a modality became beside each other
one is averaged over its tokens instead of passed through one more transformer,
and all averages go into one linear layer. Where the other is absent, a modality
stays as it is.
"""

import itertools

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.fusion import attention, checks, protocol
from fusion_jax.fusion import tokens as tokens_lib


class CrossAttention(nn.Module):
  """Blocks for each ordered pair of modalities, averages, a linear layer.

  Attributes:
    num_outputs: number s of logits.
    width: of the tokens.
    depth: blocks of each pair.
    heads: of their attention.
    dropout: rate.
  """

  num_outputs: int
  width: int = 64
  depth: int = 1
  heads: int = 4
  dropout: float = 0.1

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    out['attention'] by 'A_to_B' holds (b, t_b, t_a), to which tokens of A each
    token of B attends in the last block, the mean over heads.
    """
    tokens, masks = tokens_lib.Tokens(self.width, name='embed')(
      features, present
    )
    weights = {}
    columns = [
      types.Hidden(tokens[m], masks[m]).pooled() for m in sorted(tokens)
    ]
    for target, source in itertools.permutations(sorted(tokens), 2):
      x, pair = tokens[target], f'{source}_to_{target}'
      for k in range(self.depth):
        block = attention.CrossBlock(
          self.heads, dropout=self.dropout, name=f'{pair}_{k}'
        )
        x, shares = block(x, tokens[source], masks[source], train=train)
      weights[pair] = shares.mean(1)
      columns.append(types.Hidden(x, masks[target]).pooled())
    flags = jnp.stack([present[m] for m in sorted(present)], axis=1)
    x = jnp.concatenate([*columns, flags.astype(columns[0].dtype)], axis=1)
    x = nn.Dropout(self.dropout, deterministic=not train)(x)
    logits = nn.Dense(self.num_outputs, name='head')(x)
    return logits, {'attention': weights}


@protocol.COMBINERS.register(
  'cross_attention',
  summary='attention between tokens of each two modalities (MulT, Tsai 2019)',
  interactions=True,
)
def cross_attention(
  *,
  num_outputs: int,
  width: int = 64,
  depth: int = 1,
  heads: int = 4,
  dropout: float = 0.1,
) -> CrossAttention:
  """Of n modalities n (n - 1) stacks of blocks; `width` divides by `heads`."""
  checks.attention('cross_attention', width=width, heads=heads, dropout=dropout)
  checks.at_least_one('cross_attention', depth=depth)
  return CrossAttention(num_outputs, width, depth, heads, dropout)
