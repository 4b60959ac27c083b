"""Tests of the layout of DenseNets."""

import re

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.training import pretrained
from tests.encoders import reference as ref
from tests.training.layouts import published

BLOCKS, GROWTH = (1, 2), 4
LAYOUT = 'torchvision_densenet'
PART = 'densenet(blocks=(1,2),growth=4,norm=batch)'


def arrays():
  out, c = published.Arrays(), 2 * GROWTH
  out.conv('features.conv0', c, 3, 7, 7)
  out.norm('features.norm0', c)
  for s, depth in enumerate(BLOCKS):
    if s:
      out.norm(f'features.transition{s}.norm', c)
      out.conv(f'features.transition{s}.conv', c // 2, c, 1, 1)
      c //= 2
    for j in range(depth):
      layer = f'features.denseblock{s + 1}.denselayer{j + 1}'
      out.norm(f'{layer}.norm1', c)
      out.conv(f'{layer}.conv1', 4 * GROWTH, c, 1, 1)
      out.norm(f'{layer}.norm2', 4 * GROWTH)
      out.conv(f'{layer}.conv2', GROWTH, 4 * GROWTH, 3, 3)
      c += GROWTH
  out.norm('features.norm5', c)
  out['classifier.weight'] = np.zeros((2, c))
  return out


def forward(w, pixels):
  def norm(name, x):
    return ref.relu(published.batch_norm(w, name, x))

  x = norm('features.norm0', published.conv(w, 'features.conv0', pixels, 2))
  x = published.max_pool(x)
  for s, depth in enumerate(BLOCKS):
    if s:
      here = f'features.transition{s}'
      x = published.conv(w, f'{here}.conv', norm(f'{here}.norm', x))
      h, width, c = x.shape
      x = x.reshape(h // 2, 2, width // 2, 2, c).mean((1, 3))
    for j in range(depth):
      layer = f'features.denseblock{s + 1}.denselayer{j + 1}'
      y = published.conv(w, f'{layer}.conv1', norm(f'{layer}.norm1', x))
      y = published.conv(w, f'{layer}.conv2', norm(f'{layer}.norm2', y))
      x = np.concatenate([x, y], axis=-1)
  return norm('features.norm5', x).mean((0, 1))


class DenseNetTest(parameterized.TestCase):
  @parameterized.parameters(False, True)
  def test_features_are_those_of_the_equations(self, former):
    """Files of the published weights have other names than the model."""
    w = arrays()
    named = dict(w)
    if former:
      named = {
        re.sub(r'(denselayer\d\.(norm|conv))', r'\1.', k): x
        for k, x in w.items()
      }
      self.assertIn('features.denseblock2.denselayer2.conv.2.weight', named)
    layout = pretrained.LAYOUTS.build(LAYOUT)
    found = pretrained.Weights('f', layout, pretrained.bare(named, layout))
    published.check_features(
      self,
      LAYOUT,
      found,
      PART,
      lambda pixels: forward(w, pixels),
      published.images(16),
    )


if __name__ == '__main__':
  absltest.main()
