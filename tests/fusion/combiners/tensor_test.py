"""Tests of the tensor fusion network."""

import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from tests.fusion import examples


class TensorTest(absltest.TestCase):
  def test_is_a_perceptron_on_the_outer_product(self):
    found, present = examples.features(ct=3, labs=2, note=4)
    params, logits, _ = examples.run(
      'tensor(width=2,hidden=(5,))', found, present
    )
    z = []
    for m in ('ct', 'labs', 'note'):
      x = examples.relu(
        examples.dense(params[f'embed_{m}'], examples.pooled(found)[m])
      )
      x *= np.asarray(present[m])[:, None]
      z.append(np.concatenate([x, np.ones((4, 1))], axis=1))
    tensor = np.einsum('bi,bj,bk->bijk', *z).reshape(4, -1)
    x = np.concatenate([tensor, examples.flags(present)], axis=1)
    x = examples.relu(examples.dense(params['Dense_0'], x))
    np.testing.assert_allclose(
      logits, examples.dense(params['head'], x), rtol=1e-4, atol=1e-5
    )

  def test_a_tensor_too_large_is_an_error(self):
    found, present = examples.features(**{f'm{k}': 2 for k in range(6)})
    with self.assertRaisesRegex(
      errors.UserError, r"tensor\(width=8\) of 6 modalities .* 531441 .*'lmf'"
    ):
      examples.run('tensor', found, present)


if __name__ == '__main__':
  absltest.main()
