"""The EHR as it is, one-hot where categorical: no parameters."""

import flax.linen as nn
import jax

from fusion_jax.core import types
from fusion_jax.encoders import protocol
from fusion_jax.encoders.table import mlp


class RawEHR(nn.Module):
  """Numbers, missing indicators and one-hot categories side by side.

  Attributes:
    levels: codes a categorical column can take (PreprocessConfig.max_levels).
  """

  levels: int
  stages = ()

  def stem(self, inputs, *, train: bool) -> jax.Array:
    """Maps numeric, observed (b, fn) and categorical (b, fc) to (b, f)."""
    del train
    onehot = jax.nn.one_hot(inputs['categorical'], self.levels)
    return mlp.flatten(inputs, onehot)

  def readout(self, hidden, inputs, *, train: bool) -> types.Features:
    """Features whose only token is the pooled vector."""
    del inputs, train
    return types.Features.of_vector(hidden)


@protocol.TABLE.register(
  'raw', summary='standardised columns as they are; no parameters'
)
def raw(*, levels: int) -> RawEHR:
  """The EHR side of early fusion, and of joint fusion, type II."""
  return RawEHR(levels=levels)
