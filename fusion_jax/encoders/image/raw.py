"""An image already reduced to a vector: no parameters."""

import flax.linen as nn
import jax

from fusion_jax.core import types
from fusion_jax.encoders import protocol


class RawVector(nn.Module):
  """Passes the image's (b, q) vector on as its features."""

  stages = ()

  def stem(self, inputs, *, train: bool) -> jax.Array:
    """The vector itself, (b, q)."""
    del train
    return inputs['vector']

  def readout(self, hidden, inputs, *, train: bool) -> types.Features:
    """Features with the vector as pooled value and as the only token."""
    del inputs, train
    return types.Features.of_vector(hidden)


@protocol.IMAGE_ENCODERS.register(
  'raw', summary='reduced pixels as they are; no parameters'
)
def raw() -> RawVector:
  """The image side of early fusion, type I."""
  return RawVector()
