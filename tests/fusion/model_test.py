import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.training import batches, step
from tests import tiny

BOTH = (types.IMAGE, types.EHR)


def _batch(n=24, *, absent=False, **changes):
  cohort = tiny.cohort(n, absent=absent)
  data = batches.FleetData(cohort, (tiny.source(cohort, **changes),))
  plan = batches.RowPlan(rows=jnp.arange(n), weight=jnp.ones(n))
  return batches.gather(batches.make_resident(data), 0, plan), cohort.task


def _gradients(config, batch, task):
  model = models.create_model(config, task)
  params = jax.jit(model.init)(jax.random.key(0), batch)['params']
  run = functools.partial(
    step.loss_and_gradients, model=model, task=task, key=jax.random.key(1)
  )
  return params, jax.jit(run)(params, batch).gradients


def _largest(tree):
  return max((float(abs(x).max()) for x in jax.tree.leaves(tree)), default=0.0)


class StrategiesMeanWhatTheReviewDefinesTest(parameterized.TestCase):
  def test_early_type_2_sends_no_gradient_into_its_extractor(self):
    batch, task = _batch()
    config = tiny.model_config(ehr='raw', frozen=(types.IMAGE,))
    _, gradients = _gradients(config, batch, task)
    self.assertEqual(_largest(gradients['encoders_image']), 0.0)
    self.assertGreater(_largest(gradients['combiner']), 0.0)

  def test_joint_type_1_reaches_both_encoders(self):
    batch, task = _batch()
    _, gradients = _gradients(tiny.model_config(), batch, task)
    for encoder in ('encoders_image', 'encoders_ehr'):
      for leaf in jax.tree.leaves(gradients[encoder]):
        self.assertGreater(_largest(leaf), 0.0)

  def test_joint_type_2_has_no_ehr_encoder(self):
    batch, task = _batch()
    config = tiny.model_config(ehr='raw')
    params, gradients = _gradients(config, batch, task)
    self.assertEqual(set(params), {'encoders_image', 'combiner'})
    self.assertGreater(_largest(gradients['encoders_image']), 0.0)

  def test_early_type_1_has_no_encoder(self):
    cohort = tiny.cohort(24)
    batch, task = _batch(
      image_stats=None,
      image_vector=np.ones((len(cohort), 7), np.float32),
    )
    config = tiny.model_config(image='raw', image_kind='vector', ehr='raw')
    params, _ = _gradients(config, batch, task)
    self.assertEqual(set(params), {'combiner'})

  @parameterized.parameters(types.IMAGE, types.EHR)
  def test_a_single_modality_ignores_the_other(self, modality):
    batch, task = _batch()
    config = tiny.model_config(modality, combiner='additive')
    params, _ = _gradients(config, batch, task)
    self.assertEqual(set(params), {f'encoders_{modality}', 'combiner'})

  def test_additive_has_no_interaction_and_concat_has(self):
    batch, task = _batch()
    for combiner, additive in (('additive', True), ('concat', False)):
      model = models.create_model(tiny.model_config(combiner=combiner), task)
      params = jax.jit(model.init)(jax.random.key(0), batch)

      def logits(image, ehr, model=model, params=params):
        mixed = batch.replace(
          inputs={
            types.IMAGE: jax.tree.map(
              lambda x: x[image], batch.inputs['image']
            ),
            types.EHR: jax.tree.map(lambda x: x[ehr], batch.inputs['ehr']),
          }
        )
        return model.apply(params, mixed)[0]

      a, b = np.arange(24), np.roll(np.arange(24), 5)
      crossed = logits(a, a) + logits(b, b) - logits(a, b) - logits(b, a)
      (self.assertLess if additive else self.assertGreater)(
        float(abs(crossed).max()), 1e-5
      )


class MaskedMeansMaskedTest(parameterized.TestCase):
  @parameterized.parameters('concat', 'additive')
  def test_garbage_in_an_absent_modality_changes_nothing(self, combiner):
    batch, task = _batch(absent=True)
    config = tiny.model_config(combiner=combiner)
    model = models.create_model(config, task)
    params = jax.jit(model.init)(jax.random.key(0), batch)
    clean, _ = model.apply(params, batch)

    def spoil(tree, present):
      def one(x):
        if not jnp.issubdtype(x.dtype, jnp.floating):
          return x
        gone = ~present.reshape((-1,) + (1,) * (x.ndim - 1))
        return jnp.where(gone, jnp.nan, x)

      return jax.tree.map(one, tree)

    dirty = batch.replace(
      inputs={m: spoil(x, batch.present[m]) for m, x in batch.inputs.items()}
    )
    np.testing.assert_array_equal(clean, model.apply(params, dirty)[0])
    _, before = _gradients(config, batch, task)
    _, after = _gradients(config, dirty, task)
    jax.tree.map(np.testing.assert_array_equal, before, after)

  @parameterized.parameters(*BOTH)
  def test_an_absent_modality_gets_no_gradient(self, modality):
    batch, task = _batch()
    nobody = {**batch.present, modality: jnp.zeros(24, bool)}
    _, gradients = _gradients(
      tiny.model_config(), batch.replace(present=nobody), task
    )
    self.assertEqual(_largest(gradients[f'encoders_{modality}']), 0.0)

  def test_cached_features_replace_the_encoder(self):
    batch, task = _batch(absent=True)
    model = models.create_model(tiny.model_config(), task)
    params = jax.jit(model.init)(jax.random.key(0), batch)
    logits, out = model.apply(params, batch)
    cached = batch.replace(
      inputs={types.EHR: batch.inputs[types.EHR]},
      features={types.IMAGE: out['features'][types.IMAGE]},
    )
    np.testing.assert_allclose(
      logits, model.apply(params, cached)[0], atol=1e-6
    )


class NamesTest(absltest.TestCase):
  def test_unknown_names_suggest_the_nearest(self):
    task = tiny.task_of(types.BINARY)
    for config, hint in (
      (tiny.model_config(image='resnt'), 'resnet'),
      (tiny.model_config(ehr='mpl'), 'mlp'),
      (tiny.model_config(combiner='adaptive'), 'additive'),
    ):
      with self.assertRaisesRegex(errors.UserError, f"mean '{hint}'"):
        models.create_model(config, task)


if __name__ == '__main__':
  absltest.main()
