"""A vision transformer, in 2-D or 3-D.

Dosovitskiy et al. 2021, "An image is worth 16x16 words: transformers for image
recognition at scale", ICLR, section 3.1. What differs: images of any size, the
last patches of a side being filled up with the mean (0, since pixels are
standardised), and several images a study, each of which is encoded by itself.
Patches of volumes are boxes, as the tubelets of Arnab et al. 2021, "ViViT: a
video vision transformer", ICCV, section 3.2.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.encoders import attention, convnet, pooling


class Patches(nn.Module):
  """Embedded patches behind a class token, with learnt positions.

  Attributes:
    width: of the tokens.
    sides: of a patch, in pixels or voxels.
  """

  width: int
  sides: tuple[int, ...]

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps (..., h, w, c) to (..., 1 + patches, width)."""
    space = len(self.sides)
    lead, size = x.shape[: -1 - space], x.shape[-1 - space : -1]
    around = [(0, -n % side) for n, side in zip(size, self.sides, strict=True)]
    x = jnp.pad(x, [(0, 0)] * len(lead) + [*around, (0, 0)])
    x = nn.Conv(
      self.width, self.sides, self.sides, padding='VALID', name='embed'
    )(x)
    x = x.reshape(*lead, -1, self.width)
    first = self.param('class', nn.initializers.zeros, (self.width,))
    first = jnp.broadcast_to(first, (*lead, 1, self.width)).astype(x.dtype)
    x = jnp.concatenate([first, x], axis=-2)
    positions = self.param(
      'positions', nn.initializers.normal(0.02), x.shape[-2:]
    )
    return x + positions


class ViT(nn.Module):
  """Patches, blocks, the class tokens of a study's images pooled.

  Attributes:
    width: of the tokens and of the pooled features.
    depth: blocks, each of them a stage.
    heads: of each block's attention.
    sides: of a patch, one for each axis of space.
    dropout: rate.
    over: how the images of a study are pooled.
  """

  width: int
  depth: int
  heads: int
  sides: tuple[int, ...]
  dropout: float
  over: pooling.How = 'mean'

  def setup(self):
    self.patches = Patches(self.width, self.sides)
    self.stages = [
      attention.Block(self.heads, dropout=self.dropout)
      for _ in range(self.depth)
    ]
    self.last = nn.LayerNorm()
    self.pool = pooling.Pool(self.over)

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps pixels or voxels to hidden (b, i, t, width) or (b, t, width)."""
    del train
    x = inputs[convnet.INPUT[len(self.sides)]]
    return types.Hidden(self.patches(x), inputs['mask'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose tokens are the patches of all images of a study."""
    del train
    hidden = hidden.replace(x=self.last(hidden.x))
    x, mask = convnet.as_items(hidden, len(self.sides))  # (b, i, t, c)
    return pooling.features(x[:, :, 1:], mask, self.pool, items=x[:, :, 0])
