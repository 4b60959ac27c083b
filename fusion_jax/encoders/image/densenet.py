"""DenseNet: every layer sees the outputs of all layers before it.

Huang et al. 2017, "Densely connected convolutional networks", CVPR, section 3
and table 1 (DenseNet-BC: bottlenecks of 4 growth rates, transitions that halve
the channels). What differs: group normalisation by default, and a stem that
keeps the resolution of small images (`Layers.is_small`).
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import (
  convnet,
  deep_residual,
  pooling,
  protocol,
  residual,
)

# Channels of a layer's bottleneck, in growth rates.
_BOTTLENECK = 4


class Layer(nn.Module):
  """A bottleneck and a convolution of side 3.

  Attributes:
    layers: how layers are made.
    growth: channels that are added.
  """

  layers: convnet.Layers
  growth: int

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., c) to (..., c + growth)."""
    unit = convnet.units(self.layers, hidden.mask, train)
    y = convnet.NormReLU(self.layers)(hidden, train=train).x
    y = nn.relu(unit(y, _BOTTLENECK * self.growth, 1))
    y = self.layers.conv(self.growth, 3)(y)
    return hidden.replace(x=jnp.concatenate([hidden.x, y], axis=-1))


class Stage(nn.Module):
  """A transition, but for the first stage, and a dense block.

  Attributes:
    layers: how layers are made.
    growth: channels that each layer adds.
    depth: layers.
    transition: whether channels and resolution are halved first.
  """

  layers: convnet.Layers
  growth: int
  depth: int
  transition: bool

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h', w', c')."""
    make = self.layers
    if self.transition:
      x = convnet.NormReLU(make)(hidden, train=train).x
      x = make.halved(make.conv(x.shape[-1] // 2, 1)(x))
      hidden = hidden.replace(x=x)
    for _ in range(self.depth):
      hidden = Layer(make, self.growth)(hidden, train=train)
    return hidden


class DenseNet(convnet.ConvNet):
  """Stem and one dense block for each number of layers.

  Attributes:
    blocks: layers of each dense block.
    growth: channels that each layer adds; the stem has twice as many.
    over: how the images of a study are pooled.
  """

  blocks: tuple[int, ...]
  growth: int
  over: pooling.How

  def setup(self):
    total = 4 * 2 ** (len(self.blocks) - 1)
    self.first = deep_residual.Stem(self.layers, 2 * self.growth, total)
    self.stages = [
      Stage(self.layers, self.growth, depth, transition=k > 0)
      for k, depth in enumerate(self.blocks)
    ]
    self.last = convnet.NormReLU(self.layers)
    self.pool = pooling.Pool(self.over)


@protocol.encoders('image').register(
  'densenet', summary='DenseNet-121 and its family (Huang et al. 2017)'
)
def densenet(
  *,
  axis_name: str | None,
  blocks: tuple[int, ...] = (6, 12, 24, 16),
  growth: int = 32,
  norm: residual.Norm = 'group',
  pool: pooling.How = 'mean',
) -> DenseNet:
  """DenseNet-121; 169 is (6,12,32,32) and 201 (6,12,48,32) of `blocks`.

  `norm` is group or batch; `pool` over a study's images is mean, attention or
  views.
  """
  arguments.each_stage('densenet', blocks=blocks)
  arguments.at_least_one('densenet', growth=growth)
  layers = convnet.Layers(2, norm, axis_name)
  return DenseNet(layers, blocks, growth, pool)
