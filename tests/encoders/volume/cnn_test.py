"""Tests of the compact 3-D CNN."""

import jax.numpy as jnp
from absl.testing import absltest, parameterized

from tests.encoders import encoding


class CNNTest(parameterized.TestCase):
  @parameterized.parameters(
    ((16, 16, 16), 2**3), ((32, 32, 32), 4**3), ((64, 128, 128), 4 * 8 * 8)
  )
  def test_positions_that_are_left(self, size, positions):
    inputs = {'voxels': jnp.ones((1, *size, 1)), 'mask': jnp.ones(1, bool)}
    features, _ = encoding.shapes('volume', 'cnn', inputs)
    self.assertEqual(features.tokens.shape, (1, positions, 64))


if __name__ == '__main__':
  absltest.main()
