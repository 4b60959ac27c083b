"""A residual MLP over the columns of a table.

Gorishniy et al. 2021, "Revisiting deep learning models for tabular data",
NeurIPS, section 3.2: x + dropout(W2 dropout(relu(W1 norm(x)))) in each block,
read out through a norm and a ReLU. What differs: layer normalisation in place
of batch normalisation, so that a study's encoding is free of the others in its
batch; and numbers may be embedded first (numbers.py), as in Gorishniy et al.
2022.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import numbers, protocol
from fusion_jax.encoders.table import mlp


class Block(nn.Module):
  """Two layers around a shortcut.

  Attributes:
    ratio: width of the hidden layer, in widths of the input.
    dropout: rate after the first layer; after the second there is none.
  """

  ratio: int
  dropout: float

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (b, c) to the same shape."""
    c = hidden.x.shape[-1]
    x = nn.relu(nn.Dense(self.ratio * c)(nn.LayerNorm()(hidden.x)))
    x = nn.Dropout(self.dropout, deterministic=not train)(x)
    return hidden.replace(x=hidden.x + nn.Dense(c)(x))


class ResNet(nn.Module):
  """Columns side by side, residual blocks.

  Attributes:
    levels: codes a categorical column can take.
    width: of the blocks and of the pooled features.
    depth: blocks, each of them a stage.
    embedding: size of a category's and of a number's embedding.
    dropout: rate within blocks.
    numeric: how numbers are embedded; if plain they enter as they are.
  """

  levels: int
  width: int
  depth: int
  embedding: int
  dropout: float
  numeric: numbers.How

  def setup(self):
    self.embed = mlp.Embedding(self.levels, self.embedding)
    if self.numeric != 'plain':
      self.numbers = numbers.Numbers(self.numeric, self.embedding)
    self.first = nn.Dense(self.width)
    self.stages = [Block(2, self.dropout) for _ in range(self.depth)]
    self.last = nn.LayerNorm()

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps f numbers and categories to hidden (b, width)."""
    del train
    x = mlp.flatten(inputs, self.embed(inputs['categorical']))
    if self.numeric != 'plain':
      made = self.numbers(inputs)
      x = jnp.concatenate([x, made.reshape(len(x), -1)], axis=-1)
    return types.Hidden.of_vector(self.first(x))

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose only token is the pooled vector."""
    del train
    return types.Features.of_vector(nn.relu(self.last(hidden.x)))


@protocol.encoders('table').register(
  'resnet', summary='residual MLP (Gorishniy et al. 2021)'
)
def resnet(
  *,
  levels: int,
  width: int = 64,
  depth: int = 2,
  embedding: int = 8,
  dropout: float = 0.2,
  numeric: numbers.How = 'plain',
) -> ResNet:
  """`numeric` is plain, periodic or piecewise."""
  arguments.at_least_one(
    'resnet', width=width, depth=depth, embedding=embedding
  )
  arguments.rate('resnet', dropout=dropout)
  return ResNet(levels, width, depth, embedding, dropout, numeric)
