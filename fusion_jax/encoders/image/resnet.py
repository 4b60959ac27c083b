"""A compact pre-activation ResNet for images (encoders/residual.py)."""

import flax.linen as nn

from fusion_jax.core import arguments, types
from fusion_jax.encoders import pooling, protocol, residual

NAME = 'resnet'


class ResNet(residual.Trunk):
  """A trunk with two axes of space.

  Attributes:
    over: how the images of a study are pooled.
  """

  over: pooling.How

  def setup(self):
    super().setup()
    self.pool = pooling.Pool(self.over)

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps pixels (b, i, h, w, c) to hidden (b, i, h, w, widths[0])."""
    del train
    return types.Hidden(self.first(inputs['pixels']), inputs['mask'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose pooled vector is of the images' means over positions."""
    x = nn.relu(self.last(hidden.x, hidden.mask, train=train))
    return pooling.features(x, hidden.mask, self.pool)


@protocol.encoders('image').register(
  NAME,
  summary='compact ResNet with group or batch normalisation',
  default=True,
)
def resnet(
  *,
  axis_name: str | None,
  widths: tuple[int, ...] = (16, 32, 64),
  depth: int = 1,
  patch: int = 2,
  norm: residual.Norm = 'group',
  pool: pooling.How = 'mean',
) -> ResNet:
  """The default image encoder, for images of 16 to 256 pixels a side.

  `norm` is group or batch; `pool` over a study's images is mean, attention or
  views.
  """
  arguments.each_stage(NAME, widths=widths)
  arguments.at_least_one(NAME, depth=depth, patch=patch)
  return ResNet(widths, depth, patch, 2, norm, axis_name, pool)
