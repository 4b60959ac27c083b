"""Tests of the hidden layer."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.encoders import dense


class DenseTest(absltest.TestCase):
  def test_is_an_affine_map_a_relu_and_dropout(self):
    x = jax.random.normal(jax.random.key(0), (4, 3))
    layer = dense.Dense(256, 0.5)
    hidden = types.Hidden.of_vector(x)
    variables = layer.init(jax.random.key(1), hidden, train=False)
    inner = variables['params']['Dense_0']
    exact = jnp.maximum(x @ inner['kernel'] + inner['bias'], 0)
    found = layer.apply(variables, hidden, train=False).x
    np.testing.assert_allclose(found, exact, atol=1e-5)
    dropped = layer.apply(
      variables, hidden, train=True, rngs={'dropout': jax.random.key(2)}
    ).x
    kept = dropped[exact > 0] > 0
    np.testing.assert_allclose(
      dropped[exact > 0], np.where(kept, 2 * exact[exact > 0], 0), atol=1e-5
    )
    self.assertBetween(float(kept.mean()), 0.4, 0.6)


if __name__ == '__main__':
  absltest.main()
