"""A multilayer perceptron over a given vector."""

import flax.linen as nn

from fusion_jax.core import arguments, types
from fusion_jax.encoders import dense, protocol


class MLP(nn.Module):
  """Hidden layers of one width.

  Attributes:
    width: of the hidden layers and of the pooled features.
    depth: hidden layers.
    dropout: rate after each of them.
  """

  width: int = 64
  depth: int = 2
  dropout: float = 0.5

  def setup(self):
    self.stages = [
      dense.Dense(self.width, self.dropout) for _ in range(self.depth)
    ]

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """The vector itself, (b, c)."""
    del train
    return types.Hidden.of_vector(inputs['vector'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose only token is the pooled vector."""
    del train
    return types.Features.of_vector(hidden.x)


@protocol.encoders('vector').register(
  'mlp', summary='MLP over the vector', default=True
)
def mlp(*, width: int = 64, depth: int = 2, dropout: float = 0.5) -> MLP:
  """The default encoder of vectors."""
  arguments.at_least_one('mlp', width=width, depth=depth)
  arguments.rate('mlp', dropout=dropout)
  return MLP(width, depth, dropout)
