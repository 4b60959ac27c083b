"""FT-Transformer: a transformer over the columns of a table.

Gorishniy et al. 2021, "Revisiting deep learning models for tabular data",
NeurIPS, section 3.3: every column is a token, a class token is read out, blocks
are pre-normalised but for the first one's attention, and the MLP is ReGLU. What
differs: a number that is missing and a category that is missing or unseen have
tokens of their own, the numbers' own embeddings can be chosen (numbers.py), and
no dropout is on the shortcuts (rate 0 in the paper's default).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import numbers, protocol
from fusion_jax.encoders.table import mlp

# Of the hidden layer, in widths of a token: the paper's 4 / 3 of a ReGLU.
_RATIO = 4 / 3


class Tokens(nn.Module):
  """A class token and one token a column.

  Attributes:
    levels: codes a categorical column can take.
    width: of the tokens.
    numeric: how numbers are embedded.
  """

  levels: int
  width: int
  numeric: numbers.How

  @nn.compact
  def __call__(self, inputs) -> jax.Array:
    """Maps f numbers and categories to (b, 1 + f, width)."""
    number = numbers.Numbers(self.numeric, self.width)(inputs)
    level = mlp.Embedding(self.levels, self.width)(inputs['categorical'])
    b, categories = level.shape[:2]
    if categories:
      level += self.param(
        'column', nn.initializers.normal(0.3), (categories, self.width)
      )
    first = self.param('class', nn.initializers.normal(0.3), (self.width,))
    first = jnp.broadcast_to(first, (b, 1, self.width))
    parts = [first, number, level]
    dtype = jnp.result_type(*(x for x in parts if x.shape[1]))
    return jnp.concatenate([x.astype(dtype) for x in parts], axis=1)


class Block(nn.Module):
  """Self-attention and a ReGLU MLP, each around a shortcut.

  Attributes:
    heads: of the attention.
    dropout: rate in the attention; in the MLP it is half as much, as in the
      paper's default of 0.2 and 0.1.
    first: whether the attention sees the tokens as they are.
  """

  heads: int
  dropout: float
  first: bool

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (b, t, c) to the same shape."""
    x = hidden.x
    width = x.shape[-1]
    y = x if self.first else nn.LayerNorm()(x)
    x += nn.MultiHeadDotProductAttention(
      self.heads, dropout_rate=self.dropout, deterministic=not train
    )(y)
    y = nn.Dense(2 * int(_RATIO * width))(nn.LayerNorm()(x))
    value, gate = jnp.split(y, 2, axis=-1)
    y = nn.Dropout(self.dropout / 2, deterministic=not train)(
      value * nn.relu(gate)
    )
    return hidden.replace(x=x + nn.Dense(width)(y))


class FTTransformer(nn.Module):
  """Column tokens, blocks, the class token through a norm and a ReLU.

  Attributes:
    levels: codes a categorical column can take.
    width: of the tokens and of the pooled features.
    depth: blocks, each of them a stage.
    heads: of each block's attention.
    dropout: rate in the attention.
    numeric: how numbers are embedded.
  """

  levels: int
  width: int
  depth: int
  heads: int
  dropout: float
  numeric: numbers.How

  def setup(self):
    self.tokens = Tokens(self.levels, self.width, self.numeric)
    self.stages = [
      Block(self.heads, self.dropout, first=not k) for k in range(self.depth)
    ]
    self.last = nn.LayerNorm()

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps f columns to hidden (b, 1 + f, width)."""
    del train
    x = self.tokens(inputs)
    # A missing value is a token too: that it is missing may tell something.
    return types.Hidden(x, jnp.ones(x.shape[:2], bool))

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose tokens are the columns."""
    del train
    x = self.last(hidden.x)
    return types.Features(
      pooled=nn.relu(x[:, 0]), tokens=x[:, 1:], token_mask=hidden.mask[:, 1:]
    )


@protocol.encoders('table').register(
  'ft_transformer',
  summary='transformer over columns (Gorishniy et al. 2021)',
)
def ft_transformer(
  *,
  levels: int,
  width: int = 192,
  depth: int = 3,
  heads: int = 8,
  dropout: float = 0.2,
  numeric: numbers.How = 'plain',
) -> FTTransformer:
  """The paper's default; `numeric` is plain, periodic or piecewise."""
  arguments.attention('ft_transformer', width=width, heads=heads)
  arguments.at_least_one('ft_transformer', depth=depth)
  arguments.rate('ft_transformer', dropout=dropout)
  return FTTransformer(levels, width, depth, heads, dropout, numeric)
