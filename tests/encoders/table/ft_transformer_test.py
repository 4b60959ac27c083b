"""Tests of the FT-Transformer."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.encoders.table import ft_transformer
from tests.encoders import encoding
from tests.encoders.table import columns


class FTTransformerTest(absltest.TestCase):
  def test_parameters_are_those_of_the_paper(self):
    """Of the authors' package (rtdl 0.0.13) for 8 numbers, without the head.

    Its default has 3 blocks of width 192 whose ReGLU is 256 wide.
    """
    _, variables = encoding.shapes(
      'table', 'ft_transformer', columns.make(8, 0)
    )
    norm = 2 * 192
    attention = 4 * (192 * 192 + 192)
    mlp = 192 * 512 + 512 + 256 * 192 + 192
    # The first block has no norm before its attention; the last one is read.
    blocks = 3 * (attention + mlp) + (3 + 2 + 1) * norm
    tokens = 192 + 8 * 192 + 8 * 192
    missing = 8 * 192  # Ours alone.
    self.assertEqual(encoding.count(variables), tokens + blocks + missing)

  def test_columns_are_a_set_of_tokens(self):
    """Two columns and their parameters change places: nothing else does."""
    inputs = columns.make(3, 2)
    part = 'ft_transformer(width=8,heads=2,depth=2)'
    encode = encoding.Encoded('table', part, inputs)
    order = np.array([2, 0, 1])
    moved = {
      k: x if k == 'categorical' else x[:, order] for k, x in inputs.items()
    }
    params = jax.tree.map(lambda x: x, encode.params)
    number = params['tokens']['Numbers_0']
    params['tokens']['Numbers_0'] = {k: x[order] for k, x in number.items()}
    one, two = encode(inputs), encode(moved, {'params': params})
    np.testing.assert_allclose(one.pooled, two.pooled, atol=1e-5)
    np.testing.assert_allclose(
      one.tokens[:, order], two.tokens[:, :3], atol=1e-5
    )
    self.assertEqual(one.tokens.shape, (5, 5, 8))

  def test_a_block_is_what_the_paper_says(self):
    x = jax.random.normal(jax.random.key(0), (2, 4, 6))
    hidden = types.Hidden(x, jnp.ones((2, 4), bool))
    for first in (True, False):
      block = ft_transformer.Block(heads=2, dropout=0.2, first=first)
      variables = block.init(jax.random.key(1), hidden, train=False)
      p = variables['params']
      seen, rest = x, 'LayerNorm_0'
      if not first:
        seen, rest = nn.LayerNorm().apply({'params': p[rest]}, x), 'LayerNorm_1'
      y = x + nn.MultiHeadDotProductAttention(2).apply(
        {'params': p['MultiHeadDotProductAttention_0']}, seen
      )
      z = nn.LayerNorm().apply({'params': p[rest]}, y)
      z = z @ p['Dense_0']['kernel'] + p['Dense_0']['bias']
      z = z[..., :8] * jnp.maximum(z[..., 8:], 0)
      expected = y + z @ p['Dense_1']['kernel'] + p['Dense_1']['bias']
      np.testing.assert_allclose(
        block.apply(variables, hidden, train=False).x, expected, atol=1e-5
      )

  def test_heads_that_do_not_divide_the_width(self):
    with self.assertRaisesRegex(
      errors.UserError, r'ft_transformer\(width=10,heads=8\): width has to be'
    ):
      encoding.build('table', 'ft_transformer(width=10)')


if __name__ == '__main__':
  absltest.main()
