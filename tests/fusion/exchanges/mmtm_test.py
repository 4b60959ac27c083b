"""Tests of the multimodal transfer module."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from tests.fusion import examples
from tests.fusion.exchanges import daft_test


class MMTMTest(absltest.TestCase):
  def test_is_section_3_2(self):
    one, two = jax.random.split(jax.random.key(0))
    hidden = {
      'ct': types.Hidden(
        jax.random.normal(one, (2, 4, 4, 3)), jnp.ones(2, bool)
      ),
      'labs': types.Hidden.of_vector(jax.random.normal(two, (2, 5))),
    }
    params, changed = daft_test.run('mmtm', hidden, daft_test.PRESENT)
    a, b = np.asarray(hidden['ct'].x), np.asarray(hidden['labs'].x)
    joint = np.concatenate([a[0].mean((0, 1)), b[0]])
    weights = np.concatenate(
      [params[f'squeeze_{m}']['kernel'] for m in ('ct', 'labs')]
    )
    self.assertEqual(weights.shape, (8, 2))
    joint = examples.relu(joint @ weights + params['bias'])
    for m, x in (('ct', a), ('labs', b)):
      gates = 2 * examples.sigmoid(examples.dense(params[f'excite_{m}'], joint))
      np.testing.assert_allclose(
        changed[m].x[0], gates * x[0], rtol=1e-4, atol=1e-5
      )
      np.testing.assert_array_equal(changed[m].x[1], x[1])


if __name__ == '__main__':
  absltest.main()
