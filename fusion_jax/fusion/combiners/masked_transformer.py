"""A transformer over one token a modality, in which the absent are masked.

Masked self-attention (Vaswani et al. 2017, section 3.2.3) over modalities, as
Caruso et al. 2024, "MARIA: a multimodal transformer model for incomplete
healthcare data" (arXiv 2412.14810), have it in place of imputation: nothing
attends to what a study lacks, and nothing of it is aggregated, so that it
neither counts nor has a gradient.

What differs: their encoders are masked transformers over a table's columns,
here any encoder stands before it and gives one token; the mask is the usual one
of keys; a learnt query attends to the tokens at the end, so that the share of
each modality can be read; and modalities are dropped in training only by the
method `modality_dropout`.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.encoders import attention as self_attention
from fusion_jax.fusion import attention, checks, protocol
from fusion_jax.fusion import tokens as tokens_lib


class MaskedTransformer(nn.Module):
  """Blocks over modality tokens, a query that attends to them, a linear layer.

  Attributes:
    num_outputs: number s of logits.
    width: of the tokens.
    depth: blocks.
    heads: of their attention.
    dropout: rate.
  """

  num_outputs: int
  width: int = 64
  depth: int = 2
  heads: int = 4
  dropout: float = 0.1

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    out['attention'] (b, modalities) in sorted order: shares of the last
    query's attention, the mean over heads, 0 of what is absent.
    """
    x, here = tokens_lib.Pooled(self.width, name='embed')(features, present)
    for k in range(self.depth):
      block = self_attention.Block(
        self.heads, ratio=2, dropout=self.dropout, name=f'block_{k}'
      )
      x = block(types.Hidden(x, here), train=train).x
    query = self.param('query', nn.initializers.normal(0.02), (1, self.width))
    query = jnp.broadcast_to(query, (len(x), *query.shape)).astype(x.dtype)
    y, weights = attention.CrossBlock(
      self.heads, dropout=self.dropout, name='last'
    )(query, x, here, train=train)
    y = nn.LayerNorm(name='norm')(y[:, 0])
    logits = nn.Dense(self.num_outputs, name='head')(y)
    return logits, {'attention': weights.mean(1)[:, 0]}


@protocol.COMBINERS.register(
  'masked_transformer',
  summary='transformer over modalities, the absent masked (MARIA, Caruso 2024)',
  interactions=True,
  missing=True,
)
def masked_transformer(
  *,
  num_outputs: int,
  width: int = 64,
  depth: int = 2,
  heads: int = 4,
  dropout: float = 0.1,
) -> MaskedTransformer:
  """For many modalities of which most are absent."""
  checks.attention(
    'masked_transformer', width=width, heads=heads, dropout=dropout
  )
  checks.at_least_one('masked_transformer', depth=depth)
  return MaskedTransformer(num_outputs, width, depth, heads, dropout)
