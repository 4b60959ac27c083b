"""Tests of attention with its weights, against flax's without."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.fusion import attention
from tests.fusion import examples

MASK = jnp.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], bool)


def _tokens():
  one, two = jax.random.split(jax.random.key(0))
  return (
    jax.random.normal(one, (3, 4, 6)),
    jax.random.normal(two, (3, 5, 7)),
  )


def _as_learnt(module, *inputs):
  variables = jax.jit(lambda: module.init(jax.random.key(0), *inputs, **OFF))()
  leaves, tree = jax.tree.flatten(variables)
  return tree.unflatten(
    jax.random.normal(jax.random.key(k), x.shape) for k, x in enumerate(leaves)
  )


OFF = {'train': False}


class SharesTest(absltest.TestCase):
  def test_softmax_of_what_is_here(self):
    scores = jnp.array([[1.0, 2.0, 50.0], [1.0, 2.0, 3.0]])
    here = jnp.array([[True, True, False], [False, False, False]])
    found = attention.shares(scores, here, axis=1)
    e = np.exp(1)
    np.testing.assert_allclose(
      found, [[1 / (1 + e), e / (1 + e), 0], [0, 0, 0]], rtol=1e-5
    )
    gradient = jax.grad(
      lambda x: (attention.shares(x, here, axis=1) ** 2).sum()
    )(scores)
    np.testing.assert_array_equal(gradient[0, 2], 0)
    np.testing.assert_array_equal(gradient[1], 0)


class AttentionTest(absltest.TestCase):
  def test_is_that_of_flax(self):
    query, context = _tokens()
    module = attention.Attention(heads=2)
    variables = _as_learnt(module, query, context, MASK)
    y, weights = module.apply(variables, query, context, MASK, **OFF)
    exact = nn.MultiHeadDotProductAttention(2).apply(
      variables, query, context, mask=MASK[:, None, None, :]
    )
    np.testing.assert_allclose(y[::2], exact[::2], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(weights[::2].sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(weights[0, ..., [2, 4]], 0)

  def test_nothing_to_attend_to(self):
    query, context = _tokens()
    module = attention.Attention(heads=2, width=4)
    variables = _as_learnt(module, query, context, MASK)
    y, weights = module.apply(variables, query, context, MASK, **OFF)
    np.testing.assert_array_equal(y[1], 0)
    np.testing.assert_array_equal(weights[1], 0)
    self.assertEqual(variables['params']['query']['kernel'].shape, (6, 2, 2))


class CrossBlockTest(absltest.TestCase):
  def test_attention_and_an_mlp_around_shortcuts(self):
    query, context = _tokens()
    module = attention.CrossBlock(heads=2)
    variables = _as_learnt(module, query, context, MASK)
    found, weights = module.apply(variables, query, context, MASK, **OFF)
    params = variables['params']

    def norm(layer, x):
      x = np.asarray(x)
      gap = x - x.mean(-1, keepdims=True)
      x = gap / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
      return x * layer['scale'] + layer['bias']

    y, same = attention.Attention(heads=2).apply(
      {'params': params['attention']},
      norm(params['norm_query'], query),
      norm(params['norm_context'], context),
      MASK,
      **OFF,
    )
    x = query + y
    hidden = examples.dense(params['hidden'], norm(params['LayerNorm_0'], x))
    exact = x + examples.dense(
      params['back'], jax.nn.gelu(hidden, approximate=False)
    )
    np.testing.assert_allclose(found[::2], exact[::2], rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(found[1], query[1])
    np.testing.assert_allclose(weights, same, rtol=1e-4, atol=1e-5)


if __name__ == '__main__':
  absltest.main()
