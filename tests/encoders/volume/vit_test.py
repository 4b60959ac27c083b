"""Tests of the vision transformer of volumes."""

import jax
import jax.numpy as jnp
from absl.testing import absltest

from tests.encoders import encoding


class ViTTest(absltest.TestCase):
  def test_patches_are_boxes(self):
    inputs = {'voxels': jnp.ones((2, 5, 16, 17, 1)), 'mask': jnp.ones(2, bool)}
    features, variables = encoding.shapes(
      'volume', 'vit(width=8,depth=1,heads=2,patch=8,slices=2)', inputs
    )
    self.assertEqual(features.tokens.shape, (2, 3 * 2 * 3, 8))
    patches = variables['params']['patches']
    self.assertEqual(patches['embed']['kernel'].shape, (2, 8, 8, 1, 8))
    self.assertEqual(patches['positions'].shape, (1 + 18, 8))

  def test_positions_matter_in_all_three_axes(self):
    voxels = jax.random.normal(jax.random.key(0), (1, 4, 8, 8, 1))
    inputs = {'voxels': voxels, 'mask': jnp.ones(1, bool)}
    part = 'vit(width=8,depth=1,heads=2,patch=4,slices=2)'
    encode = encoding.Encoded('volume', part, inputs)
    one = encode(inputs).pooled
    for axis, side in ((1, 2), (2, 4), (3, 4)):
      turned = {**inputs, 'voxels': jnp.roll(voxels, side, axis)}
      self.assertGreater(float(abs(encode(turned).pooled - one).max()), 1e-3)


if __name__ == '__main__':
  absltest.main()
