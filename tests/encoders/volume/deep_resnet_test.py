"""Tests of the 3-D ResNet-18."""

import jax.numpy as jnp
from absl.testing import absltest

from tests.encoders import encoding, published


class DeepResNetTest(absltest.TestCase):
  def test_parameters_are_those_published(self):
    """R3D-18 of torchvision, for the 400 classes of Kinetics."""
    self.assertEqual(published.of_clips('deep_resnet'), 33_371_472)

  def test_a_pooled_stem_halves_all_axes_once_more(self):
    inputs = {
      'voxels': jnp.ones((1, 32, 128, 128, 1)),
      'mask': jnp.ones(1, bool),
    }
    part = 'deep_resnet(blocks=(3,8,36,3),bottleneck=true,stem=pooled)'
    features, variables = encoding.shapes('volume', part, inputs)
    self.assertEqual(features.tokens.shape, (1, 2 * 4 * 4, 2048))
    # As inflated from 2-D: the 117.4 M of Merlin, less two channels.
    self.assertEqual(
      encoding.count(variables['params']), 117_366_208 - 2 * 64 * 3 * 49
    )

  def test_slices_are_halved_less_often(self):
    inputs = {'voxels': jnp.ones((1, 16, 64, 64, 1)), 'mask': jnp.ones(1, bool)}
    features, _ = encoding.shapes('volume', 'deep_resnet', inputs)
    self.assertEqual(features.tokens.shape, (1, 2 * 4 * 4, 512))


if __name__ == '__main__':
  absltest.main()
