"""Tests of bilinear forms."""

import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.fusion import protocol
from tests.fusion import examples


class BilinearTest(absltest.TestCase):
  def test_is_the_sum_over_pairs_of_pairs(self):
    found, present = examples.features(ct=3, labs=2, note=4)
    params, logits, out = examples.run('bilinear(width=5)', found, present)
    x = examples.pooled(found)
    flags = examples.flags(present)
    exact = examples.dense(
      params['head'],
      np.concatenate([x['ct'], x['labs'], x['note'], flags], axis=1),
    )
    for a, b in (('ct', 'labs'), ('ct', 'note'), ('labs', 'note')):
      form = params[f'form_{a}_{b}']
      f, g = (examples.dense(params[f'factor_{m}'], x[m]) for m in (a, b))
      pair = np.zeros((4, 2))
      for k in range(2):
        for i in range(5):
          for j in range(5):
            pair[:, k] += form[k, i, j] * f[:, i] * g[:, j]
      np.testing.assert_allclose(out['pairs'][f'{a}*{b}'], pair, atol=1e-5)
      exact += pair
    np.testing.assert_allclose(logits, exact, atol=1e-5)
    # The second study has one modality, the last none.
    for pair in out['pairs'].values():
      np.testing.assert_array_equal(pair[[1, 3]], 0)

  def test_wrong_arguments(self):
    for spec, message in (
      ('bilinear(width=0)', r'bilinear\(width=0\): expected a whole'),
      ('bilinear(dropout=1.0)', 'at least 0 and below 1'),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        protocol.COMBINERS.build(spec, num_outputs=1)


if __name__ == '__main__':
  absltest.main()
