"""Tests of the residual MLP."""

import flax.linen as nn
import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.encoders.table import resnet
from tests.encoders import encoding
from tests.encoders.table import columns


class ResNetTest(parameterized.TestCase):
  def test_a_block_is_what_the_paper_says(self):
    x = jax.random.normal(jax.random.key(0), (4, 6))
    hidden = types.Hidden.of_vector(x)
    block = resnet.Block(ratio=2, dropout=0.5)
    variables = block.init(jax.random.key(1), hidden, train=False)
    p = variables['params']
    y = nn.LayerNorm().apply({'params': p['LayerNorm_0']}, x)
    y = np.maximum(y @ p['Dense_0']['kernel'] + p['Dense_0']['bias'], 0)
    expected = x + y @ p['Dense_1']['kernel'] + p['Dense_1']['bias']
    np.testing.assert_allclose(
      block.apply(variables, hidden, train=False).x, expected, atol=1e-5
    )

  def test_parameters(self):
    inputs = columns.make(8, 0)
    for part, columns_in in (
      ('resnet(width=16,depth=3)', 16),
      ('resnet(width=16,depth=3,numeric=piecewise)', 16 + 8 * 8),
    ):
      _, variables = encoding.shapes('table', part, inputs)
      found = variables['params']
      found.pop('numbers', None)
      first = columns_in * 16 + 16
      block = 2 * 16 + 16 * 32 + 32 + 32 * 16 + 16
      self.assertEqual(encoding.count(found), first + 3 * block + 2 * 16)

  @parameterized.parameters('periodic', 'piecewise')
  def test_embedded_numbers_count(self, how):
    inputs = columns.make()
    encode = encoding.Encoded('table', f'resnet(width=8,numeric={how})', inputs)
    params = {**encode.params}
    params['numbers'] = jax.tree.map(lambda x: 2 * x, params['numbers'])
    one, two = encode(inputs), encode(inputs, {'params': params})
    self.assertGreater(float(abs(one.pooled - two.pooled).max()), 1e-3)


if __name__ == '__main__':
  absltest.main()
