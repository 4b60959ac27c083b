import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders import protocol


def _encode(inputs, params=None):
  module = protocol.encoders('image').build('resnet', axis_name=None)

  def run(module, inputs):
    hidden = module.stem(inputs, train=False)
    for stage in module.stages:
      hidden = stage(hidden, train=False)
    return module.readout(hidden, train=False)

  if params is None:
    params = jax.jit(lambda key: module.init(key, inputs, method=run))(
      jax.random.key(0)
    )
  return jax.jit(lambda p, x: module.apply(p, x, method=run))(params, inputs)


class ResNetTest(parameterized.TestCase):
  @parameterized.parameters((8, 1, 1), (16, 3, 2), (15, 2, 1))
  def test_shapes(self, size, channels, images):
    inputs = {
      'pixels': jnp.ones((4, images, size, size, channels)),
      'mask': jnp.ones((4, images), bool),
    }
    features = _encode(inputs)
    self.assertEqual(features.pooled.shape, (4, 64))
    self.assertEqual(features.tokens.shape[::2], (4, 64))
    self.assertEqual(features.token_mask.shape, features.tokens.shape[:2])

  def test_images_of_a_study_are_exchangeable_and_masked_ones_count_nothing(
    self,
  ):
    pixels = jax.random.normal(jax.random.key(0), (2, 3, 8, 8, 1))
    mask = jnp.array([[True, True, False]] * 2)
    full = _encode({'pixels': pixels, 'mask': mask})
    swapped = pixels[:, jnp.array([1, 0, 2])].at[:, 2].set(1e3)
    other = _encode({'pixels': swapped, 'mask': mask})
    np.testing.assert_allclose(full.pooled, other.pooled, atol=1e-5)


if __name__ == '__main__':
  absltest.main()
