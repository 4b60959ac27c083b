"""Tests of shared and distinct representations."""

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.fusion.combiners import drfuse
from tests.fusion import examples


class MeanLogitTest(absltest.TestCase):
  def test_two_are_the_formula_of_the_authors(self):
    """Their logsumexp of (h1+h2, h1+h2, h1, h2) less that of (0, 0, h1, h2)."""
    one, two = np.random.default_rng(0).normal(size=(2, 5, 3))
    exact = np.log(2 * np.exp(one + two) + np.exp(one) + np.exp(two)) - np.log(
      2 + np.exp(one) + np.exp(two)
    )
    found = drfuse.mean_logit(jnp.stack([one, two], 1), jnp.ones((5, 2), bool))
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-5)

  def test_is_the_mean_probability_of_those_that_are_there(self):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    here = jnp.array([[True, False, True], [False, False, False]])
    found = examples.sigmoid(np.asarray(drfuse.mean_logit(x, here)))
    np.testing.assert_allclose(
      found[0], examples.sigmoid(x[0, [0, 2]]).mean(0), rtol=1e-4
    )
    np.testing.assert_array_equal(found[1], 0.5)
    far = drfuse.mean_logit(jnp.full((1, 2, 1), 80.0), jnp.ones((1, 2), bool))
    np.testing.assert_allclose(far, 80, rtol=1e-3)


class DrFuseTest(absltest.TestCase):
  def test_an_attention_and_a_layer_for_each_label(self):
    found, present = examples.features(ct=3, labs=2)
    params, logits, out = examples.run('drfuse(width=4)', found, present)
    names = ('ct', 'labs')
    for study in range(4):
      here = [m for m in names if present[m][study]]
      distinct, shared = (
        {
          m: examples.dense(params[f'{what}_{m}'], found[m].pooled[study])
          for m in here
        }
        for what in ('distinct', 'shared')
      )
      shared = {
        m: examples.dense(params['project'], examples.relu(x))
        for m, x in shared.items()
      }
      exact = np.array(params['bias'])
      if here:
        p = np.mean([examples.sigmoid(x) for x in shared.values()], axis=0)
        together = np.log(p / (1 - p))
        np.testing.assert_allclose(
          out['together'][study], together, rtol=1e-3, atol=1e-4
        )
        parts = np.stack([*distinct.values(), together])
        query = examples.dense(params['query'], parts).mean(0)
        values = examples.dense(params['values'], parts)
        for k in range(2):
          keys = (
            parts @ params['keys']['kernel'][:, k] + params['keys']['bias'][k]
          )
          shares = np.exp(keys @ query / 2)  # The root of the width.
          shares /= shares.sum()
          exact[k] += shares @ values @ params['head'][k]
          places = [names.index(m) for m in here] + [2]
          np.testing.assert_allclose(
            out['attention'][study, k, places], shares, rtol=1e-3
          )
        for m in here:
          np.testing.assert_allclose(
            out['predicted'][study, names.index(m)],
            examples.dense(params[f'alone_{m}'], distinct[m]),
            rtol=1e-3,
            atol=1e-4,
          )
        np.testing.assert_allclose(
          out['predicted'][study, 2],
          examples.dense(params['together'], together),
          rtol=1e-3,
          atol=1e-4,
        )
      np.testing.assert_allclose(logits[study], exact, rtol=1e-3, atol=1e-4)
    for x in (out['attention'], out['predicted'], out['shared']):
      np.testing.assert_array_equal(x[3], 0)


if __name__ == '__main__':
  absltest.main()
