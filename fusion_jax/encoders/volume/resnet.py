"""A compact 3-D pre-activation ResNet with group normalisation.

He et al. 2016, "Identity mappings in deep residual networks"; Wu and He 2018,
"Group normalization", both with three axes of space. Group normalisation keeps
each study's encoding free of the other studies in its batch.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.encoders import protocol


def _norm(channels: int) -> nn.GroupNorm:
  return nn.GroupNorm(
    num_groups=max(1, min(8, channels // 4)), reduction_axes=(-4, -3, -2, -1)
  )


def _conv(channels: int, side: int, stride: int = 1) -> nn.Conv:
  return nn.Conv(channels, (side,) * 3, (stride,) * 3, use_bias=False)


class Block(nn.Module):
  """Two 3x3x3 convolutions around a shortcut.

  Attributes:
    channels: of the output.
    stride: of the first convolution.
  """

  channels: int
  stride: int = 1

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps (b, d, h, w, c) to (b, d', h', w', channels), d' = d / stride."""
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
    """Maps (b, d, h, w, c) to (b, d', h', w', channels)."""
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

  widths: tuple[int, ...] = (8, 16, 32)
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
    """Maps voxels (b, d, h, w, c) to hidden (b, d', h', w', widths[0])."""
    del train
    return types.Hidden(self.first(inputs['voxels']), inputs['mask'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose pooled vector is the mean over positions."""
    del train
    x = nn.relu(self.last(hidden.x))
    tokens = x.reshape(x.shape[0], -1, x.shape[-1])  # (b, t, c)
    mask = jnp.broadcast_to(hidden.mask[:, None], tokens.shape[:2])
    return types.Features(
      pooled=hidden.replace(x=x).pooled(), tokens=tokens, token_mask=mask
    )


@protocol.VOLUME.register(
  'resnet', summary='compact 3-D ResNet with group normalisation'
)
def resnet(
  *, widths: tuple[int, ...] = (8, 16, 32), depth: int = 1, patch: int = 2
) -> ResNet:
  """The default volume encoder, for volumes of 8 to 64 voxels a side."""
  return ResNet(widths, depth, patch)
