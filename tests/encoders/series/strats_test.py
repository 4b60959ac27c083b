"""Tests of STraTS against its equations, written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.encoders.series import strats
from tests.encoders import encoding
from tests.encoders.series import rows as rows_lib

WIDTH, HEADS = 16, 2
SPEC = f'strats(width={WIDTH},heads={HEADS},depth=1)'


def continuous(p, x):
  inner = np.tanh(x[:, None] * p['inner']['kernel'] + p['inner']['bias'])
  return inner @ p['outer']['kernel']


def norm(p, x):
  mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
  return (x - mean) / np.sqrt(var + 1e-6) * p['scale'] + p['bias']


def block(p, x):
  """A block over the rows (t, d) that are there."""
  y, heads = norm(p['LayerNorm_0'], x), p['MultiHeadDotProductAttention_0']
  q, k, v = (
    np.einsum('td,dhe->hte', y, heads[n]['kernel'])
    + heads[n]['bias'][:, None, :]
    for n in ('query', 'key', 'value')
  )
  scores = q @ k.transpose(0, 2, 1) / np.sqrt(WIDTH // HEADS)
  weights = np.exp(scores - scores.max(-1, keepdims=True))
  seen = weights / weights.sum(-1, keepdims=True) @ v
  out = heads['out']
  x = x + np.einsum('hte,hed->td', seen, out['kernel']) + out['bias']
  y = norm(p['LayerNorm_1'], x)
  y = y @ p['Dense_0']['kernel'] + p['Dense_0']['bias']
  y = np.asarray(jax.nn.gelu(y, approximate=False))
  return x + y @ p['Dense_1']['kernel'] + p['Dense_1']['bias']


class StratsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.rows = rows_lib.make()
    self.encoder = encoding.Encoded('series', SPEC, self.rows)

  def test_features_are_those_of_the_equations(self):
    found, p = self.encoder(self.rows), self.encoder.params
    for study, mask in enumerate(rows_lib.MASK):
      if not mask.any():
        np.testing.assert_array_equal(found.pooled[study], 0)
        continue
      row = {k: np.asarray(x[study])[mask] for k, x in self.rows.items()}
      triplets = p['triplets']
      value = continuous(triplets['value'], row['value'])
      hours = -24 * row['time']
      x = (
        triplets['code']['embedding'][row['code']]
        + row['valued'][:, None] * value
        + continuous(triplets['time'], np.log1p(hours) - 2)
      )
      x = norm(p['last'], block(p['stages_0'], x))
      fusion = p['fusion']
      inner = x @ fusion['inner']['kernel'] + fusion['inner']['bias']
      scores = np.tanh(inner) @ fusion['score']['kernel'][:, 0]
      weights = np.exp(scores) / np.exp(scores).sum()
      np.testing.assert_allclose(found.tokens[study][mask], x, atol=1e-5)
      np.testing.assert_allclose(found.pooled[study], weights @ x, atol=1e-5)

  def test_the_hidden_layer_has_the_root_of_the_width(self):
    for width, inner in ((16, 4), (52, 7)):
      found = strats.Continuous(width).init(
        jax.random.key(0), jnp.zeros((1, 1))
      )
      shapes = jax.tree.map(jnp.shape, found['params'])
      self.assertEqual(
        shapes['inner'], {'kernel': (1, inner), 'bias': (inner,)}
      )
      self.assertEqual(shapes['outer'], {'kernel': (inner, width)})

  def test_the_order_of_rows_tells_nothing(self):
    order = np.array([3, 0, 6, 5, 1, 4, 2])
    moved = {k: x[:, order] for k, x in self.rows.items()}
    np.testing.assert_allclose(
      self.encoder(self.rows).pooled, self.encoder(moved).pooled, atol=1e-5
    )

  def test_gradients_reach_all(self):
    encoding.assert_reaches_all(self.encoder.gradients(self.rows)['params'])


if __name__ == '__main__':
  absltest.main()
