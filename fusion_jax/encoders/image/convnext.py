"""ConvNeXt: a network of convolutions laid out like a transformer.

Liu et al. 2022, "A ConvNet for the 2020s", CVPR, section 2 and appendix A.2.
What differs: sides that patches do not divide are filled up with the mean (0,
since pixels are standardised), and small images want smaller patches
(`convnext(patch=2)`), which the stem's stride follows.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import convnet, pooling, protocol

_SCALE = 1e-6
_EPSILON = 1e-6
_INIT = nn.initializers.truncated_normal(0.02)


def _norm(**options):
  return nn.LayerNorm(epsilon=_EPSILON, **options)


class Patches(nn.Module):
  """A convolution whose stride is its side.

  Attributes:
    width: channels of the output.
    side: of a patch.
  """

  width: int
  side: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps (..., h, w, c) to (..., h / side, w / side, width)."""
    around = [(0, -n % self.side) for n in x.shape[-3:-1]]
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 3) + [*around, (0, 0)])
    sides = (self.side, self.side)
    return nn.Conv(
      self.width,
      sides,
      sides,
      padding='VALID',
      kernel_init=_INIT,
    )(x)


class Block(nn.Module):
  """A filter of side 7 on each channel and an MLP, scaled, on a shortcut.

  Attributes:
    layers: how layers are made.
    drop: rate at which an image skips the block in training (Huang et al.
      2016, "Deep networks with stochastic depth").
  """

  layers: convnet.Layers
  drop: float

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """Maps (..., h, w, c) to the same shape."""
    c = x.shape[-1]
    y = self.layers.conv(c, 7, groups=c, bias=True, init=_INIT)(x)
    y = nn.Dense(4 * c, kernel_init=_INIT)(_norm()(y))
    y = nn.Dense(c, kernel_init=_INIT)(nn.gelu(y, approximate=False))
    y *= self.param('scale', nn.initializers.constant(_SCALE), (c,))
    axes = range(x.ndim - 1 - self.layers.space, x.ndim)
    drop = nn.Dropout(self.drop, tuple(axes), deterministic=not train)
    return x + drop(y)


class Stem(nn.Module):
  """Patches and a norm.

  Attributes:
    width: channels.
    side: of a patch.
  """

  width: int
  side: int

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h / side, w / side, width)."""
    del train
    return hidden.replace(x=_norm()(Patches(self.width, self.side)(hidden.x)))


class Stage(nn.Module):
  """A halving of the resolution, but for the first stage, and blocks.

  Attributes:
    layers: how layers are made.
    width: channels.
    drops: rate of each block.
    halve: whether the resolution is halved first.
  """

  layers: convnet.Layers
  width: int
  drops: tuple[float, ...]
  halve: bool

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (..., h, w, c) to (..., h', w', width)."""
    x = hidden.x
    if self.halve:
      x = Patches(self.width, 2)(_norm()(x))
    for drop in self.drops:
      x = Block(self.layers, drop)(x, train=train)
    return hidden.replace(x=x)


class ConvNeXt(convnet.ConvNet):
  """Stem and stages; the norm at the end is on means and on positions.

  Attributes:
    blocks: of each stage.
    widths: channels of each stage.
    patch: side of the stem's patches.
    drop: rate of the last block; those before have less, the first none.
    over: how the images of a study are pooled.
  """

  blocks: tuple[int, ...]
  widths: tuple[int, ...]
  patch: int
  drop: float
  over: pooling.How

  def setup(self):
    self.first = Stem(self.widths[0], self.patch)
    steps = max(1, sum(self.blocks) - 1)
    stages, before = [], 0
    for k, (depth, width) in enumerate(
      zip(self.blocks, self.widths, strict=True)
    ):
      rates = (self.drop * (before + j) / steps for j in range(depth))
      stages.append(Stage(self.layers, width, tuple(rates), halve=k > 0))
      before += depth
    self.stages = stages
    self.last = _norm()
    self.pool = pooling.Pool(self.over)

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose tokens are positions."""
    del train
    means = hidden.x.mean(axis=(-3, -2))
    return pooling.features(
      self.last(hidden.x), hidden.mask, self.pool, items=self.last(means)
    )


@protocol.encoders('image').register(
  'convnext', summary='ConvNeXt-T and its family (Liu et al. 2022)'
)
def convnext(
  *,
  blocks: tuple[int, ...] = (3, 3, 9, 3),
  widths: tuple[int, ...] = (96, 192, 384, 768),
  patch: int = 4,
  drop: float = 0.1,
  pool: pooling.How = 'mean',
) -> ConvNeXt:
  """ConvNeXt-T; S is (3,3,27,3) of `blocks`.

  `drop` is the rate at which the last block is skipped in training; `pool` over
  a study's images is mean, attention or views.
  """
  arguments.each_stage('convnext', blocks=blocks, widths=widths)
  arguments.at_least_one('convnext', patch=patch)
  arguments.rate('convnext', drop=drop)
  return ConvNeXt(convnet.Layers(2), blocks, widths, patch, drop, pool)
