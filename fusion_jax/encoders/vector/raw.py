"""A vector as it is, such as an image already reduced: no parameters."""

import flax.linen as nn

from fusion_jax.core import types
from fusion_jax.encoders import protocol


class RawVector(nn.Module):
  """Passes the (b, q) vector on as its features."""

  stages = ()

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """The vector itself, (b, q)."""
    del train
    return types.Hidden.of_vector(inputs['vector'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features with the vector as pooled value and as the only token."""
    del train
    return types.Features.of_vector(hidden.x)


@protocol.encoders('vector').register(
  'raw', summary='the vector as it is; no parameters'
)
def raw() -> RawVector:
  """Reduced pixels in early fusion, type I; frozen features in type II."""
  return RawVector()
