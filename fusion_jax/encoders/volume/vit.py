"""A vision transformer for volumes (encoders/vision_transformer.py)."""

from fusion_jax.core import arguments
from fusion_jax.encoders import protocol, vision_transformer


@protocol.encoders('volume').register(
  'vit', summary='vision transformer over boxes of voxels'
)
def vit(
  *,
  width: int = 192,
  depth: int = 6,
  heads: int = 3,
  patch: int = 8,
  slices: int = 8,
  dropout: float = 0.0,
) -> vision_transformer.ViT:
  """`patch` is the side of a box in a slice, `slices` how many it spans."""
  arguments.attention('vit', width=width, heads=heads)
  arguments.at_least_one('vit', depth=depth, patch=patch, slices=slices)
  arguments.rate('vit', dropout=dropout)
  sides = (slices, patch, patch)
  return vision_transformer.ViT(width, depth, heads, sides, dropout)
