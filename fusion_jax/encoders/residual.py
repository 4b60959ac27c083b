"""A compact pre-activation ResNet with group normalisation, in 2-D or 3-D.

He et al. 2016, "Identity mappings in deep residual networks"; Wu and He 2018,
"Group normalization". Group normalisation keeps each study's encoding free of
the other studies in its batch, at any batch size and under any sharding.
"""

import flax.linen as nn
import jax

from fusion_jax.core import types
from fusion_jax.encoders import convolution


def norm(channels: int, space: int) -> nn.GroupNorm:
  """Over `space` axes of space and one of channels."""
  return nn.GroupNorm(
    num_groups=max(1, min(8, channels // 4)),
    reduction_axes=tuple(range(-1 - space, 0)),
  )


def conv(channels: int, side: int, space: int, stride: int = 1) -> nn.Conv:
  """A convolution over `space` axes, without a bias."""
  return nn.Conv(
    channels,
    (side,) * space,
    (stride,) * space,
    use_bias=False,
    # The gradient that is written for CPUs knows two axes.
    conv_general_dilated=(
      convolution.conv_general_dilated if space == 2 else None
    ),
  )


class Block(nn.Module):
  """Two convolutions of side 3 around a shortcut.

  Attributes:
    channels: of the output.
    space: axes of space.
    stride: of the first convolution.
  """

  channels: int
  space: int
  stride: int = 1

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps (..., h, w, c) to (..., h / stride, w / stride, channels)."""
    y = nn.relu(norm(x.shape[-1], self.space)(x))
    if x.shape[-1] != self.channels or self.stride > 1:
      x = conv(self.channels, 1, self.space, self.stride)(y)
    y = conv(self.channels, 3, self.space, self.stride)(y)
    y = nn.relu(norm(self.channels, self.space)(y))
    return x + conv(self.channels, 3, self.space)(y)


class Stage(nn.Module):
  """`depth` blocks, the first of which changes resolution and width."""

  channels: int
  space: int
  stride: int
  depth: int

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h / stride, w / stride, channels)."""
    del train
    x = hidden.x
    for k in range(self.depth):
      stride = 1 if k else self.stride
      x = Block(self.channels, self.space, stride)(x)
    return hidden.replace(x=x)


class Trunk(nn.Module):
  """Stem and one residual stage per width; `stem` and `readout` are the kind's.

  Attributes:
    widths: channels of each stage; every stage after the first halves the
      resolution.
    depth: blocks a stage.
    patch: side of the stem's convolution and its stride.
    space: axes of space.
  """

  widths: tuple[int, ...]
  depth: int
  patch: int
  space: int

  def setup(self):
    side = 2 * self.patch - 1
    self.first = conv(self.widths[0], side, self.space, self.patch)
    self.stages = [
      Stage(c, self.space, stride=2 if k else 1, depth=self.depth)
      for k, c in enumerate(self.widths)
    ]
    self.last = norm(self.widths[-1], self.space)
