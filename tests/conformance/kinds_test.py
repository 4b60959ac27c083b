"""Every registered kind of modality."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import kind as kinds
from fusion_jax.data import preprocess
from fusion_jax.encoders import protocol
from tests.conformance import samples

KINDS = kinds.KINDS.names()


class KindsTest(parameterized.TestCase):
  def test_the_world_of_all_modalities_has_all_kinds(self):
    self.assertCountEqual(samples.KINDS, KINDS)

  @parameterized.parameters(KINDS)
  def test_gives_models_one_row_a_study(self, kind):
    inputs = samples.batch().inputs[samples.MODALITY[kind]]
    for name, x in inputs.items():
      self.assertEqual(x.shape[0], samples.N, name)
      self.assertIn(x.dtype, (jnp.float32, jnp.int32, bool), name)
      self.assertTrue(np.isfinite(x).all(), name)

  @parameterized.parameters(KINDS)
  def test_gives_encoders_what_they_ask_for(self, kind):
    fit = samples.fitted()
    modality = samples.MODALITY[kind]
    given = {*fit.kind(modality).given(fit.fits[modality]), 'axis_name'}
    for name in protocol.encoders(kind).names():
      self.assertContainsSubset(protocol.encoders(kind).get(name).given, given)

  @parameterized.product(kind=KINDS, learner=(kinds.LINEAR, kinds.TREES))
  def test_gives_learners_of_tables_columns(self, kind, learner):
    cohort, fit = samples.cohort(), samples.fitted()
    modality = samples.MODALITY[kind]
    found = fit.columns(cohort, modality, learner)
    n, p = found.x.shape
    self.assertEqual(n, samples.N)
    self.assertEqual(found.x.dtype, np.float64)
    self.assertLen(found.names, p)
    self.assertLen(set(found.names), p)
    self.assertEqual(found.is_categorical.shape, (p,))
    self.assertEqual(found.component.shape, (p,))
    if learner == kinds.LINEAR:
      self.assertTrue(np.isfinite(found.x).all())

  def test_what_is_fitted_is_saved_whole(self):
    cohort, fit = samples.cohort(), samples.fitted()
    back = preprocess.Fitted.from_arrays(
      fit.to_arrays(reduced=samples.MODALITIES)
    )
    for m in samples.MODALITIES:
      for learner in (kinds.LINEAR, kinds.TREES):
        np.testing.assert_array_equal(
          fit.columns(cohort, m, learner).x, back.columns(cohort, m, learner).x
        )
      jax.tree.map(
        np.testing.assert_array_equal,
        fit.derived(cohort, m),
        back.derived(cohort, m),
      )


if __name__ == '__main__':
  absltest.main()
