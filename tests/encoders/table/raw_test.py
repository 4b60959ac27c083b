"""Tests of the EHR as it is."""

import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.encoders import protocol
from fusion_jax.encoders.table import raw


class RawEHRTest(absltest.TestCase):
  def test_columns_side_by_side_without_parameters(self):
    inputs = {
      'numeric': np.array([[0.5, 2.0], [0.0, -1.0]], np.float32),
      'observed': np.array([[1.0, 1.0], [0.0, 1.0]], np.float32),
      'categorical': np.array([[2], [0]], np.int32),
    }

    def run(module, inputs):
      hidden = module.stem(inputs, train=False)
      return module.readout(hidden, train=False)

    module = protocol.encoders('table').get('raw').build(levels=3)
    self.assertIsInstance(module, raw.RawEHR)
    params = module.init(jax.random.key(0), inputs, method=run)
    self.assertEmpty(jax.tree.leaves(params))
    features = module.apply(params, inputs, method=run)
    np.testing.assert_array_equal(
      features.pooled, [[0.5, 2, 0, 0, 0, 0, 1], [0, -1, 1, 0, 1, 0, 0]]
    )
    np.testing.assert_array_equal(features.tokens[:, 0], features.pooled)


if __name__ == '__main__':
  absltest.main()
