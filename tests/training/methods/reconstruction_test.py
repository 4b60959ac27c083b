import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.training import protocol
from tests import tiny
from tests.training import steps

COMBINER = 'reconstruction(combiner=concat(hidden=(4,),dropout=0))'


class ReconstructionTest(absltest.TestCase):
  def test_is_the_distance_of_studies_with_both(self):
    setup = model, _, batch = steps.joint(combiner=COMBINER)
    params, found = steps.passed('reconstruction(weight=0.5)', setup)
    _, out = model.apply({'params': params}, batch)
    both = batch.present[types.IMAGE] & batch.present[types.EHR]
    weight = np.asarray(batch.weight * both)
    for m in (types.IMAGE, types.EHR):
      far = np.square(
        np.asarray(out['rebuilt'][m]) - np.asarray(out['features'][m].pooled)
      ).mean(1)
      np.testing.assert_allclose(
        found.sums[f'reconstruction/{m}'],
        (0.5 * (far * weight).sum(), weight.sum()),
        rtol=1e-4,
      )

  def test_no_encoder_learns_to_be_easy(self):
    """What is to be rebuilt gets no gradient; that it is rebuilt of, does."""
    setup = model, _, batch = steps.joint(combiner=COMBINER)
    _, plain = steps.passed('', setup)
    params, found = steps.passed('reconstruction', setup)
    targets = {
      m: x.pooled
      for m, x in model.apply({'params': params}, batch)[1]['features'].items()
    }
    both = batch.weight * (
      batch.present[types.IMAGE] & batch.present[types.EHR]
    )

    def extra(params):
      rebuilt = model.apply({'params': params}, batch)[1]['rebuilt']
      far = (
        jnp.square(rebuilt[m] - x).mean(1) * both for m, x in targets.items()
      )
      return sum(x.sum() for x in far) / both.sum()

    jax.tree.map(
      lambda a, b, c: np.testing.assert_allclose(a, b + c, atol=1e-5),
      found.gradients,
      plain.gradients,
      jax.grad(extra)(params),
    )

  def test_another_combiner_and_impossible_weights(self):
    with self.assertRaisesRegex(errors.UserError, 'combiner=reconstruction'):
      steps.passed('reconstruction', steps.joint())
    with self.assertRaisesRegex(errors.UserError, 'at least 0'):
      protocol.create_methods(
        ('reconstruction(weight=-1)',),
        task=tiny.task_of(types.BINARY),
        modalities=(),
      )


if __name__ == '__main__':
  absltest.main()
