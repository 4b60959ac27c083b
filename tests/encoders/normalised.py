"""A table encoder with batch statistics, registered for tests alone."""

import flax.linen as nn

from fusion_jax.core import types
from fusion_jax.encoders import batch_norm, protocol
from fusion_jax.encoders.table import mlp


class Normalised(nn.Module):
  """One layer on standardised columns, its inputs normalised by the batch."""

  axis_name: str | None
  width: int
  stages = ()

  def setup(self):
    self.norm = batch_norm.BatchNorm(self.axis_name)
    self.first = nn.Dense(self.width)

  def stem(self, inputs, *, train: bool):
    x = mlp.flatten(inputs, inputs['numeric'][:, :0])
    x = self.norm(x, inputs['present'], train=train)
    return types.Hidden.of_vector(nn.relu(self.first(x)))

  def readout(self, hidden, *, train: bool):
    del train
    return types.Features.of_vector(hidden.x)


@protocol.encoders('table').register(
  'normalised', summary='batch statistics, for tests'
)
def normalised(*, axis_name: str | None, width: int = 8) -> Normalised:
  return Normalised(axis_name, width)
