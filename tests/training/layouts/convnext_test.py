"""Tests of the layout of ConvNeXts."""

import numpy as np
import pytest
from absl.testing import absltest
from scipy import special

from tests.training.layouts import published

BLOCKS, WIDTHS, PATCH = (1, 2), (4, 6), 4
PART = 'convnext(blocks=(1,2),widths=(4,6))'


def arrays():
  out = published.Arrays()
  out.layer('embeddings.patch_embeddings', WIDTHS[0], 3, PATCH, PATCH)
  out.layer('embeddings.layernorm', WIDTHS[0])
  for s, (depth, c) in enumerate(zip(BLOCKS, WIDTHS, strict=True)):
    here = f'encoder.stages.{s}'
    if s:
      out.layer(f'{here}.downsampling_layer.0', WIDTHS[s - 1])
      out.layer(f'{here}.downsampling_layer.1', c, WIDTHS[s - 1], 2, 2)
    for j in range(depth):
      block = f'{here}.layers.{j}'
      out.layer(f'{block}.dwconv', c, 1, 7, 7)
      out.layer(f'{block}.layernorm', c)
      out.layer(f'{block}.pwconv1', 4 * c, c)
      out.layer(f'{block}.pwconv2', c, 4 * c)
      out.draw(f'{block}.layer_scale_parameter', c)
  out.layer('layernorm', WIDTHS[-1])
  out['classifier.weight'] = np.zeros((2, WIDTHS[-1]))
  return out


def forward(w, pixels):
  x = published.patches(w, 'embeddings.patch_embeddings', pixels, PATCH)
  x = published.layer_norm(w, 'embeddings.layernorm', x)
  for s, depth in enumerate(BLOCKS):
    here = f'encoder.stages.{s}'
    if s:
      x = published.layer_norm(w, f'{here}.downsampling_layer.0', x)
      x = published.patches(w, f'{here}.downsampling_layer.1', x, 2)
    for j in range(depth):
      block = f'{here}.layers.{j}'
      y = published.conv(w, f'{block}.dwconv', x)
      y = published.layer_norm(w, f'{block}.layernorm', y)
      y = published.linear(w, f'{block}.pwconv1', y)
      y = published.linear(w, f'{block}.pwconv2', y * special.ndtr(y))  # GELU.
      x = x + w[f'{block}.layer_scale_parameter'] * y
  return published.layer_norm(w, 'layernorm', x.mean((0, 1)))


class ConvNeXtTest(absltest.TestCase):
  def test_features_are_those_of_the_equations(self):
    w = arrays()
    published.check_features(
      self,
      'convnext',
      w,
      PART,
      lambda pixels: forward(w, pixels),
      published.images(16),
    )

  @pytest.mark.slow
  def test_features_are_those_of_transformers(self):
    published.check_transformers(
      self,
      'ConvNext',
      'convnext(blocks=(1,2),widths=(8,16))',
      32,
      hidden_sizes=[8, 16],
      depths=[1, 2],
      num_stages=2,
    )


if __name__ == '__main__':
  absltest.main()
