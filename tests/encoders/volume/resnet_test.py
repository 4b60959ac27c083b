import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.encoders import protocol


class ResNetTest(absltest.TestCase):
  def test_shapes_and_independence_of_the_batch(self):
    encoder = protocol.encoders('volume').build(
      'resnet(widths=(4,8))', axis_name=None
    )

    def run(encoder, inputs):
      hidden = encoder.stem(inputs, train=False)
      for stage in encoder.stages:
        hidden = stage(hidden, train=False)
      return encoder.readout(hidden, train=False)

    rng = np.random.default_rng(0)
    inputs = {
      'voxels': rng.normal(size=(3, 8, 10, 12, 2)).astype(np.float32),
      'mask': np.array([True, True, False]),
    }
    params = encoder.init(jax.random.key(0), inputs, method=run)
    found = encoder.apply(params, inputs, method=run)
    # Half of a half of 8 x 10 x 12.
    self.assertEqual(found.tokens.shape, (3, 2 * 3 * 3, 8))
    self.assertEqual(found.pooled.shape, (3, 8))
    np.testing.assert_array_equal(found.pooled[2], 0)
    alone = encoder.apply(
      params, jax.tree.map(lambda x: x[:1], inputs), method=run
    )
    np.testing.assert_allclose(alone.pooled, found.pooled[:1], atol=1e-5)

    def loss(params):
      pooled = encoder.apply(params, inputs, method=run).pooled
      return jnp.sum(pooled**2)

    for x in jax.tree.leaves(jax.grad(loss)(params)):
      self.assertTrue(bool(jnp.isfinite(x).all()))
      self.assertGreater(float(abs(x).max()), 0)


if __name__ == '__main__':
  absltest.main()
