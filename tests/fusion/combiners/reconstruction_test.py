import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from fusion_jax.core import errors
from fusion_jax.fusion import protocol
from tests.fusion import examples

SPEC = 'reconstruction(combiner=concat(hidden=(5,)),priors=3,width=4)'


def _rebuilt(params, x, present, m, others):
  hidden = sum(
    np.where(
      np.asarray(present[o])[:, None],
      examples.dense(params[f'of_{o}_for_{m}'], x[o]),
      0,
    )
    for o in others
  )
  scores = examples.dense(params[f'weights_{m}'], examples.relu(hidden))
  return special.softmax(scores, 1) @ params[f'priors_{m}']


class ReconstructionTest(parameterized.TestCase):
  def test_is_a_weighted_sum_of_priors_in_place_of_what_is_absent(self):
    found, present = examples.features(ct=3, labs=2, pet=4)
    params, logits, out = examples.run(SPEC, found, present)
    x, names = examples.pooled(found), ('ct', 'labs', 'pet')
    columns = []
    for m in names:
      others = [o for o in names if o != m]
      expected = _rebuilt(params, x, present, m, others)
      np.testing.assert_allclose(out['rebuilt'][m], expected, atol=1e-5)
      here = np.asarray(present[m])[:, None]
      columns.append(np.where(here, x[m], expected))
    full = np.concatenate([*columns, np.ones((examples.B, 3))], axis=1)
    own = params['combiner']
    hidden = examples.relu(examples.dense(own['Dense_0'], full))
    np.testing.assert_allclose(
      logits, examples.dense(own['head'], hidden), atol=1e-4
    )

  def test_a_modality_has_no_part_in_what_is_rebuilt_of_it(self):
    found, present = examples.features(ct=3, labs=2)
    _, _, out = examples.run(SPEC, found, present)
    other = found['ct'].replace(pooled=found['ct'].pooled + 1)
    _, _, moved = examples.run(SPEC, {**found, 'ct': other}, present)
    np.testing.assert_array_equal(out['rebuilt']['ct'], moved['rebuilt']['ct'])
    gap = abs(out['rebuilt']['labs'] - moved['rebuilt']['labs'])
    self.assertGreater(gap.max(), 1e-3)

  @parameterized.parameters('priors', 'width')
  def test_impossible_sizes(self, name):
    with self.assertRaisesRegex(errors.UserError, 'at least 1'):
      protocol.COMBINERS.build(f'reconstruction({name}=0)', num_outputs=1)


if __name__ == '__main__':
  absltest.main()
