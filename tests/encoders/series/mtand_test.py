"""Tests of multi-time attention against its equations in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.encoders.series import mtand
from tests.encoders import encoding
from tests.encoders.series import rows

PART = 'mtand(width=4,heads=2,size=3,points=5)'


def _embed(time, p):
  x = time * p['rate'] + p['phase']  # (heads, size)
  return np.concatenate([x[:, :1], np.sin(x[:, 1:])], axis=1)


def _written_out(params, reference, inputs, study):
  """(k, heads, q) means of the values of each code around each time."""
  p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  embed = p['TimeEmbedding_0']
  out = np.zeros((len(reference), 2, rows.CODES))
  for k, r in enumerate(reference):
    for h in range(2):
      for q in range(rows.CODES):
        weights, values = [], []
        for i in range(inputs['mask'].shape[1]):
          row = {name: np.asarray(x)[study, i] for name, x in inputs.items()}
          if row['mask'] and row['valued'] and row['code'] == q:
            query = _embed(r, embed)[h] @ p['query'][h]
            key = _embed(row['time'], embed)[h] @ p['key'][h]
            weights.append(np.exp(query @ key / np.sqrt(3)))
            values.append(row['value'])
        if weights:
          out[k, h, q] = np.average(values, weights=weights)
  return out


class MTANDTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.inputs = rows.make()

  def test_is_what_the_equations_say(self):
    module = mtand.MultiTimeAttention(rows.CODES, heads=2, size=3)
    reference = jnp.linspace(-2.0, 0.0, 4) * jnp.ones((rows.B, 1))
    variables = module.init(jax.random.key(0), reference, self.inputs)
    found = module.apply(variables, reference, self.inputs)
    for study in range(rows.B):
      np.testing.assert_allclose(
        found[study],
        _written_out(variables['params'], reference[study], self.inputs, study),
        atol=1e-5,
      )
    self.assertGreater(float(abs(found).max()), 0.1)

  def test_a_code_far_from_a_time_keeps_its_mean(self):
    """Scores that differ by hundreds neither overflow nor lose a code."""
    module = mtand.MultiTimeAttention(rows.CODES, heads=1, size=2)
    reference = jnp.zeros((rows.B, 1))
    variables = module.init(jax.random.key(0), reference, self.inputs)
    params = jax.tree.map(lambda x: 100 * x, variables)
    inputs = {**self.inputs, 'valued': jnp.ones((rows.B, rows.T))}
    found = module.apply(params, reference, inputs)
    self.assertTrue(np.isfinite(found).all())
    for code in np.unique(inputs['code'][1]):
      self.assertNotEqual(float(found[1, 0, 0, code]), 0.0)

  def test_the_order_of_rows_tells_nothing_and_time_does(self):
    encode = encoding.Encoded('series', PART, self.inputs)
    order = np.array([3, 0, 5, 6, 1, 4, 2])
    moved = {k: x[:, order] for k, x in self.inputs.items()}
    one, other = encode(self.inputs).pooled, encode(moved).pooled
    np.testing.assert_allclose(one, other, atol=1e-5)
    later = {**self.inputs, 'time': self.inputs['time'] / 4}
    self.assertGreater(float(abs(encode(later).pooled - one).max()), 1e-3)

  def test_tokens_are_reference_times(self):
    encode = encoding.Encoded('series', PART, self.inputs)
    found = encode(self.inputs)
    self.assertEqual(found.tokens.shape, (rows.B, 5, 4))
    np.testing.assert_array_equal(
      found.token_mask.all(axis=1), [True, True, False]
    )
    np.testing.assert_array_equal(found.pooled[2], 0)
    encoding.assert_reaches_all(encode.gradients(self.inputs))


if __name__ == '__main__':
  absltest.main()
