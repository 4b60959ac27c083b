"""Tests of features as tokens of one width."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.fusion import tokens
from tests.fusion import examples


class TokensTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.found, self.present = examples.features(tokens=3, ct=3, labs=2)

  def test_all_tokens(self):
    module = tokens.Tokens(5)
    variables = module.init(jax.random.key(0), self.found, self.present)
    variables = jax.tree.map(lambda x: x + 0.1, variables)
    x, masks = module.apply(variables, self.found, self.present)
    for m, features in self.found.items():
      exact = examples.dense(variables['params'][m], features.tokens)
      here = features.token_mask[..., None]
      np.testing.assert_allclose(x[m], np.where(here, exact, 0), rtol=1e-5)
      np.testing.assert_array_equal(masks[m], features.token_mask)
    self.assertEqual(masks['labs'][0].tolist(), [True, True, False])

  def test_what_is_marked_absent_is_masked_whatever_it_says(self):
    nobody = {m: jnp.zeros(4, bool) for m in self.found}
    module = tokens.Tokens(5)
    variables = module.init(jax.random.key(0), self.found, nobody)
    x, masks = module.apply(variables, self.found, nobody)
    for m in self.found:
      np.testing.assert_array_equal(x[m], 0)
      self.assertFalse(masks[m].any())

  def test_one_token_a_modality(self):
    module = tokens.Pooled(5)
    variables = module.init(jax.random.key(0), self.found, self.present)
    variables = jax.tree.map(lambda x: x + 0.1, variables)
    x, here = module.apply(variables, self.found, self.present)
    self.assertEqual(x.shape, (4, 2, 5))
    np.testing.assert_array_equal(here, examples.flags(self.present))
    exact = examples.dense(
      variables['params']['labs'], self.found['labs'].pooled
    )
    np.testing.assert_allclose(x[::2, 1], exact[::2], rtol=1e-5)
    np.testing.assert_array_equal(x[1::2, 1], 0)


if __name__ == '__main__':
  absltest.main()
