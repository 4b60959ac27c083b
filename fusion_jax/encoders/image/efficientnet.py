"""EfficientNet: inverted bottlenecks with squeeze and excitation.

Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional
neural networks", ICML, table 1; the lite variant of the authors' repository has
no squeeze and excitation and ReLU6 for swish. What differs: group
normalisation by default, no dropout of whole blocks, symmetric padding by
default (`padding=same` is the authors'), and a stem that keeps the resolution
of small images (`Layers.is_small`).
"""

import flax.linen as nn

from fusion_jax.core import arguments, errors, types
from fusion_jax.encoders import convnet, pooling, protocol, residual

# Of each stage of table 1: side of the convolution, stride, and how much wider
# than its input a block is within.
_SIDES = (3, 3, 5, 3, 5, 5, 3)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EXPANSIONS = (1, 6, 6, 6, 6, 6, 6)
# Squeezed channels as a share of a block's input.
_SQUEEZE = 4


class Block(nn.Module):
  """Widens, filters each channel, weighs channels, narrows.

  Attributes:
    layers: how layers are made.
    channels: of the output.
    side: of the convolution.
    stride: of it.
    expansion: how much wider it is within.
    lite: whether channels are not weighed.
  """

  layers: convnet.Layers
  channels: int
  side: int
  stride: int
  expansion: int
  lite: bool

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h / stride, w / stride, channels)."""
    unit = convnet.units(self.layers, hidden.mask, train)
    act, x = _activation(self.lite), hidden.x
    narrow, wide = x.shape[-1], self.expansion * x.shape[-1]
    y = act(unit(x, wide, 1)) if self.expansion > 1 else x
    y = act(unit(y, wide, self.side, self.stride, groups=wide))
    if not self.lite:
      squeezed = max(1, narrow // _SQUEEZE)
      weight = nn.Dense(squeezed, name='squeeze')(self.layers.mean(y))
      y *= nn.sigmoid(nn.Dense(wide, name='excite')(nn.swish(weight)))
    y = unit(y, self.channels, 1)
    same = self.stride == 1 and y.shape == x.shape
    return hidden.replace(x=x + y if same else y)


def _activation(lite):
  return nn.relu6 if lite else nn.swish


class Unit(nn.Module):
  """The first and the last layer: a convolution, a norm and an activation.

  Attributes:
    layers: how layers are made.
    channels: of the output.
    side: of the convolution.
    total: product of the strides of the network if it is the first layer, of
      stride 2; 0 if it is the last one.
    lite: which activation.
  """

  layers: convnet.Layers
  channels: int
  side: int
  total: int
  lite: bool

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h', w', channels)."""
    x = hidden.x
    unit = convnet.units(self.layers, hidden.mask, train)
    small = not self.total or self.layers.is_small(x, self.total)
    x = unit(x, self.channels, self.side, 1 if small else 2)
    return hidden.replace(x=_activation(self.lite)(x))


class Stage(nn.Module):
  """Blocks of one width.

  Attributes:
    layers: how layers are made.
    number: of the stage, from 0.
    channels: of the output.
    depth: blocks.
    lite: which blocks.
  """

  layers: convnet.Layers
  number: int
  channels: int
  depth: int
  lite: bool

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h', w', channels)."""
    for k in range(self.depth):
      block = Block(
        self.layers,
        self.channels,
        _SIDES[self.number],
        1 if k else _STRIDES[self.number],
        _EXPANSIONS[self.number],
        self.lite,
      )
      hidden = block(hidden, train=train)
    return hidden


class EfficientNet(convnet.ConvNet):
  """Stem, up to seven stages and a last layer.

  Attributes:
    widths: channels of each stage.
    blocks: of each stage.
    first_width: channels of the stem.
    last_width: of the last layer and of the features.
    lite: see above.
    over: how the images of a study are pooled.
  """

  widths: tuple[int, ...]
  blocks: tuple[int, ...]
  first_width: int
  last_width: int
  lite: bool
  over: pooling.How

  def setup(self):
    total = 2
    for stride in _STRIDES[: len(self.blocks)]:
      total *= stride
    self.first = Unit(self.layers, self.first_width, 3, total, self.lite)
    self.stages = [
      Stage(self.layers, k, width, depth, self.lite)
      for k, (width, depth) in enumerate(
        zip(self.widths, self.blocks, strict=True)
      )
    ]
    self.last = Unit(self.layers, self.last_width, 1, 0, self.lite)
    self.pool = pooling.Pool(self.over)


@protocol.encoders('image').register(
  'efficientnet', summary='EfficientNet-B0 and its family (Tan and Le 2019)'
)
def efficientnet(
  *,
  axis_name: str | None,
  lite: bool = False,
  widths: tuple[int, ...] = (16, 24, 40, 80, 112, 192, 320),
  blocks: tuple[int, ...] = (1, 2, 2, 3, 3, 4, 1),
  first: int = 32,
  last: int = 1280,
  norm: residual.Norm = 'group',
  padding: convnet.Padding = 'symmetric',
  pool: pooling.How = 'mean',
) -> EfficientNet:
  """B0; lite0 with lite=true.

  B1 is (2,3,3,4,4,5,2) of `blocks`; `first` and `last` are the channels of the
  stem and of the features; `norm` is group or batch; `padding` is symmetric or
  same; `pool` over a study's images is mean or attention.
  """
  arguments.each_stage('efficientnet', widths=widths, blocks=blocks)
  arguments.at_least_one('efficientnet', first=first, last=last)
  if len(blocks) > len(_SIDES):
    raise errors.UserError(
      f'efficientnet(blocks={blocks}): it has at most {len(_SIDES)} stages.'
    )
  layers = convnet.Layers(2, norm, axis_name, padding)
  return EfficientNet(layers, widths, blocks, first, last, lite, pool)
