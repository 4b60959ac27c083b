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

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps numeric, observed (b, fn) and categorical (b, fc) to (b, f)."""
    del train
    onehot = jax.nn.one_hot(inputs['categorical'], self.levels)
    return types.Hidden.of_vector(mlp.flatten(inputs, onehot))

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose only token is the pooled vector."""
    del train
    return types.Features.of_vector(hidden.x)


@protocol.encoders('table').register(
  'raw', summary='standardised columns as they are; no parameters'
)
def raw(*, levels: int) -> RawEHR:
  """The EHR side of early fusion, and of joint fusion, type II."""
  return RawEHR(levels=levels)
