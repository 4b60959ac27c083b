"""Tests of layers whose weights the other modalities make."""

import numpy as np
from absl.testing import absltest

from tests.fusion import examples


class HypernetworkTest(absltest.TestCase):
  def test_each_study_has_weights_of_its_own(self):
    """One layer a study, its weights made first and multiplied then."""
    found, present = examples.features(ct=3, labs=2, note=4)
    params, logits, _ = examples.run(
      'hypernetwork(width=5,embedding=3)', found, present
    )
    x = examples.pooled(found)
    names = ('ct', 'labs', 'note')
    for study in range(4):
      columns = []
      for m in names:
        weights = np.array(params[f'own_{m}']['kernel'])
        biases = np.array(params[f'own_{m}']['bias'])
        for other in names:
          if other != m and present[other][study]:
            e = examples.relu(
              examples.dense(params[f'embed_{other}'], x[other][study])
            )
            made = params[f'weights_{other}_to_{m}']
            weights += np.tensordot(e, made, axes=1)
            biases += e @ params[f'biases_{other}_to_{m}']
        y = examples.relu(x[m][study] @ weights + biases)
        columns.append(y * float(present[m][study]))
      h = np.concatenate([*columns, examples.flags(present)[study]])
      np.testing.assert_allclose(
        logits[study],
        examples.dense(params['head'], h),
        rtol=1e-4,
        atol=1e-5,
      )


if __name__ == '__main__':
  absltest.main()
