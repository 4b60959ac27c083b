"""A vision transformer for images (encoders/vision_transformer.py)."""

from fusion_jax.core import arguments
from fusion_jax.encoders import (
  pooling,
  protocol,
  vision_transformer,
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
  pool: pooling.How = 'mean',
) -> vision_transformer.ViT:
  """ViT-Ti/16; S is (384, 12, 6) and B (768, 12, 12) of (width, depth, heads).

  Small images want small patches: `vit(patch=8)` makes 64 of 64 x 64 pixels.
  `pool` over a study's images is mean, attention or views.
  """
  arguments.attention('vit', width=width, heads=heads)
  arguments.at_least_one('vit', depth=depth, patch=patch)
  arguments.rate('vit', dropout=dropout)
  return vision_transformer.ViT(
    width, depth, heads, (patch, patch), dropout, pool
  )
