"""Tests of the dynamic affine feature map transform."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.fusion import protocol
from tests.fusion import examples

PRESENT = {
  'ct': jnp.ones(2, bool),
  'labs': jnp.array([True, False]),
}


def _hidden():
  one, two = jax.random.split(jax.random.key(0))
  return {
    'ct': types.Hidden(jax.random.normal(one, (2, 4, 4, 3)), jnp.ones(2, bool)),
    'labs': types.Hidden.of_vector(jax.random.normal(two, (2, 5))),
  }


def run(spec, hidden, present):
  """Parameters in NumPy, as if learnt, and what becomes of `hidden`."""
  exchange = protocol.EXCHANGES.build(spec)
  variables = exchange.init(jax.random.key(1), hidden, present, train=False)
  leaves, tree = jax.tree.flatten(variables)
  variables = tree.unflatten(
    jax.random.normal(jax.random.key(k), x.shape) for k, x in enumerate(leaves)
  )
  changed = exchange.apply(variables, hidden, present, train=False)
  return jax.tree.map(np.asarray, variables['params']), changed


class DAFTTest(absltest.TestCase):
  def test_scales_and_shifts_by_the_table_and_the_channels_means(self):
    hidden = _hidden()
    params, changed = run('daft(onto=(ct,))', hidden, PRESENT)
    x, table = np.asarray(hidden['ct'].x), np.asarray(hidden['labs'].x)
    squeezed = np.concatenate([x[0].mean((0, 1)), table[0]])
    squeeze, out = (
      params[f'labs_to_ct_{k}']['kernel'] for k in ('squeeze', 'out')
    )
    self.assertEqual(squeeze.shape, (3 + 5, 7))
    alpha, beta = np.split(examples.relu(squeezed @ squeeze) @ out, 2)
    np.testing.assert_allclose(
      changed['ct'].x[0], (1 + alpha) * x[0] + beta, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_array_equal(changed['ct'].x[1], x[1])
    np.testing.assert_array_equal(changed['labs'].x, table)
    self.assertEqual(set(params), {'labs_to_ct_squeeze', 'labs_to_ct_out'})

  def test_wrong_arguments(self):
    with self.assertRaisesRegex(errors.UserError, r'daft\(bottleneck=0\)'):
      protocol.EXCHANGES.build('daft(bottleneck=0)')


if __name__ == '__main__':
  absltest.main()
