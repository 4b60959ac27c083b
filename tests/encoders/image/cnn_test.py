"""Tests of the compact CNN of images."""

import jax.numpy as jnp
from absl.testing import absltest, parameterized

from tests.encoders import encoding


class CNNTest(parameterized.TestCase):
  @parameterized.parameters((32, 4 * 4), (64, 8 * 8), (256, 8 * 8))
  def test_positions_that_are_left(self, side, positions):
    inputs = {
      'pixels': jnp.ones((2, 1, side, side, 1)),
      'mask': jnp.ones((2, 1), bool),
    }
    features, variables = encoding.shapes('image', 'cnn', inputs)
    self.assertEqual(features.tokens.shape, (2, positions, 128))
    stages = [k for k in variables['params'] if k.startswith('stages')]
    self.assertLen(stages, 4)


if __name__ == '__main__':
  absltest.main()
