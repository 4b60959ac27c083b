"""What holds for every table encoder that is registered."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders import protocol
from tests.encoders import encoding
from tests.encoders.table import columns

EMBEDDED = [
  f'{name}(numeric={how})'
  for name in ('ft_transformer', 'resnet')
  for how in ('periodic', 'piecewise')
]
PARTS = [*protocol.encoders('table').names(), *EMBEDDED]


class ColumnsTest(parameterized.TestCase):
  @parameterized.product(part=PARTS, shape=((3, 2), (3, 0), (0, 2)))
  def test_any_mix_of_columns(self, part, shape):
    inputs = {**columns.make(*shape), 'present': jnp.ones(5, bool)}
    features, variables = encoding.shapes('table', part, inputs)
    self.assertEqual(features.pooled.shape[0], 5)
    self.assertEqual(features.tokens.shape[::2], features.pooled.shape)
    self.assertTrue(all(x.size for x in jax.tree.leaves(variables)))

  @parameterized.parameters(*PARTS)
  def test_what_an_unobserved_number_holds_does_not_matter(self, part):
    inputs = {**columns.make(), 'present': jnp.ones(5, bool)}
    encode = encoding.Encoded('table', part, inputs)
    clean = encode(inputs).pooled
    self.assertTrue(np.isfinite(clean).all())
    for garbage in (1e9, jnp.nan, -jnp.inf):
      dirty = {**inputs, 'numeric': inputs['numeric'].at[0].set(garbage)}
      np.testing.assert_array_equal(clean, encode(dirty).pooled)

  @parameterized.parameters(*EMBEDDED, 'linear', 'ft_transformer', 'resnet')
  def test_gradients_reach_all(self, part):
    inputs = columns.make()
    encode = encoding.Encoded('table', part, inputs)
    gradients = encode.gradients(inputs)['params']
    for path, x in jax.tree_util.tree_leaves_with_path(gradients):
      self.assertTrue(np.isfinite(x).all(), path)
      # The attention's key bias moves all scores alike.
      if 'key' not in str(path) or 'bias' not in str(path):
        self.assertGreater(float(abs(x).max()), 0, path)


if __name__ == '__main__':
  absltest.main()
