"""Tests of the layouts of ResNets."""

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from tests.encoders import reference as ref
from tests.training.layouts import published

BLOCKS, WIDTH = (1, 2), 4
# Below 2 * 4 * 2 pixels the stem keeps the resolution.
SIDES = (15, 16)


def names(layout):
  """(stem, unit of a block, shortcut) -> names of convolution and norm."""
  if layout == 'torchvision_resnet':
    return (
      ('conv1', 'bn1'),
      lambda s, j, k: [f'layer{s + 1}.{j}.{x}{k + 1}' for x in ('conv', 'bn')],
      lambda s, j: [f'layer{s + 1}.{j}.downsample.{x}' for x in (0, 1)],
    )
  parts = ('convolution', 'normalization')
  start = 'encoder.stages.{}.layers.{}.'
  return (
    [f'embedder.embedder.{x}' for x in parts],
    lambda s, j, k: [start.format(s, j) + f'layer.{k}.{x}' for x in parts],
    lambda s, j: [start.format(s, j) + f'shortcut.{x}' for x in parts],
  )


def blocks(bottleneck):
  """Stage and number, channels given, of each unit (out, side, stride)."""
  given = WIDTH
  for s, depth in enumerate(BLOCKS):
    c = WIDTH * 2**s
    for j in range(depth):
      stride = 2 if s and not j else 1
      if bottleneck:
        units = ((c, 1, 1), (c, 3, stride), (4 * c, 1, 1))
      else:
        units = ((c, 3, stride), (c, 3, 1))
      yield s, j, given, units, stride
      given = units[-1][0]


def arrays(layout, bottleneck):
  out = published.Arrays()
  stem, of_unit, of_shortcut = names(layout)

  def unit(conv_and_norm, *shape):
    conv, norm = conv_and_norm
    out.conv(conv, *shape)
    out.norm(norm, shape[0])

  unit(stem, WIDTH, 3, 7, 7)
  for s, j, given, units, stride in blocks(bottleneck):
    seen = given
    for k, (c, side, _) in enumerate(units):
      unit(of_unit(s, j, k), c, seen, side, side)
      seen = c
    if seen != given or stride > 1:
      unit(of_shortcut(s, j), seen, given, 1, 1)
  out['fc.weight' if 'torch' in layout else 'classifier.1.weight'] = np.ones(3)
  return out


def forward(layout, w, bottleneck, pixels):
  stem, of_unit, of_shortcut = names(layout)

  def unit(conv_and_norm, x, stride=1):
    conv, norm = conv_and_norm
    return published.batch_norm(w, norm, published.conv(w, conv, x, stride))

  small = len(pixels) < 16
  x = ref.relu(unit(stem, pixels, 1 if small else 2))
  x = x if small else published.max_pool(x)
  for s, j, given, units, stride in blocks(bottleneck):
    y = x
    for k, (_, _, step) in enumerate(units):
      y = unit(of_unit(s, j, k), y, step)
      y = y if k == len(units) - 1 else ref.relu(y)
    if units[-1][0] != given or stride > 1:
      x = unit(of_shortcut(s, j), x, stride)
    x = ref.relu(x + y)
  return x.mean((0, 1))


def part(bottleneck):
  kind = '' if bottleneck else 'bottleneck=false,'
  return f'deep_resnet(blocks=(1,2),{kind}width={WIDTH},norm=batch)'


class ResNetTest(parameterized.TestCase):
  @parameterized.product(
    layout=('resnet', 'torchvision_resnet'),
    bottleneck=(False, True),
    side=SIDES,
  )
  def test_features_are_those_of_the_equations(self, layout, bottleneck, side):
    w = arrays(layout, bottleneck)
    published.check_features(
      self,
      layout,
      w,
      part(bottleneck),
      lambda pixels: forward(layout, w, bottleneck, pixels),
      published.images(side),
    )

  @pytest.mark.slow
  @parameterized.parameters((False, (8, 16)), (True, (32, 64)))
  def test_features_are_those_of_transformers(self, bottleneck, widths):
    kind = '' if bottleneck else 'bottleneck=false,'
    published.check_transformers(
      self,
      'ResNet',
      f'deep_resnet(blocks=(1,2),{kind}width=8,norm=batch)',
      32,
      embedding_size=8,
      hidden_sizes=widths,
      depths=[1, 2],
      layer_type='bottleneck' if bottleneck else 'basic',
    )


if __name__ == '__main__':
  absltest.main()
