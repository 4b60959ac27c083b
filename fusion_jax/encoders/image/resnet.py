"""A compact pre-activation ResNet for images (encoders/residual.py)."""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.encoders import protocol, residual


class ResNet(residual.Trunk):
  """Mean over positions of a trunk with two axes of space."""

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps pixels (b, i, h, w, c) to hidden (b, i, h, w, widths[0])."""
    del train
    return types.Hidden(self.first(inputs['pixels']), inputs['mask'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose pooled vector is the mean over a study's images."""
    x = nn.relu(self.last(hidden.x, hidden.mask, train=train))
    b, i, h, w, c = x.shape
    tokens = x.reshape(b, i * h * w, c)  # (b, t, c)
    mask = jnp.repeat(hidden.mask, h * w, axis=1)  # (b, t)
    weight = mask.astype(x.dtype)[..., None]
    pooled = (tokens * weight).sum(1) / jnp.maximum(weight.sum(1), 1.0)
    return types.Features(pooled=pooled, tokens=tokens, token_mask=mask)


@protocol.encoders('image').register(
  'resnet',
  summary='compact ResNet with group or batch normalisation',
  default=True,
)
def resnet(
  *,
  axis_name: str | None,
  widths: tuple[int, ...] = (16, 32, 64),
  depth: int = 1,
  patch: int = 2,
  norm: residual.Norm = 'group',
) -> ResNet:
  """The default image encoder, for images of 16 to 256 pixels a side."""
  return ResNet(widths, depth, patch, 2, norm, axis_name)
