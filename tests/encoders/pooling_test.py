"""Tests of pooling over the items of a study."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders import pooling

MASK = np.array([[True, False, True], [True, True, True], [False] * 3])


def _pool(how, x, mask=MASK):
  pool = pooling.Pool(how, width=4)
  found, variables = pool.init_with_output(jax.random.key(0), x, mask)
  return found, variables.get('params', {})


class PoolTest(parameterized.TestCase):
  def test_attention_is_what_the_equations_say(self):
    x = np.random.default_rng(0).normal(size=(3, 3, 5)).astype(np.float32)
    found, params = _pool('attention', x)
    v, u, w = (params[k]['kernel'] for k in ('content', 'gate', 'score'))
    for study in range(2):
      items = x[study][MASK[study]]
      scores = (np.tanh(items @ v) / (1 + np.exp(-(items @ u)))) @ w
      weight = np.exp(scores) / np.exp(scores).sum()
      np.testing.assert_allclose(
        found[study], (weight * items).sum(0), atol=1e-5
      )
    np.testing.assert_array_equal(found[2], 0)

  def test_mean(self):
    x = np.random.default_rng(0).normal(size=(3, 3, 5)).astype(np.float32)
    found, params = _pool('mean', x)
    self.assertEmpty(jax.tree.leaves(params))
    np.testing.assert_allclose(found[0], x[0, ::2].mean(0), atol=1e-6)
    np.testing.assert_array_equal(found[2], 0)

  def test_views_know_their_places(self):
    x = np.random.default_rng(0).normal(size=(1, 1, 5)).astype(np.float32)
    x = np.tile(x, (2, 3, 1))
    pool = pooling.Pool('views', width=4)
    mask = np.array([[True, False, False], [False, False, True]])

    def run(variables):
      return pool.apply(
        variables, x, mask, method=lambda p, *a: pooling.features(*a, p)
      )

    variables = pool.init(
      jax.random.key(0), x, mask, method=lambda p, *a: pooling.features(*a, p)
    )
    places = np.asarray(variables['params']['views']['embedding'])
    self.assertEqual(places.shape, (3, 5))
    found = run(variables)
    # One image of a study, as the first or as the last of its views.
    np.testing.assert_allclose(
      found.pooled, x[:, 0] + places[[0, 2]], atol=1e-6
    )
    np.testing.assert_allclose(found.tokens, x + places, atol=1e-6)
    flat = jax.tree.map(np.zeros_like, variables['params']['views'])
    same = run({'params': {**variables['params'], 'views': flat}})
    np.testing.assert_array_equal(same.pooled[0], same.pooled[1])

  @parameterized.parameters('mean', 'attention', 'views')
  def test_what_is_masked_may_hold_anything(self, how):
    x = np.random.default_rng(0).normal(size=(3, 3, 5)).astype(np.float32)
    dirty = np.where(MASK[..., None], x, np.nan)
    np.testing.assert_array_equal(_pool(how, x)[0], _pool(how, dirty)[0])

  def test_features_of_maps(self):
    x = np.random.default_rng(0).normal(size=(3, 3, 2, 4, 5))
    pool = pooling.Pool('mean').bind({})
    found = pooling.features(x, MASK, pool)
    self.assertEqual(found.tokens.shape, (3, 24, 5))
    np.testing.assert_allclose(
      found.pooled[0], x[0, ::2].mean((0, 1, 2)), atol=1e-6
    )
    np.testing.assert_array_equal(found.token_mask, np.repeat(MASK, 8, axis=1))
    given = pooling.features(x, MASK, pool, items=x[:, :, 0, 0])
    np.testing.assert_allclose(
      given.pooled[0], x[0, ::2, 0, 0].mean(0), atol=1e-6
    )


if __name__ == '__main__':
  absltest.main()
