"""Tests of what combiners claim of interactions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.fusion import protocol
from tests.fusion import examples

STEPS = 400


def _losses(combiner, features, present, labels):
  """Of each step of Adam on all studies."""
  optimizer = optax.adam(0.01)

  def loss(params):
    logits, _ = combiner.apply(params, features, present, train=False)
    return optax.sigmoid_binary_cross_entropy(logits[:, 0], labels).mean()

  def one(carry, _):
    params, state = carry
    value, gradients = jax.value_and_grad(loss)(params)
    updates, state = optimizer.update(gradients, state)
    return (optax.apply_updates(params, updates), state), value

  init = functools.partial(combiner.init, train=False)
  params = jax.jit(init)(jax.random.key(0), features, present)
  run = jax.jit(
    lambda p: jax.lax.scan(one, (p, optimizer.init(p)), None, STEPS)[1]
  )
  return np.asarray(run(params))


@pytest.mark.slow
class InteractionsTest(parameterized.TestCase):
  @parameterized.parameters(*protocol.COMBINERS.names())
  def test_exclusive_or_is_learnt_where_interactions_are_claimed(self, name):
    """Of two signs; no sum of a function of each can tell it."""
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32)
    features = {
      m: types.Features.of_vector(
        jnp.concatenate([x[:, None], -0.5 * x[:, None]], 1)
      )
      for m, x in zip(('ct', 'labs'), signs.T, strict=True)
    }
    present = {m: jnp.ones(4, bool) for m in features}
    labels = jnp.asarray(signs.prod(1) > 0, jnp.float32)
    combiner = protocol.COMBINERS.build(
      examples.SMALL.get(name, name), num_outputs=1
    )
    losses = _losses(combiner, features, present, labels)
    if protocol.COMBINERS.get(name).claims['interactions']:
      self.assertLess(losses[-1], 0.2)
    else:
      self.assertGreater(losses.min(), np.log(2) - 1e-4)


if __name__ == '__main__':
  absltest.main()
