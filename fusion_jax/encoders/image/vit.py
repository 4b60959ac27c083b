"""A vision transformer.

Dosovitskiy et al. 2021, "An image is worth 16x16 words: transformers for image
recognition at scale", ICLR, section 3.1. What differs: images of any size, the
last patches of a side being filled up with the mean (0, since pixels are
standardised), and several images a study, each of which is encoded by itself.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.encoders import attention, protocol


class Patches(nn.Module):
  """Embedded patches behind a class token, with learnt positions.

  Attributes:
    width: of the tokens.
    patch: side of a patch in pixels.
  """

  width: int
  patch: int

  @nn.compact
  def __call__(self, pixels: jax.Array) -> jax.Array:
    """Maps (b, i, h, w, c) to (b, i, 1 + patches, width)."""
    h, w = pixels.shape[2:4]
    around = [(0, -side % self.patch) for side in (h, w)]
    x = jnp.pad(pixels, [(0, 0), (0, 0), *around, (0, 0)])
    x = nn.Conv(
      self.width,
      (self.patch, self.patch),
      (self.patch, self.patch),
      padding='VALID',
      name='embed',
    )(x)
    b, i, rows, columns, width = x.shape
    x = x.reshape(b, i, rows * columns, width)
    first = self.param('class', nn.initializers.zeros, (width,))
    first = jnp.broadcast_to(first, (b, i, 1, width)).astype(x.dtype)
    x = jnp.concatenate([first, x], axis=2)
    positions = self.param(
      'positions', nn.initializers.normal(0.02), (1 + rows * columns, width)
    )
    return x + positions


class ViT(nn.Module):
  """Patches, blocks, the class token's mean over a study's images.

  Attributes:
    width: of the tokens and of the pooled features.
    depth: blocks, each of them a stage.
    heads: of each block's attention.
    patch: side of a patch in pixels.
    dropout: rate.
  """

  width: int
  depth: int
  heads: int
  patch: int
  dropout: float

  def setup(self):
    self.patches = Patches(self.width, self.patch)
    self.stages = [
      attention.Block(self.heads, dropout=self.dropout)
      for _ in range(self.depth)
    ]
    self.last = nn.LayerNorm()

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps pixels (b, i, h, w, c) to hidden (b, i, t, width)."""
    del train
    return types.Hidden(self.patches(inputs['pixels']), inputs['mask'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose tokens are the patches of all images of a study."""
    del train
    x = self.last(hidden.x)
    b, i, t, c = x.shape
    weight = hidden.mask.astype(x.dtype)[..., None]  # (b, i, 1)
    pooled = (x[:, :, 0] * weight).sum(1) / jnp.maximum(weight.sum(1), 1.0)
    return types.Features(
      pooled=pooled,
      tokens=x[:, :, 1:].reshape(b, i * (t - 1), c),  # (b, i t, c)
      token_mask=jnp.repeat(hidden.mask, t - 1, axis=1),
    )


@protocol.encoders('image').register(
  'vit', summary='vision transformer (Dosovitskiy et al. 2021)'
)
def vit(
  *,
  width: int = 192,
  depth: int = 12,
  heads: int = 3,
  patch: int = 16,
  dropout: float = 0.0,
) -> ViT:
  """ViT-Ti/16; S is (384, 12, 6) and B (768, 12, 12) of (width, depth, heads).

  Small images want small patches: `vit(patch=8)` makes 64 of 64 x 64 pixels.
  """
  return ViT(width, depth, heads, patch, dropout)
