"""A multilayer perceptron over numbers, missing indicators and embeddings."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import dense, protocol


def flatten(inputs, embedded: jax.Array) -> jax.Array:
  """(b, f) numbers, missing indicators and `embedded` (b, fc, e) categories.

  A number that was not observed enters as 0 whatever it holds.
  """
  observed = inputs['observed'].astype(jnp.float32)
  numeric = jnp.where(observed > 0, inputs['numeric'], 0.0)
  b = numeric.shape[0]
  return jnp.concatenate(
    [numeric, 1.0 - observed, embedded.reshape(b, -1)], axis=-1
  )


class Embedding(nn.Module):
  """One table of embeddings a column."""

  levels: int
  size: int

  @nn.compact
  def __call__(self, codes: jax.Array) -> jax.Array:
    """Maps (b, fc) codes to (b, fc, size)."""
    columns = codes.shape[1]
    if not columns:  # An empty table could not be saved.
      return jnp.zeros((codes.shape[0], 0, self.size))
    table = self.param(
      'table',
      nn.initializers.normal(0.3),
      (columns, self.levels, self.size),
    )
    return table[jnp.arange(columns)[None, :], codes]


class MLP(nn.Module):
  """Two hidden layers; each category has an embedding of its own.

  Attributes:
    levels: codes a categorical column can take (PreprocessConfig.max_levels).
    width: of the hidden layers and of the pooled features.
    embedding: size of a category's embedding.
    dropout: rate after each hidden layer.
  """

  levels: int
  width: int = 64
  embedding: int = 8
  dropout: float = 0.5

  def setup(self):
    self.embed = Embedding(self.levels, self.embedding)
    self.first = dense.Dense(self.width, self.dropout)
    self.stages = [dense.Dense(self.width, self.dropout)]

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps numeric, observed (b, fn) and categorical (b, fc) to (b, width)."""
    embedded = self.embed(inputs['categorical'])
    x = flatten(inputs, embedded)
    return self.first(types.Hidden.of_vector(x), train=train)

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose only token is the pooled vector."""
    del train
    return types.Features.of_vector(hidden.x)


@protocol.encoders('table').register(
  'mlp',
  summary='MLP with categorical embeddings and missing indicators',
  default=True,
)
def mlp(
  *, levels: int, width: int = 64, embedding: int = 8, dropout: float = 0.5
) -> MLP:
  """The default encoder of tables."""
  arguments.at_least_one('mlp', width=width, embedding=embedding)
  arguments.rate('mlp', dropout=dropout)
  return MLP(levels, width, embedding, dropout)
