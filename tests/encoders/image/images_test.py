"""What holds for every image encoder that is registered."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.encoders import protocol
from tests.encoders import encoding

NAMES = protocol.encoders('image').names()
MASK = np.array([[True, True, False], [True, False, False], [False] * 3])


def _inputs(*shape, mask=None):
  pixels = jax.random.normal(jax.random.key(0), shape)
  mask = jnp.ones(shape[:2], bool) if mask is None else mask
  return {'pixels': pixels, 'mask': mask}


def _attentive(name):
  part = encoding.small('image', name)
  return f'{part[:-1]},pool=attention)'


class ImagesTest(parameterized.TestCase):
  @parameterized.product(
    name=NAMES, shape=((8, 8, 1), (1, 1, 1), (15, 9, 3), (97, 70, 4))
  )
  def test_any_size_and_number_of_channels(self, name, shape):
    inputs = _inputs(2, 3, *shape)
    features, _ = encoding.shapes('image', name, inputs)
    b, c = features.pooled.shape
    self.assertEqual(b, 2)
    self.assertGreater(features.tokens.shape[1], 0)
    self.assertEqual(features.tokens.shape[1] % 3, 0)
    self.assertEqual(features.tokens.shape[::2], (2, c))
    self.assertEqual(features.token_mask.shape, features.tokens.shape[:2])

  @parameterized.parameters(*NAMES)
  def test_images_are_exchangeable_and_masked_ones_count_nothing(self, name):
    inputs = _inputs(3, 3, 9, 8, 2, mask=MASK)
    swapped = {
      **inputs,
      'pixels': inputs['pixels'].at[0, :2].set(inputs['pixels'][0, 1::-1]),
    }
    swapped['pixels'] = jnp.where(
      MASK[..., None, None, None], swapped['pixels'], 7.0
    )
    encode = encoding.Encoded('image', _attentive(name), inputs)
    one, two = encode(inputs), encode(swapped)
    np.testing.assert_allclose(one.pooled, two.pooled, atol=2e-5)
    np.testing.assert_array_equal(one.pooled[2], 0)
    self.assertGreater(float(abs(one.pooled[0] - one.pooled[1]).max()), 1e-3)
    t = one.tokens.shape[1] // 3
    np.testing.assert_array_equal(one.token_mask, np.repeat(MASK, t, axis=1))
    # An image's tokens are its own.
    np.testing.assert_allclose(
      one.tokens[0, :t], two.tokens[0, t : 2 * t], atol=2e-5
    )

  def test_pooling_by_another_name(self):
    with self.assertRaisesRegex(errors.UserError, "'maximum'.*mean, attention"):
      protocol.encoders('image').check('resnet(pool=maximum)')


if __name__ == '__main__':
  absltest.main()
