"""What networks of convolutions share, in 2-D or 3-D.

Networks that were published with batch normalisation have group normalisation
by default (residual.py says why), which has as many parameters; padding is
symmetric, as in the implementations that most published weights come from.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax

from fusion_jax.core import types
from fusion_jax.encoders import convolution, pooling, residual

INPUT = {2: 'pixels', 3: 'voxels'}
Padding = Literal['symmetric', 'same']
_INIT = nn.initializers.he_normal()


@dataclasses.dataclass(frozen=True)
class Layers:
  """How the layers of a network are made.

  Attributes:
    space: axes of space.
    kind: of normalisation.
    axis_name: of `batch_norm.BatchNorm`.
    padding: 'symmetric', or 'same' as TensorFlow has it: of an odd number of
      lines that are filled up, more at the end. They differ where a stride
      divides a side.
  """

  space: int
  kind: residual.Norm = 'group'
  axis_name: str | None = None
  padding: Padding = 'symmetric'

  def conv(
    self,
    channels: int,
    side: int | tuple[int, ...],
    stride: int | tuple[int, ...] = 1,
    *,
    groups: int = 1,
    bias: bool = False,
    init: nn.initializers.Initializer = _INIT,
  ) -> nn.Conv:
    """A convolution that keeps the size but for its stride."""
    sides = self.sizes(side)
    symmetric = [(s // 2, s // 2) for s in sides]
    return nn.Conv(
      channels,
      sides,
      self.sizes(stride),
      padding='SAME' if self.padding == 'same' else symmetric,
      feature_group_count=groups,
      use_bias=bias,
      kernel_init=init,
      # The gradient that is written for CPUs knows two axes.
      conv_general_dilated=(
        convolution.conv_general_dilated if self.space == 2 else None
      ),
    )

  def norm(self, channels: int) -> nn.Module:
    """Called with maps of that many channels, their mask and `train`."""
    return residual.norm(self.kind, channels, self.space, self.axis_name)

  def max_pool(self, x: jax.Array) -> jax.Array:
    """Maxima over windows of 3 in steps of 2."""
    sizes = (3,) * self.space, (2,) * self.space
    # Explicit padding goes with one leading axis only.
    flat = x.reshape(-1, *x.shape[-1 - self.space :])
    flat = nn.max_pool(flat, *sizes, padding=((1, 1),) * self.space)
    return flat.reshape(*x.shape[: -1 - self.space], *flat.shape[1:])

  def halved(self, x: jax.Array) -> jax.Array:
    """Means over windows of 2; of what there is at an odd end."""
    sizes = (2,) * self.space
    return nn.avg_pool(x, sizes, sizes, 'SAME', count_include_pad=False)

  def mean(self, x: jax.Array) -> jax.Array:
    """Means over all positions, which stay as axes of size 1."""
    axes = tuple(range(-1 - self.space, -1))
    return x.mean(axis=axes, keepdims=True)

  def sizes(self, size: int | tuple[int, ...]) -> tuple[int, ...]:
    """One number for each axis of space."""
    return (size,) * self.space if isinstance(size, int) else size

  def is_small(self, x: jax.Array, total: int) -> bool:
    """Whether less than two positions a side would be left of (..., h, w, c).

    The stem of a published network keeps the resolution of such an image; of a
    volume its slices count, since stems do not stride across them.

    Args:
      x: what the network is given.
      total: product of all its strides.
    """
    return min(x.shape[-3:-1]) < 2 * total


def units(layers: Layers, mask: jax.Array, train: bool):
  """(x, channels, side, stride=1, groups=1) -> a convolution and its norm.

  Args:
    layers: how they are made.
    mask: which items of x are there.
    train: see `batch_norm.BatchNorm`.
  """

  def unit(x, channels, side, stride=1, groups=1):
    x = layers.conv(channels, side, stride, groups=groups)(x)
    return layers.norm(channels)(x, mask, train=train)

  return unit


class ConvNet(nn.Module):
  """Base of networks that set `first`, `stages`, `last` and `pool`.

  All but `pool` (see pooling.Pool) map (hidden, train) to hidden.

  Attributes:
    layers: how its layers are made.
  """

  layers: Layers

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps pixels (b, i, h, w, c) or voxels (b, d, h, w, c) to hidden."""
    x = inputs[INPUT[self.layers.space]]
    return self.first(types.Hidden(x, inputs['mask']), train=train)

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose tokens are positions."""
    hidden = self.last(hidden, train=train)
    return pooling.features(*as_items(hidden, self.layers.space), self.pool)


def as_items(hidden: types.Hidden, space: int) -> tuple[jax.Array, jax.Array]:
  """(b, i, ..., c) maps and a (b, i) mask; a volume is one item."""
  if space == 3:
    return hidden.x[:, None], hidden.mask[:, None]
  return hidden.x, hidden.mask


class Same(nn.Module):
  """The last layer of a network that has none."""

  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Returns `hidden`."""
    del train
    return hidden


class NormReLU(nn.Module):
  """The last layer of a network whose blocks begin with a norm."""

  layers: Layers

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps maps to maps of the same shape."""
    norm = self.layers.norm(hidden.x.shape[-1])
    return hidden.replace(x=nn.relu(norm(hidden.x, hidden.mask, train=train)))
