"""Tests of an image that is a vector already."""

import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.encoders import protocol
from fusion_jax.encoders.vector import raw


class RawVectorTest(absltest.TestCase):
  def test_the_vector_is_the_features(self):
    inputs = {'vector': np.arange(12.0).reshape(3, 4)}

    def run(module, inputs):
      hidden = module.stem(inputs, train=False)
      return module.readout(hidden, train=False)

    module = protocol.encoders('vector').get('raw').build()
    self.assertIsInstance(module, raw.RawVector)
    params = module.init(jax.random.key(0), inputs, method=run)
    self.assertEmpty(jax.tree.leaves(params))
    features = module.apply(params, inputs, method=run)
    np.testing.assert_array_equal(features.pooled, inputs['vector'])
    np.testing.assert_array_equal(features.tokens[:, 0], inputs['vector'])
    self.assertEqual(features.token_mask.shape, (3, 1))
    self.assertTrue(np.all(features.token_mask))


if __name__ == '__main__':
  absltest.main()
