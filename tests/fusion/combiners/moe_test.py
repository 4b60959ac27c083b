"""Tests of the mixture of experts and its bank."""

import flax.linen as nn
import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.fusion import attention
from fusion_jax.fusion.combiners import moe
from tests.fusion import examples


class GatesTest(absltest.TestCase):
  def test_softmax_of_minus_the_distances_of_the_nearest(self):
    x = np.array([[0.0, 0.0]], np.float32)
    centres = np.array([[3.0, 4], [1, 0], [0, 2], [9, 9]], np.float32)
    near = np.exp([-1.0, -2.0])
    near /= near.sum()
    np.testing.assert_allclose(
      moe.laplace_gates(x, centres, 2), [[0, *near, 0]], rtol=1e-4
    )

  def test_a_token_on_a_centre_has_a_gradient(self):
    centres = np.eye(3, dtype=np.float32)
    gradient = jax.grad(lambda x: moe.laplace_gates(x, centres, 2)[0])(
      centres[0]
    )
    self.assertTrue(np.isfinite(gradient).all())


class MixtureTest(absltest.TestCase):
  def test_bank_attention_and_experts(self):
    found, present = examples.features(ct=3, labs=2)
    params, logits, out = examples.run(
      'moe(width=4,heads=2,experts=3,top=2)', found, present
    )

    def norm(name, x):
      return np.asarray(nn.LayerNorm().apply({'params': params[name]}, x))

    experts = params['experts']
    for study in range(4):
      here = [bool(present[m][study]) for m in ('ct', 'labs')]
      row = here[0] + 2 * here[1]
      x = np.stack(
        [
          examples.dense(params['embed'][m], found[m].pooled[study])
          if there
          else params['bank'][row, k]
          for k, (m, there) in enumerate(zip(('ct', 'labs'), here, strict=True))
        ]
      )
      normed = norm('norm_attention', x)[None]
      y, _ = attention.Attention(2).apply(
        {'params': params['attention']},
        normed,
        normed,
        np.ones((1, 2), bool),
        train=False,
      )
      x = x + np.asarray(y[0])
      mixed = np.zeros_like(x)
      for k, token in enumerate(norm('norm_experts', x)):
        gaps = np.linalg.norm(token - experts['centres'], axis=1)
        chosen = np.argsort(gaps)[:2]
        gates = np.exp(-gaps[chosen]) / np.exp(-gaps[chosen]).sum()
        np.testing.assert_allclose(
          out['gates'][study, k, chosen], gates, rtol=1e-3
        )
        self.assertEqual((out['gates'][study, k] == 0).sum(), 1)
        for e, gate in zip(chosen, gates, strict=True):
          wide = token @ experts['hidden'][e] + experts['hidden_bias'][e]
          wide = np.asarray(jax.nn.gelu(wide, approximate=False))
          mixed[k] += gate * (
            wide @ experts['back'][e] + experts['back_bias'][e]
          )
      x = norm('norm', x + mixed).reshape(-1)
      np.testing.assert_allclose(
        logits[study],
        examples.dense(params['head'], x),
        rtol=1e-3,
        atol=1e-4,
      )

  def test_a_bank_for_too_many_modalities(self):
    found, present = examples.features(**{f'm{k:02d}': 1 for k in range(11)})
    with self.assertRaisesRegex(errors.UserError, '2048 combinations of 11'):
      examples.run('moe', found, present)


if __name__ == '__main__':
  absltest.main()
