"""Tests of recurrent layers with masks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.encoders import recurrent

MASK = np.array([[0, 1, 1, 0, 1], [1, 1, 1, 1, 1], [0] * 5], bool)


def _layer(cell, x):
  layer = recurrent.Layer(cell, 4)
  hidden = types.Hidden(x, MASK)
  variables = layer.init(jax.random.key(0), hidden, train=False)
  return layer.apply(variables, hidden, train=False), variables


class LayerTest(parameterized.TestCase):
  @parameterized.parameters('gru', 'lstm')
  def test_is_the_cell_over_the_steps_that_are_there(self, cell):
    x = jax.random.normal(jax.random.key(1), (3, 5, 3))
    found, variables = _layer(cell, x)
    made = {'gru': nn.GRUCell, 'lstm': nn.OptimizedLSTMCell}[cell](4)
    params = {'params': next(iter(variables['params'].values()))}
    for study in range(3):
      carry = made.initialize_carry(jax.random.key(0), (3,))
      y = jnp.zeros(4)
      for t in range(5):
        if MASK[study, t]:
          carry, y = made.apply(params, carry, x[study, t])
          np.testing.assert_allclose(found.x[study, t], y, atol=1e-5)
        else:
          np.testing.assert_array_equal(found.x[study, t], 0)
      np.testing.assert_allclose(recurrent.last(found)[study], y, atol=1e-5)

  @parameterized.parameters('gru', 'lstm')
  def test_keeps_half_precision(self, cell):
    x = jnp.ones((3, 5, 3), jnp.bfloat16)
    layer = recurrent.Layer(cell, 4)
    hidden = types.Hidden(x, MASK)
    variables = layer.init(jax.random.key(0), hidden, train=False)
    half = jax.tree.map(lambda p: p.astype(jnp.bfloat16), variables)
    found = layer.apply(half, hidden, train=False)
    self.assertEqual(found.x.dtype, jnp.bfloat16)
    # As at the start, when parameters are not cast yet.
    mixed = layer.apply(variables, hidden, train=False)
    np.testing.assert_allclose(mixed.x, found.x.astype(jnp.float32), atol=0.05)


if __name__ == '__main__':
  absltest.main()
