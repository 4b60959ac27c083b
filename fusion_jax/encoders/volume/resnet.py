"""A compact 3-D pre-activation ResNet for volumes (encoders/residual.py)."""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import protocol, residual


class ResNet(residual.Trunk):
  """Mean over positions of a trunk with three axes of space."""

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps voxels (b, d, h, w, c) to hidden (b, d', h', w', widths[0])."""
    del train
    return types.Hidden(self.first(inputs['voxels']), inputs['mask'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose pooled vector is the mean over positions."""
    x = nn.relu(self.last(hidden.x, hidden.mask, train=train))
    tokens = x.reshape(x.shape[0], -1, x.shape[-1])  # (b, t, c)
    mask = jnp.broadcast_to(hidden.mask[:, None], tokens.shape[:2])
    return types.Features(
      pooled=hidden.replace(x=x).pooled(), tokens=tokens, token_mask=mask
    )


@protocol.encoders('volume').register(
  'resnet',
  summary='compact 3-D ResNet with group or batch normalisation',
  default=True,
)
def resnet(
  *,
  axis_name: str | None,
  widths: tuple[int, ...] = (8, 16, 32),
  depth: int = 1,
  patch: int = 2,
  norm: residual.Norm = 'group',
) -> ResNet:
  """The default volume encoder, for volumes of 8 to 64 voxels a side."""
  arguments.each_stage('resnet', widths=widths)
  arguments.at_least_one('resnet', depth=depth, patch=patch)
  return ResNet(widths, depth, patch, 3, norm, axis_name)
