"""3-D ResNet-18 and its family for volumes (encoders/deep_residual.py)."""

from typing import Literal

from fusion_jax.core import arguments
from fusion_jax.encoders import convnet, deep_residual, protocol, residual


@protocol.encoders('volume').register(
  'deep_resnet', summary='3-D ResNet-18 and its family (Tran et al. 2018)'
)
def deep_resnet(
  *,
  axis_name: str | None,
  blocks: tuple[int, ...] = (2, 2, 2, 2),
  bottleneck: bool = False,
  width: int = 64,
  norm: residual.Norm = 'group',
  stem: Literal['plain', 'pooled'] = 'plain',
) -> deep_residual.ResNet:
  """18 layers by default; 34 are (3,4,6,3) of `blocks`.

  `norm` is group or batch. A `pooled` stem has the max pooling of 2-D ResNets,
  from which weights can then come: `blocks=(3,4,6,3),bottleneck=true,
  norm=batch,stem=pooled` is ResNet-50 inflated, (3,8,36,3) ResNet-152.
  """
  arguments.each_stage('deep_resnet', blocks=blocks)
  arguments.at_least_one('deep_resnet', width=width)
  layers = convnet.Layers(3, norm, axis_name)
  return deep_residual.ResNet(
    layers, blocks, bottleneck, width, pooled=stem == 'pooled'
  )
