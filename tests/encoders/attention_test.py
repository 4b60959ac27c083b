"""Tests of the transformer's block."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.encoders import attention


def _run(x, mask):
  block = attention.Block(heads=2, ratio=3)
  hidden = types.Hidden(x, mask)
  variables = block.init(jax.random.key(0), hidden, train=False)
  return block.apply(variables, hidden, train=False).x, variables


class BlockTest(absltest.TestCase):
  def test_padding_is_attended_to_by_none(self):
    x = jax.random.normal(jax.random.key(1), (2, 5, 8))
    mask = jnp.arange(5)[None] < jnp.array([[5], [3]])
    one, _ = _run(x, mask)
    other, _ = _run(x.at[1, 3:].set(100.0), mask)
    np.testing.assert_array_equal(one[1, :3], other[1, :3])
    alone, _ = _run(x[1:, :3], mask[1:, :3])
    np.testing.assert_allclose(one[1:, :3], alone, atol=1e-5)

  def test_items_of_a_study_do_not_see_each_other(self):
    x = jax.random.normal(jax.random.key(1), (2, 3, 4, 8))
    mask = jnp.array([[True, True, False]] * 2)
    one, _ = _run(x, mask)
    flat, _ = _run(x.reshape(6, 4, 8), jnp.ones((6, 4), bool))
    np.testing.assert_allclose(one.reshape(6, 4, 8), flat, atol=1e-5)

  def test_tokens_are_exchangeable(self):
    x = jax.random.normal(jax.random.key(1), (1, 4, 8))
    order = jnp.array([2, 0, 3, 1])
    mask = jnp.ones((1, 4), bool)
    one, _ = _run(x, mask)
    other, _ = _run(x[:, order], mask)
    np.testing.assert_allclose(one[:, order], other, atol=1e-5)

  def test_parameters(self):
    _, variables = _run(jnp.ones((1, 4, 8)), jnp.ones((1, 4), bool))
    count = sum(x.size for x in jax.tree.leaves(variables))
    # Attention, two norms, and an MLP three times as wide.
    self.assertEqual(count, 4 * (8 * 8 + 8) + 4 * 8 + 8 * 24 + 24 + 24 * 8 + 8)


if __name__ == '__main__':
  absltest.main()
