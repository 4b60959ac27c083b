"""Tests of the 3-D ResNet-18."""

import jax.numpy as jnp
from absl.testing import absltest

from tests.encoders import encoding, published


class DeepResNetTest(absltest.TestCase):
  def test_parameters_are_those_published(self):
    """R3D-18 of torchvision, for the 400 classes of Kinetics."""
    self.assertEqual(published.of_clips('deep_resnet'), 33_371_472)

  def test_slices_are_halved_less_often(self):
    inputs = {'voxels': jnp.ones((1, 16, 64, 64, 1)), 'mask': jnp.ones(1, bool)}
    features, _ = encoding.shapes('volume', 'deep_resnet', inputs)
    self.assertEqual(features.tokens.shape, (1, 2 * 4 * 4, 512))


if __name__ == '__main__':
  absltest.main()
