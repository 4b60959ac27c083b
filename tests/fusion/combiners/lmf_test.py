"""Tests of low-rank fusion."""

import numpy as np
from absl.testing import absltest

from tests.fusion import examples


class LowRankTest(absltest.TestCase):
  def test_is_a_linear_layer_on_the_outer_product(self):
    """The tensor that it never makes, and the weights of section 3.2."""
    found, present = examples.features(ct=3, labs=2, note=4)
    params, logits, out = examples.run('lmf(width=5,rank=3)', found, present)
    x, y, z = (
      np.append(examples.pooled(found)[m][0], 1) for m in ('ct', 'labs', 'note')
    )
    tensor = np.einsum('i,j,k->ijk', x, y, z)
    weights = np.einsum(
      'r,riw,rjw,rkw->ijkw',
      params['weights'],
      *(params[f'factor_{m}'] for m in ('ct', 'labs', 'note')),
    )
    h = np.einsum('ijk,ijkw->w', tensor, weights) + params['bias']
    np.testing.assert_allclose(out['fused'][0], h, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
      logits[0], examples.dense(params['head'], h), rtol=1e-4, atol=1e-5
    )

  def test_the_absent_are_left_out_of_the_product(self):
    found, present = examples.features(ct=3, labs=2)
    params, _, out = examples.run('lmf(width=5,rank=3)', found, present)
    x = np.append(examples.pooled(found)['ct'][1], 1)
    alone = np.einsum('i,riw,r->w', x, params['factor_ct'], params['weights'])
    np.testing.assert_allclose(
      out['fused'][1], alone + params['bias'], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
      out['fused'][3], params['weights'].sum() + params['bias'], rtol=1e-5
    )


if __name__ == '__main__':
  absltest.main()
