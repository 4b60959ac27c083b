"""Tests of latent vectors that attend to one modality after another."""

import flax.linen as nn
import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.encoders import attention as self_attention
from fusion_jax.fusion import attention
from tests.fusion import examples
from tests.fusion.combiners import cross_attention_test


class PerceiverTest(absltest.TestCase):
  def test_reads_what_a_study_has_in_turn(self):
    found, present = examples.features(tokens=3, ct=3, labs=2)
    params, logits, out = examples.run(
      'perceiver(width=4,heads=2,latents=3,depth=2)', found, present
    )
    tokens, masks = cross_attention_test.embedded(params, found)
    for study in range(4):
      x = params['latents'][None]
      for k in range(2):
        for m in ('ct', 'labs'):
          if not present[m][study]:
            continue  # Skipped.
          context = tokens[m][study][masks[m][study]][None]
          x, weights = attention.CrossBlock(2).apply(
            {'params': params[f'{m}_{k}']},
            x,
            context,
            np.ones(context.shape[:2], bool),
            train=False,
          )
          last = np.asarray(weights).mean(1)[0]
          if k == 1:
            np.testing.assert_allclose(
              out['attention'][m][study][:, masks[m][study]],
              last,
              rtol=1e-3,
              atol=1e-4,
            )
        x = (
          self_attention.Block(2, ratio=2)
          .apply(
            {'params': params[f'latent_{k}']},
            types.Hidden(x, np.ones(x.shape[:2], bool)),
            train=False,
          )
          .x
        )
      y = nn.LayerNorm().apply({'params': params['norm']}, x.mean(1))
      exact = examples.dense(params['head'], y)[0]
      np.testing.assert_allclose(logits[study], exact, rtol=1e-3, atol=1e-4)


if __name__ == '__main__':
  absltest.main()
