"""The ResNets of ImageNet, in 2-D or 3-D.

He et al. 2016, "Deep residual learning for image recognition", CVPR, table 1;
bottlenecks take their stride in the convolution of side 3, as in torchvision.
In 3-D the R3D of Tran et al. 2018, "A closer look at spatiotemporal
convolutions for action recognition", CVPR, section 3.2, whose stem has no
pooling and keeps the first axis (here slices, there frames); or, with that
pooling, what 2-D ResNets become when they are inflated (Carreira and Zisserman
2017, "Quo vadis, action recognition?", CVPR, section 2.4). What differs: group
normalisation by default, and a stem that keeps the resolution of what is so
small that less than two positions a side would be left (`Layers.is_small`).
"""

import flax.linen as nn

from fusion_jax.core import types
from fusion_jax.encoders import convnet, pooling

# Channels of a bottleneck's output, in those within.
_WIDENING = 4


class Block(nn.Module):
  """Two convolutions of side 3 around a shortcut; ReLU after the sum.

  Attributes:
    layers: how layers are made.
    width: channels.
    stride: of the first convolution.
  """

  layers: convnet.Layers
  width: int
  stride: int = 1

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h / stride, w / stride, width)."""
    unit = convnet.units(self.layers, hidden.mask, train)
    x = hidden.x
    y = nn.relu(unit(x, self.width, 3, self.stride))
    y = unit(y, self.width, 3)
    return hidden.replace(x=nn.relu(y + _shortcut(unit, x, y, self.stride)))


class Bottleneck(nn.Module):
  """Convolutions of sides 1, 3 and 1, the last of which widens.

  Attributes:
    layers: how layers are made.
    width: channels within.
    stride: of the second convolution.
  """

  layers: convnet.Layers
  width: int
  stride: int = 1

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h / stride, w / stride, 4 width)."""
    unit = convnet.units(self.layers, hidden.mask, train)
    x = hidden.x
    y = nn.relu(unit(x, self.width, 1))
    y = nn.relu(unit(y, self.width, 3, self.stride))
    y = unit(y, _WIDENING * self.width, 1)
    return hidden.replace(x=nn.relu(y + _shortcut(unit, x, y, self.stride)))


def _shortcut(unit, x, y, stride):
  """`x` in the shape of `y`."""
  same = x.shape[-1] == y.shape[-1] and stride == 1
  return x if same else unit(x, y.shape[-1], 1, stride)


class Stem(nn.Module):
  """A convolution of side 7 and a pooling of side 3.

  Attributes:
    layers: how layers are made.
    width: channels.
    total: product of the strides of the network.
    pooled: whether there is the pooling.
  """

  layers: convnet.Layers
  width: int
  total: int
  pooled: bool = True

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h', w', width)."""
    unit = convnet.units(self.layers, hidden.mask, train)
    small = self.layers.is_small(hidden.x, self.total)
    flat = self.layers.space == 2
    side, stride = (7, 2) if flat else ((3, 7, 7), (1, 2, 2))
    x = nn.relu(unit(hidden.x, self.width, side, 1 if small else stride))
    if self.pooled and not small:
      x = self.layers.max_pool(x)
    return hidden.replace(x=x)


class Stage(nn.Module):
  """Blocks, the first of which may halve the resolution.

  Attributes:
    layers: how layers are made.
    bottleneck: which blocks.
    width: of the blocks.
    stride: of the first one.
    depth: how many.
  """

  layers: convnet.Layers
  bottleneck: bool
  width: int
  stride: int
  depth: int

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h / stride, w / stride, c')."""
    block = Bottleneck if self.bottleneck else Block
    for k in range(self.depth):
      stride = 1 if k else self.stride
      hidden = block(self.layers, self.width, stride)(hidden, train=train)
    return hidden


class ResNet(convnet.ConvNet):
  """Stem and one stage for each number of blocks; widths double.

  Attributes:
    blocks: of each stage.
    bottleneck: which blocks.
    width: of the stem and of the first stage's blocks.
    over: how the images of a study are pooled.
    pooled: whether the stem is (`Stem`).
  """

  blocks: tuple[int, ...]
  bottleneck: bool
  width: int
  over: pooling.How = 'mean'
  pooled: bool = True

  def setup(self):
    total = (4 if self.pooled else 2) * 2 ** (len(self.blocks) - 1)
    self.first = Stem(self.layers, self.width, total, self.pooled)
    self.stages = [
      Stage(
        self.layers,
        self.bottleneck,
        self.width * 2**k,
        stride=2 if k else 1,
        depth=depth,
      )
      for k, depth in enumerate(self.blocks)
    ]
    self.last = convnet.Same()
    self.pool = pooling.Pool(self.over)
