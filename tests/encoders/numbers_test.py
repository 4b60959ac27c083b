"""Tests of embeddings of numbers against their equations."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders import numbers
from tests.encoders.table import columns


class NumbersTest(parameterized.TestCase):
  @parameterized.parameters('plain', 'periodic', 'piecewise')
  def test_is_what_the_equations_say(self, how):
    inputs = columns.make(numeric=3)
    module = numbers.Numbers(how, 4)
    variables = module.init(jax.random.key(0), inputs)
    found = module.apply(variables, inputs)
    p = jax.tree.map(np.asarray, variables['params'])
    self.assertEqual(found.shape, (5, 3, 4))
    for study in range(5):
      for f in range(3):
        x = np.asarray(inputs['numeric'])[study, f]
        if not inputs['observed'][study, f]:
          expected = p['missing'][f]
        else:
          parts = {
            'plain': lambda f, x: np.array([x]),
            'periodic': lambda f, x: np.concatenate(
              [
                wave(2 * np.pi * p['Periodic_0']['frequency'][f] * x)
                for wave in (np.sin, np.cos)
              ]
            ),
            'piecewise': lambda f, x, s=study: inputs['pieces'][s, f],
          }[how](f, x)
          expected = parts @ p['weight'][f] + p['bias'][f]
          if how == 'periodic':
            expected = np.maximum(expected, 0)
        np.testing.assert_allclose(found[study, f], expected, atol=1e-5)

  def test_no_column_has_no_parameters(self):
    inputs = columns.make(numeric=0)
    found, variables = numbers.Numbers('plain', 4).init_with_output(
      jax.random.key(0), inputs
    )
    self.assertEqual(found.shape, (5, 0, 4))
    self.assertEmpty(jax.tree.leaves(variables))


if __name__ == '__main__':
  absltest.main()
