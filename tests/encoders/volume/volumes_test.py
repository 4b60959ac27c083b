"""What holds for every volume encoder that is registered."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders import protocol
from tests.encoders import encoding

NAMES = protocol.encoders('volume').names()


def _inputs(*shape):
  voxels = jax.random.normal(jax.random.key(0), shape)
  return {'voxels': voxels, 'mask': jnp.arange(shape[0]) < 2}


class VolumesTest(parameterized.TestCase):
  @parameterized.product(
    name=NAMES, shape=((8, 8, 8, 1), (1, 1, 1, 1), (7, 20, 33, 2))
  )
  def test_any_size_and_number_of_channels(self, name, shape):
    features, _ = encoding.shapes('volume', name, _inputs(3, *shape))
    b, c = features.pooled.shape
    self.assertEqual(b, 3)
    self.assertGreater(features.tokens.shape[1], 0)
    self.assertEqual(features.tokens.shape[::2], (3, c))
    self.assertEqual(features.token_mask.shape, features.tokens.shape[:2])

  @parameterized.parameters(*NAMES)
  def test_an_absent_volume_counts_nothing_and_studies_are_alone(self, name):
    inputs = _inputs(3, 6, 7, 8, 2)
    encode = encoding.Encoded('volume', encoding.small('volume', name), inputs)
    other = {**inputs, 'voxels': inputs['voxels'].at[1].set(0.5)}
    one, two = encode(inputs), encode(other)
    np.testing.assert_array_equal(one.pooled[2], 0)
    np.testing.assert_array_equal(
      one.token_mask.all(axis=1), [True, True, False]
    )
    np.testing.assert_allclose(one.pooled[0], two.pooled[0], atol=1e-5)
    self.assertGreater(float(abs(one.pooled[1] - two.pooled[1]).max()), 1e-3)


if __name__ == '__main__':
  absltest.main()
