import inspect

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.encoders import protocol
from fusion_jax.encoders.vector import raw
from tests.encoders import encoding

INPUTS = {
  'image': {
    'pixels': jnp.ones((2, 1, 8, 8, 1)),
    'mask': jnp.ones((2, 1), bool),
  },
  'volume': {
    'voxels': jnp.ones((2, 4, 4, 4, 1)),
    'mask': jnp.ones(2, bool),
  },
  'series': {
    'time': -jnp.ones((2, 4)),
    'code': jnp.ones((2, 4), jnp.int32),
    'value': jnp.ones((2, 4)),
    'valued': jnp.ones((2, 4)),
    'mask': jnp.ones((2, 4), bool),
  },
  'vector': {'vector': jnp.ones((2, 5))},
  'table': {
    'numeric': jnp.ones((2, 3)),
    'observed': jnp.ones((2, 3)),
    'pieces': jnp.ones((2, 3, 2)),
    'categorical': jnp.zeros((2, 1), jnp.int32),
  },
}
REGISTERED = [
  (kind, name) for kind in INPUTS for name in protocol.encoders(kind).names()
]


class ConformanceTest(parameterized.TestCase):
  @parameterized.parameters(*REGISTERED)
  def test_every_registered_encoder_follows_the_protocol(self, kind, name):
    encoder = encoding.build(kind, name)
    self.assertTrue(protocol.encoders(kind).get(name).summary)
    inputs = {**INPUTS[kind], 'present': jnp.ones(2, bool)}

    def run(encoder, inputs):
      hidden = encoder.stem(inputs, train=False)
      self.assertIsInstance(hidden, types.Hidden)
      for stage in encoder.stages:
        self.assertIn('train', inspect.signature(stage).parameters)
        hidden = stage(hidden, train=False)
        self.assertEqual(hidden.x.shape[:1], (2,))
        leading = hidden.x.shape[: hidden.mask.ndim]
        self.assertEqual(hidden.mask.shape, leading)
      return encoder.readout(hidden, train=False)

    # Of what it gives, the shapes: at their defaults some take long to compile.
    features, _ = jax.eval_shape(
      lambda key: encoder.init_with_output(key, inputs, method=run),
      jax.random.key(0),
    )
    self.assertIsInstance(features, types.Features)
    b, t, c = features.tokens.shape
    self.assertEqual(features.pooled.shape, (b, c))
    self.assertEqual(features.token_mask.shape, (b, t))

  def test_a_reduced_image_is_passed_on(self):
    vector = jnp.arange(10.0).reshape(2, 5)
    encoder = raw.raw()
    hidden = encoder.stem({'vector': vector}, train=False)
    features = encoder.readout(hidden, train=False)
    np.testing.assert_array_equal(features.pooled, vector)


if __name__ == '__main__':
  absltest.main()
