"""Tests of the multimodal bottleneck transformer."""

import flax.linen as nn
import numpy as np
import pytest
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.encoders import attention
from tests.fusion import examples
from tests.fusion.combiners import cross_attention_test


class BottleneckTest(absltest.TestCase):
  @pytest.mark.slow
  def test_is_section_3_2_study_by_study(self):
    """Each modality alone with the shared tokens, then their mean."""
    found, present = examples.features(tokens=3, ct=3, labs=2)
    params, logits, out = examples.run(
      'bottleneck(width=4,heads=2,shared=2,depth=3)', found, present
    )
    tokens, masks = cross_attention_test.embedded(params, found)
    for study in range(4):
      here = [m for m in ('ct', 'labs') if present[m][study]]
      # Only what the study has: tokens that are masked are cut away.
      x = {
        m: np.concatenate(
          [params[f'class_{m}'], tokens[m][study][masks[m][study]]]
        )[None]
        for m in here
      }
      shared = params['shared'][None]
      for k in range(3):
        seen = []
        for m in here:
          both = np.concatenate([x[m], shared], axis=1)
          y = attention.Block(2).apply(
            {'params': params[f'block_{m}_{k}']},
            types.Hidden(both, np.ones(both.shape[:2], bool)),
            train=False,
          )
          x[m], own = np.split(np.asarray(y.x), [x[m].shape[1]], axis=1)
          seen.append(own)
        shared = np.mean(seen, axis=0) if seen else shared
      parts = []
      for m in here:
        first = nn.LayerNorm().apply({'params': params['norm']}, x[m][:, 0])
        parts.append(examples.dense(params['head'], first)[0])
        np.testing.assert_allclose(
          out['logits'][m][study], parts[-1], rtol=1e-3, atol=1e-4
        )
      exact = np.mean(parts, axis=0) if parts else params['head']['bias']
      np.testing.assert_allclose(logits[study], exact, rtol=1e-3, atol=1e-4)


if __name__ == '__main__':
  absltest.main()
