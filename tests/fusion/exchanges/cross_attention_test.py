"""Tests of attention between what encoders hold."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.fusion import protocol
from tests.fusion.exchanges import daft_test


class CrossAttentionTest(absltest.TestCase):
  def test_each_position_finds_something_in_the_other_modality(self):
    """By two loops over positions, of one head."""
    one, two = jax.random.split(jax.random.key(0))
    mask = jnp.array([[True, True, False], [True, True, True]])
    hidden = {
      'ct': types.Hidden(
        jax.random.normal(one, (2, 2, 2, 5)), jnp.ones(2, bool)
      ),
      'labs': types.Hidden(jax.random.normal(two, (2, 3, 4)), mask),
    }
    params, changed = daft_test.run(
      'cross_attention(onto=(ct,),width=6,heads=1)', hidden, daft_test.PRESENT
    )

    def norm(m, x):
      layer = params[f'norm_{m}']
      x = (x - x.mean()) / np.sqrt(x.var() + 1e-6)
      return x * layer['scale'] + layer['bias']

    pair = params['labs_to_ct']

    def project(name, x):
      return x @ pair[name]['kernel'][:, 0] + pair[name]['bias'][0]

    queries = np.asarray(hidden['ct'].x[0]).reshape(4, 5)
    keys = [norm('labs', np.asarray(x)) for x in hidden['labs'].x[0, :2]]
    for t, x in enumerate(queries):
      query = project('query', norm('ct', x))
      scores = [query @ project('key', k) / np.sqrt(6) for k in keys]
      shares = np.exp(scores) / np.exp(scores).sum()
      value = sum(
        s * project('value', k) for s, k in zip(shares, keys, strict=True)
      )
      exact = x + value @ pair['out']['kernel'][0] + pair['out']['bias']
      np.testing.assert_allclose(
        changed['ct'].x[0].reshape(4, 5)[t], exact, rtol=1e-3, atol=1e-4
      )
    np.testing.assert_array_equal(changed['ct'].x[1], hidden['ct'].x[1])
    np.testing.assert_array_equal(changed['labs'].x, hidden['labs'].x)

  def test_heads_that_cannot_share_the_width(self):
    with self.assertRaisesRegex(errors.UserError, 'a multiple of heads'):
      protocol.EXCHANGES.build('cross_attention(width=5)')


if __name__ == '__main__':
  absltest.main()
