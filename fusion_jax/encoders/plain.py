"""A compact network of plain convolutions, in 2-D or 3-D.

Layers of side 3 as in Simonyan and Zisserman 2015, "Very deep convolutional
networks for large-scale image recognition", ICLR, section 2.1, without its
fully connected ones. What differs: group normalisation, strides for pooling,
and a stem whose stride follows the size of what is given, so that the stages
see about the same number of positions whatever that is.
"""

import flax.linen as nn

from fusion_jax.core import types
from fusion_jax.encoders import convnet, pooling


class Stem(nn.Module):
  """One convolution, of a stride that leaves `most` positions a side or fewer.

  Attributes:
    layers: how layers are made.
    width: channels.
    most: positions along the shortest side.
  """

  layers: convnet.Layers
  width: int
  most: int

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h', w', width)."""
    del train
    make, x = self.layers, hidden.x
    shortest = min(x.shape[-1 - make.space : -1])
    stride = max(1, -(-shortest // self.most))
    side = max(3, 2 * stride - 1)
    return hidden.replace(x=make.conv(self.width, side, stride)(x))


class Stage(nn.Module):
  """Norms, ReLUs and convolutions, the first of which may halve.

  Attributes:
    layers: how layers are made.
    width: channels.
    stride: of the first convolution.
    depth: convolutions.
  """

  layers: convnet.Layers
  width: int
  stride: int
  depth: int

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h / stride, w / stride, width)."""
    for k in range(self.depth):
      x = convnet.NormReLU(self.layers)(hidden, train=train).x
      x = self.layers.conv(self.width, 3, 1 if k else self.stride)(x)
      hidden = hidden.replace(x=x)
    return hidden


class CNN(convnet.ConvNet):
  """Stem and one stage for each width.

  Attributes:
    widths: channels of each stage.
    depth: convolutions a stage.
    most: positions along the shortest side after the stem.
    over: how the images of a study are pooled.
  """

  widths: tuple[int, ...]
  depth: int
  most: int
  over: pooling.How = 'mean'

  def setup(self):
    self.first = Stem(self.layers, self.widths[0], self.most)
    self.stages = [
      Stage(self.layers, width, stride=2 if k else 1, depth=self.depth)
      for k, width in enumerate(self.widths)
    ]
    self.last = convnet.NormReLU(self.layers)
    self.pool = pooling.Pool(self.over)
