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
    return nn.relu(self.first(self.norm(x, inputs['present'], train=train)))

  def readout(self, hidden, inputs, *, train: bool):
    del inputs, train
    return types.Features.of_vector(hidden)


@protocol.TABLE.register('normalised', summary='batch statistics, for tests')
def normalised(*, axis_name: str | None, width: int = 8) -> Normalised:
  return Normalised(axis_name, width)
