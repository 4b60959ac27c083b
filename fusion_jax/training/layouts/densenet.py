"""DenseNets, as torchvision stores them (Huang et al. 2017)."""

from fusion_jax.training import layout_rules, pretrained


@pretrained.LAYOUTS.register(
  'torchvision_densenet', summary='DenseNet of torchvision'
)
def torchvision_densenet() -> pretrained.Layout:
  """121 to 201, also under the names that its published files have.

  Its transitions leave out the last line of an odd side, which ours keep, so
  that features are the same for sides that are multiples of 32.
  """
  r = layout_rules
  layer = r'stages_(\d+)/Layer_(\d+)/'
  names = 'features.denseblock{next[0]}.denselayer{next[1]}.'
  step, transition = r'stages_(\d+)/', 'features.transition{0}.'
  return pretrained.Layout(
    encoders=('densenet',),
    marker=r'features\.denseblock1\.denselayer1\.conv1\.weight',
    rules=(
      *r.unit('first/', 0, 'features.conv0', 'features.norm0'),
      *r.norm(f'{layer}NormReLU_0/BatchNorm_0', f'{names}norm1'),
      *r.unit(layer, 0, f'{names}conv1', f'{names}norm2'),
      *r.convolution(f'{layer}Conv_1', f'{names}conv2'),
      *r.norm(f'{step}NormReLU_0/BatchNorm_0', f'{transition}norm'),
      *r.convolution(f'{step}Conv_0', f'{transition}conv'),
      *r.norm('last/BatchNorm_0', 'features.norm5'),
    ),
    others=rf'classifier|{r.COUNTS}',
    prefix=r'module\.',
    renamed=(r'\b(norm|conv)\.(\d)\.', r'\1\2.'),
    mean=pretrained.IMAGENET[0],
    std=pretrained.IMAGENET[1],
    needs={'norm': 'batch'},
  )
