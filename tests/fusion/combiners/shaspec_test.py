import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.fusion import protocol
from tests.fusion import examples


class ShaSpecTest(absltest.TestCase):
  def test_shared_features_stand_for_what_is_absent(self):
    found, present = examples.features(ct=3, labs=2, pet=4)
    params, logits, out = examples.run('shaspec(width=5)', found, present)
    x, names = examples.pooled(found), ('ct', 'labs', 'pet')
    here = examples.flags(present) > 0  # (b, m)
    specific, shared = [], []
    for k, m in enumerate(names):
      keep = here[:, k, None]
      own = examples.relu(examples.dense(params[f'specific_{m}'], x[m]))
      inside = examples.relu(examples.dense(params[f'inside_{m}'], x[m]))
      specific.append(np.where(keep, own, 0))
      shared.append(np.where(keep, examples.dense(params['shared'], inside), 0))
    np.testing.assert_allclose(out['shared'], np.stack(shared, 1), atol=1e-5)
    np.testing.assert_allclose(
      out['specific'], np.stack(specific, 1), atol=1e-5
    )
    mean = sum(shared) / np.maximum(here.sum(1, keepdims=True), 1)
    joined = []
    for k in range(3):
      both = np.concatenate([specific[k], shared[k]], 1)
      own = examples.dense(params['project'], both) + shared[k]
      joined.append(np.where(here[:, k, None], own, mean))
    hidden = examples.relu(
      examples.dense(params['hidden'], np.concatenate(joined, 1))
    )
    np.testing.assert_allclose(
      logits, examples.dense(params['head'], hidden), atol=1e-4
    )
    np.testing.assert_allclose(
      out['domains'][:, 1],
      examples.dense(params['domains'], specific[1]),
      atol=1e-5,
    )

  def test_impossible_arguments(self):
    for text in ('width=0', 'dropout=1'):
      with self.assertRaises(errors.UserError):
        protocol.COMBINERS.build(f'shaspec({text})', num_outputs=1)


if __name__ == '__main__':
  absltest.main()
