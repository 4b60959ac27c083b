"""ResNet-18 to -152 for images (encoders/deep_residual.py)."""

from fusion_jax.core import arguments
from fusion_jax.encoders import (
  convnet,
  deep_residual,
  pooling,
  protocol,
  residual,
)


@protocol.encoders('image').register(
  'deep_resnet', summary='ResNet-50 and its family (He et al. 2016)'
)
def deep_resnet(
  *,
  axis_name: str | None,
  blocks: tuple[int, ...] = (3, 4, 6, 3),
  bottleneck: bool = True,
  width: int = 64,
  norm: residual.Norm = 'group',
  pool: pooling.How = 'mean',
) -> deep_residual.ResNet:
  """ResNet-50 by default.

  18 is (2,2,2,2) and 34 (3,4,6,3) of `blocks` with bottleneck=false; 101 is
  (3,4,23,3) and 152 (3,8,36,3). `norm` is group or batch; `pool` over a study's
  images is mean, attention or views.
  """
  arguments.each_stage('deep_resnet', blocks=blocks)
  arguments.at_least_one('deep_resnet', width=width)
  layers = convnet.Layers(2, norm, axis_name)
  return deep_residual.ResNet(layers, blocks, bottleneck, width, pool)
