"""A compact pre-activation ResNet, in 2-D or 3-D.

He et al. 2016, "Identity mappings in deep residual networks"; Wu and He 2018,
"Group normalization". Group normalisation keeps each study's encoding free of
the other studies in its batch, at any batch size and under any sharding; batch
normalisation (batch_norm.py) is what most published networks were trained with.
"""

from typing import Literal

import flax.linen as nn
import jax

from fusion_jax.core import types
from fusion_jax.encoders import batch_norm, convolution

Norm = Literal['group', 'batch']


class GroupNorm(nn.GroupNorm):
  """Normalises each item by itself, so that none need be left out."""

  def __call__(self, x: jax.Array, mask: jax.Array, *, train: bool):
    """Maps (b, ..., c) to the same shape."""
    del mask, train
    return super().__call__(x)


def norm(
  kind: Norm, channels: int, space: int, axis_name: str | None
) -> nn.Module:
  """Called with x, its mask and `train`, see `batch_norm.BatchNorm`.

  Args:
    kind: 'group' or 'batch'.
    channels: of x.
    space: axes of space before them, over which groups reach.
    axis_name: of `batch_norm.BatchNorm`.
  """
  if kind == 'batch':
    return batch_norm.BatchNorm(axis_name)
  # At most eight groups of at least four channels each.
  sizes = [g for g in range(1, 9) if channels % g == 0 and g <= channels // 4]
  return GroupNorm(
    num_groups=max(sizes, default=1),
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
    norm: kind of normalisation.
    axis_name: of `batch_norm.BatchNorm`.
  """

  channels: int
  space: int
  stride: int = 1
  norm: Norm = 'group'
  axis_name: str | None = None

  @nn.compact
  def __call__(self, x: jax.Array, mask: jax.Array, *, train: bool):
    """Maps (..., h, w, c) to (..., h / stride, w / stride, channels)."""

    def activated(x):
      layer = norm(self.norm, x.shape[-1], self.space, self.axis_name)
      return nn.relu(layer(x, mask, train=train))

    y = activated(x)
    if x.shape[-1] != self.channels or self.stride > 1:
      x = conv(self.channels, 1, self.space, self.stride)(y)
    y = conv(self.channels, 3, self.space, self.stride)(y)
    return x + conv(self.channels, 3, self.space)(activated(y))


class Stage(nn.Module):
  """`depth` blocks, the first of which changes resolution and width."""

  channels: int
  space: int
  stride: int
  depth: int
  norm: Norm = 'group'
  axis_name: str | None = None

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h / stride, w / stride, channels)."""
    x = hidden.x
    for k in range(self.depth):
      stride = 1 if k else self.stride
      block = Block(
        self.channels, self.space, stride, self.norm, self.axis_name
      )
      x = block(x, hidden.mask, train=train)
    return hidden.replace(x=x)


class Trunk(nn.Module):
  """Stem and one residual stage per width; `stem` and `readout` are the kind's.

  Attributes:
    widths: channels of each stage; every stage after the first halves the
      resolution.
    depth: blocks a stage.
    patch: side of the stem's convolution and its stride.
    space: axes of space.
    norm: kind of normalisation.
    axis_name: of `batch_norm.BatchNorm`.
  """

  widths: tuple[int, ...]
  depth: int
  patch: int
  space: int
  norm: Norm
  axis_name: str | None

  def setup(self):
    side = 2 * self.patch - 1
    self.first = conv(self.widths[0], side, self.space, self.patch)
    self.stages = [
      Stage(
        c,
        self.space,
        stride=2 if k else 1,
        depth=self.depth,
        norm=self.norm,
        axis_name=self.axis_name,
      )
      for k, c in enumerate(self.widths)
    ]
    self.last = norm(self.norm, self.widths[-1], self.space, self.axis_name)
