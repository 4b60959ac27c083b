import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders.image import resnet


def _encode(module, inputs, params=None):
  def run(module, inputs):
    hidden = module.stem(inputs, train=False)
    for stage in module.stages:
      hidden = stage(hidden, train=False)
    return module.readout(hidden, train=False)

  if params is None:
    init = functools.partial(module.init, method=run)
    params = jax.jit(init)(jax.random.key(0), inputs)
  apply = functools.partial(module.apply, method=run)
  return jax.jit(apply)(params, inputs), params


class ResNetTest(parameterized.TestCase):
  @parameterized.parameters((8, 1, 1), (16, 3, 2), (15, 2, 1))
  def test_shapes(self, size, channels, images):
    inputs = {
      'pixels': jnp.ones((4, images, size, size, channels)),
      'mask': jnp.ones((4, images), bool),
    }
    features, _ = _encode(resnet.resnet(), inputs)
    self.assertEqual(features.pooled.shape, (4, 64))
    self.assertEqual(features.tokens.shape[::2], (4, 64))
    self.assertEqual(features.token_mask.shape, features.tokens.shape[:2])

  def test_images_of_a_study_are_exchangeable_and_masked_ones_count_nothing(
    self,
  ):
    pixels = jax.random.normal(jax.random.key(0), (2, 3, 8, 8, 1))
    mask = jnp.array([[True, True, False]] * 2)
    full, params = _encode(resnet.resnet(), {'pixels': pixels, 'mask': mask})
    swapped = pixels[:, jnp.array([1, 0, 2])].at[:, 2].set(1e3)
    other, _ = _encode(
      resnet.resnet(), {'pixels': swapped, 'mask': mask}, params
    )
    np.testing.assert_allclose(full.pooled, other.pooled, atol=1e-5)

  def test_a_study_is_encoded_alike_in_any_batch(self):
    pixels = jax.random.normal(jax.random.key(0), (4, 1, 8, 8, 1))
    mask = jnp.ones((4, 1), bool)
    whole, params = _encode(resnet.resnet(), {'pixels': pixels, 'mask': mask})
    alone, _ = _encode(
      resnet.resnet(), {'pixels': pixels[2:3], 'mask': mask[2:3]}, params
    )
    np.testing.assert_allclose(whole.pooled[2:3], alone.pooled, atol=1e-5)


if __name__ == '__main__':
  absltest.main()
