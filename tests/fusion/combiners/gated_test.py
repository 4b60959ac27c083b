"""Tests of the gated multimodal unit."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.fusion import protocol


def _features(**widths):
  keys = jax.random.split(jax.random.key(0), len(widths))
  return {
    m: types.Features.of_vector(jax.random.normal(k, (4, c)))
    for k, (m, c) in zip(keys, widths.items(), strict=True)
  }


class GatedTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.features = _features(image=3, ehr=2)
    self.present = {
      'image': jnp.array([True, True, False, False]),
      'ehr': jnp.array([True, False, True, False]),
    }
    self.head = protocol.COMBINERS.build('gated(width=5)', num_outputs=2)

  def run_(self, features, present):
    variables = self.head.init(
      jax.random.key(1), features, present, train=False
    )
    logits, out = self.head.apply(variables, features, present, train=False)
    return variables['params'], logits, out

  def test_two_modalities_are_equation_3(self):
    """Of Arevalo et al. 2017, in NumPy."""
    params, logits, _ = self.run_(self.features, self.present)
    v, t = (np.asarray(self.features[m].pooled) for m in ('ehr', 'image'))
    flags = [np.asarray(self.present[m], float) for m in ('ehr', 'image')]
    x = np.concatenate([v, t, np.stack(flags, 1)], axis=1)
    both = x @ params['gates']['kernel'] + params['gates']['bias']
    z = 1 / (1 + np.exp(both[:, 5:] - both[:, :5]))
    h_v = np.tanh(v @ params['hidden_ehr']['kernel'])
    h_t = np.tanh(t @ params['hidden_image']['kernel'])
    h = z * h_v + (1 - z) * h_t
    exact = h @ params['head']['kernel'] + params['head']['bias']
    np.testing.assert_allclose(logits[0], exact[0], atol=1e-5)

  def test_gates_are_shared_by_those_that_are_there(self):
    _, logits, out = self.run_(self.features, self.present)
    gates = np.asarray(out['gates'])
    np.testing.assert_allclose(gates[:3].sum(1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(gates[1, 0], 0)  # No record.
    np.testing.assert_array_equal(gates[3], 0)
    self.assertTrue(np.isfinite(logits).all())

  def test_many_modalities(self):
    features = _features(a=3, b=2, c=4, d=1, e=5)
    present = {m: jnp.ones(4, bool) for m in features}
    _, logits, out = self.run_(features, present)
    self.assertEqual(logits.shape, (4, 2))
    self.assertEqual(out['gates'].shape, (4, 5, 5))
    np.testing.assert_allclose(out['gates'].sum(1), 1.0, atol=1e-6)


if __name__ == '__main__':
  absltest.main()
