"""Tests of a vector as tokens."""

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from tests.encoders import encoding


class TokensTest(absltest.TestCase):
  def test_tokens_are_linear_maps_of_the_vector(self):
    inputs = {'vector': jnp.arange(6.0).reshape(2, 3) / 3}
    encode = encoding.Encoded('vector', 'tokens(number=5,width=8)', inputs)
    found = encode(inputs)
    self.assertEqual(found.tokens.shape, (2, 5, 8))
    self.assertTrue(found.token_mask.all())
    np.testing.assert_allclose(
      found.pooled, found.tokens.mean(axis=1), atol=1e-5
    )
    hidden = encode.encoder.apply(
      encode.variables, inputs, train=False, method='stem'
    )
    first = encode.params['first']
    expected = (
      jnp.einsum('bc,ctw->btw', inputs['vector'], first['kernel'])
      + first['bias']
    )
    np.testing.assert_allclose(hidden.x, expected, atol=1e-5)

  def test_gradients_reach_all(self):
    inputs = {'vector': jnp.arange(6.0).reshape(2, 3) / 3}
    part = 'tokens(number=3,width=8,heads=2)'
    gradients = encoding.Encoded('vector', part, inputs).gradients(inputs)
    for x in gradients['params']['first'].values():
      self.assertTrue(np.isfinite(x).all())
      self.assertGreater(float(abs(x).max()), 0)


if __name__ == '__main__':
  absltest.main()
