"""Tests of patches in two and three axes of space."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders import vision_transformer


class PatchesTest(parameterized.TestCase):
  @parameterized.parameters(
    ((5, 4), (2, 3), (3, 2)), ((3, 5, 4), (2, 2, 3), (2, 3, 2))
  )
  def test_each_is_a_linear_map_of_its_box(self, size, sides, grid):
    x = np.random.default_rng(0).normal(size=(2, 1, *size, 3))
    x = x.astype(np.float32)
    module = vision_transformer.Patches(4, sides)
    found, variables = module.init_with_output(jax.random.key(0), x)
    p = jax.tree.map(np.asarray, variables['params'])
    self.assertEqual(found.shape, (2, 1, 1 + np.prod(grid), 4))
    kernel = p['embed']['kernel'].reshape(-1, 4)
    full = np.zeros((*(g * s for g, s in zip(grid, sides, strict=True)), 3))
    full[tuple(slice(0, n) for n in size)] = x[1, 0]  # The rest is the mean.
    for k, at in enumerate(np.ndindex(grid)):
      box = full[
        tuple(slice(i * s, i * s + s) for i, s in zip(at, sides, strict=True))
      ]
      np.testing.assert_allclose(
        found[1, 0, 1 + k],
        box.ravel() @ kernel + p['embed']['bias'] + p['positions'][1 + k],
        atol=1e-5,
      )
    np.testing.assert_allclose(
      found[:, :, 0], np.broadcast_to(p['class'] + p['positions'][0], (2, 1, 4))
    )


if __name__ == '__main__':
  absltest.main()
