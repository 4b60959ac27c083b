"""A compact pre-activation ResNet with group normalisation.

He et al. 2016, "Identity mappings in deep residual networks"; Wu and He 2018,
"Group normalization". Group normalisation keeps each study's encoding free of
the other studies in its batch, at any batch size and under any sharding.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.encoders import protocol
from fusion_jax.encoders.image import convolution


def _norm(channels: int) -> nn.GroupNorm:
  return nn.GroupNorm(
    num_groups=min(8, channels // 4), reduction_axes=(-3, -2, -1)
  )


def _conv(channels: int, side: int, stride: int = 1) -> nn.Conv:
  return nn.Conv(
    channels,
    (side, side),
    (stride, stride),
    use_bias=False,
    conv_general_dilated=convolution.conv_general_dilated,
  )


class Block(nn.Module):
  """Two 3x3 convolutions around a shortcut.

  Attributes:
    channels: of the output.
    stride: of the first convolution.
  """

  channels: int
  stride: int = 1

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps (..., h, w, c) to (..., h / stride, w / stride, channels)."""
    y = nn.relu(_norm(x.shape[-1])(x))
    if x.shape[-1] != self.channels or self.stride > 1:
      x = _conv(self.channels, 1, self.stride)(y)
    y = _conv(self.channels, 3, self.stride)(y)
    y = nn.relu(_norm(self.channels)(y))
    return x + _conv(self.channels, 3)(y)


class Stage(nn.Module):
  """`depth` blocks, the first of which changes resolution and width."""

  channels: int
  stride: int
  depth: int

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h / stride, w / stride, channels)."""
    del train
    x = hidden.x
    for k in range(self.depth):
      x = Block(self.channels, stride=1 if k else self.stride)(x)
    return hidden.replace(x=x)


class ResNet(nn.Module):
  """Stem, one residual stage per width, mean over positions.

  Attributes:
    widths: channels of each stage; every stage after the first halves the
      resolution.
    depth: blocks a stage.
    patch: side of the stem's convolution and its stride.
  """

  widths: tuple[int, ...] = (16, 32, 64)
  depth: int = 1
  patch: int = 2

  def setup(self):
    self.first = _conv(self.widths[0], 2 * self.patch - 1, self.patch)
    self.stages = [
      Stage(c, stride=2 if k else 1, depth=self.depth)
      for k, c in enumerate(self.widths)
    ]
    self.last = _norm(self.widths[-1])

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps pixels (b, i, h, w, c) to hidden (b, i, h, w, widths[0])."""
    del train
    return types.Hidden(self.first(inputs['pixels']), inputs['mask'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose pooled vector is the mean over a study's images."""
    del train
    x = nn.relu(self.last(hidden.x))
    b, i, h, w, c = x.shape
    tokens = x.reshape(b, i * h * w, c)  # (b, t, c)
    mask = jnp.repeat(hidden.mask, h * w, axis=1)  # (b, t)
    weight = mask.astype(x.dtype)[..., None]
    pooled = (tokens * weight).sum(1) / jnp.maximum(weight.sum(1), 1.0)
    return types.Features(pooled=pooled, tokens=tokens, token_mask=mask)


@protocol.IMAGE.register(
  'resnet', summary='compact ResNet with group normalisation'
)
def resnet(
  *, widths: tuple[int, ...] = (16, 32, 64), depth: int = 1, patch: int = 2
) -> ResNet:
  """The default image encoder, for images of 16 to 256 pixels a side."""
  return ResNet(widths, depth, patch)
