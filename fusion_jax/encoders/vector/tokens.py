"""A vector as several tokens, for combiners that attend to tokens.

Each token is a linear map of the whole vector, as the image prefix of
Tsimpoukelli et al. 2021, "Multimodal few-shot learning with frozen language
models", NeurIPS, section 3.1, which makes n tokens of one embedding.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import attention, protocol


class Tokens(nn.Module):
  """Tokens, transformer blocks, and their mean.

  Attributes:
    number: of tokens.
    width: of the tokens and of the pooled features.
    depth: blocks, each of them a stage.
    heads: of each block's attention.
    dropout: rate.
  """

  number: int
  width: int
  depth: int
  heads: int
  dropout: float

  def setup(self):
    self.first = nn.DenseGeneral((self.number, self.width))
    self.stages = [
      attention.Block(self.heads, 2, self.dropout) for _ in range(self.depth)
    ]
    self.last = nn.LayerNorm()

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps a vector (b, c) to hidden (b, number, width)."""
    del train
    x = self.first(inputs['vector'])
    return types.Hidden(x, jnp.ones(x.shape[:2], bool))

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose pooled vector is the mean of the tokens."""
    del train
    hidden = hidden.replace(x=self.last(hidden.x))
    return types.Features(
      pooled=hidden.pooled(), tokens=hidden.x, token_mask=hidden.mask
    )


@protocol.encoders('vector').register(
  'tokens', summary='the vector as several tokens'
)
def tokens(
  *,
  number: int = 4,
  width: int = 64,
  depth: int = 1,
  heads: int = 4,
  dropout: float = 0.1,
) -> Tokens:
  """`number` of tokens; `width` is a multiple of `heads`."""
  arguments.attention('tokens', width=width, heads=heads)
  arguments.at_least_one('tokens', number=number, depth=depth)
  arguments.rate('tokens', dropout=dropout)
  return Tokens(number, width, depth, heads, dropout)
