"""Tests of cross-attention between modalities."""

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.fusion import attention
from tests.fusion import examples


def mean(x, mask):
  """(b, c) means over tokens that are there."""
  mask = np.asarray(mask, float)
  total = np.einsum('btc,bt->bc', x, mask)
  return total / np.maximum(mask.sum(1, keepdims=True), 1)


def embedded(params, found):
  """Tokens and masks by modality, as `tokens.Tokens` has them."""
  masks = {m: np.asarray(x.token_mask) for m, x in found.items()}
  x = {
    m: examples.dense(params['embed'][m], np.asarray(f.tokens))
    * masks[m][..., None]
    for m, f in found.items()
  }
  return x, masks


class CrossAttentionTest(absltest.TestCase):
  def test_two_directions_of_a_pair(self):
    found, present = examples.features(tokens=3, ct=3, labs=2)
    params, logits, out = examples.run(
      'cross_attention(width=4,heads=2,depth=2)', found, present
    )
    x, masks = embedded(params, found)
    columns = [mean(x[m], masks[m]) for m in ('ct', 'labs')]
    for target, source in (('ct', 'labs'), ('labs', 'ct')):
      y = x[target]
      for k in range(2):
        y, weights = attention.CrossBlock(2).apply(
          {'params': params[f'{source}_to_{target}_{k}']},
          y,
          x[source],
          jnp.asarray(masks[source]),
          train=False,
        )
      columns.append(mean(y, masks[target]))
      np.testing.assert_allclose(
        out['attention'][f'{source}_to_{target}'],
        np.asarray(weights).mean(1),
        rtol=1e-4,
        atol=1e-5,
      )
    columns.append(examples.flags(present))
    exact = examples.dense(params['head'], np.concatenate(columns, axis=1))
    np.testing.assert_allclose(logits, exact, rtol=1e-3, atol=1e-4)
    # The second study has its CT alone: there is nothing to attend to.
    np.testing.assert_array_equal(out['attention']['labs_to_ct'][1], 0)


if __name__ == '__main__':
  absltest.main()
