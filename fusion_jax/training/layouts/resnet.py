"""ResNets, as Hugging Face and torchvision store them (He et al. 2016)."""

from fusion_jax.training import layout_rules, pretrained

# By class of block, how many units it has before that of its shortcut.
_UNITS = {'Block': 2, 'Bottleneck': 3}
_STAGE = r'stages_(\d+)/'


def _blocks(unit, shortcut) -> layout_rules.Rules:
  """Rules of all blocks.

  Args:
    unit: of the number k of a unit, what names of its convolution and norm
      begin with.
    shortcut: likewise of the shortcut.
  """
  found = ()
  for block, count in _UNITS.items():
    path = rf'{_STAGE}{block}_(\d+)/'
    for k in range(count):
      found += layout_rules.unit(path, k, *unit(k))
    found += layout_rules.unit(path, count, *shortcut)
  return found


@pretrained.LAYOUTS.register('resnet', summary='ResNet of Hugging Face')
def resnet() -> pretrained.Layout:
  """18 to 152."""
  stem, here = 'embedder.embedder', 'encoder.stages.{0}.layers.{1}'

  def names(start):
    return f'{start}.convolution', f'{start}.normalization'

  return pretrained.Layout(
    encoders=('deep_resnet',),
    marker=r'encoder\.stages\.0\.layers\.0\.layer\.0\.convolution\.weight',
    rules=layout_rules.unit('first/', 0, *names(stem))
    + _blocks(lambda k: names(f'{here}.layer.{k}'), names(f'{here}.shortcut')),
    others=rf'classifier|{layout_rules.COUNTS}',
    prefix=r'resnet\.',
    mean=pretrained.IMAGENET[0],
    std=pretrained.IMAGENET[1],
    needs={'norm': 'batch'},
  )


@pretrained.LAYOUTS.register(
  'torchvision_resnet', summary='ResNet of torchvision'
)
def torchvision_resnet() -> pretrained.Layout:
  """18 to 152; also the layout of many models of medical images."""
  here = 'layer{next[0]}.{1}'
  return pretrained.Layout(
    encoders=('deep_resnet',),
    marker=r'layer1\.0\.conv1\.weight',
    rules=layout_rules.unit('first/', 0, 'conv1', 'bn1')
    + _blocks(
      lambda k: (f'{here}.conv{k + 1}', f'{here}.bn{k + 1}'),
      (f'{here}.downsample.0', f'{here}.downsample.1'),
    ),
    others=rf'fc\.|{layout_rules.COUNTS}',
    prefix=r'module\.',
    mean=pretrained.IMAGENET[0],
    std=pretrained.IMAGENET[1],
    needs={'norm': 'batch'},
  )
