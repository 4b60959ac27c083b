"""Tests of the LSTM over modalities."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.fusion.combiners import medfuse
from tests.fusion import examples


class MedFuseTest(parameterized.TestCase):
  @parameterized.parameters(
    ('', ('ct', 'labs', 'note')), (',order=(note,ct)', ('note', 'ct', 'labs'))
  )
  def test_is_an_lstm_of_what_a_study_has(self, order, names):
    """Hochreiter and Schmidhuber's equations, step by step in NumPy."""
    found, present = examples.features(ct=3, labs=2, note=4)
    params, logits, out = examples.run(
      f'medfuse(width=5{order})', found, present
    )
    cell, sigmoid = params['cell'], examples.sigmoid
    for study in range(4):
      h, c = np.zeros(5), np.zeros(5)
      for m in names:
        if not present[m][study]:
          continue  # The sequence is a step shorter.
        x = examples.dense(params['embed'][m], found[m].pooled[study])
        gate = {
          g: examples.dense(cell[f'i{g}'], x) + examples.dense(cell[f'h{g}'], h)
          for g in 'ifgo'
        }
        c = sigmoid(gate['f']) * c + sigmoid(gate['i']) * np.tanh(gate['g'])
        h = sigmoid(gate['o']) * np.tanh(c)
      np.testing.assert_allclose(out['state'][study], h, rtol=1e-4, atol=1e-5)
      np.testing.assert_allclose(
        logits[study],
        examples.dense(params['head'], h),
        rtol=1e-4,
        atol=1e-5,
      )

  def test_an_order_of_others(self):
    self.assertEqual(medfuse.steps(('b',), 'cab'), ['b', 'a', 'c'])
    with self.assertRaisesRegex(errors.UserError, "'labs'"):
      medfuse.steps(('lab',), ('labs', 'ct'))
    with self.assertRaisesRegex(errors.UserError, 'comes once'):
      medfuse.steps(('a', 'a'), 'ab')


if __name__ == '__main__':
  absltest.main()
