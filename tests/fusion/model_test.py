import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.training import backward, batches
from tests import tiny


def _batch(n=24, *, absent=False, **changes):
  cohort = tiny.cohort(n, absent=absent)
  data = batches.FleetData(cohort, (tiny.source(cohort, **changes),))
  plan = batches.RowPlan(rows=jnp.arange(n), weight=jnp.ones(n))
  return batches.gather(batches.make_resident(data), 0, plan), cohort.task


def _gradients(config, batch, task):
  model = models.create_model(config, task)
  params = jax.jit(model.init)(jax.random.key(0), batch)['params']
  run = functools.partial(
    backward.loss_and_gradients, model=model, task=task, key=jax.random.key(1)
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
      image_part=batches.Part(
        batches.VECTOR, vector=np.ones((len(cohort), 7), np.float32)
      ),
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


class FeaturesTest(absltest.TestCase):
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


class ExchangesTest(parameterized.TestCase):
  def test_one_that_does_nothing_yet_changes_nothing(self):
    batch, task = _batch(absent=True)
    plain, exchanging = (
      models.create_model(
        tiny.model_config(image='resnet(widths=(4,))', exchanges=exchanges),
        task,
      )
      for exchanges in ((), ((0, 'film'), (1, 'film')))
    )
    variables = jax.jit(exchanging.init)(jax.random.key(0), batch)
    self.assertContainsSubset(
      {'exchanges_0', 'exchanges_1'}, variables['params']
    )
    one, two = (
      jax.jit(m.apply)(variables, batch)[0] for m in (plain, exchanging)
    )
    np.testing.assert_allclose(one, two, atol=1e-6)

  def test_impossible_places(self):
    batch, task = _batch()
    for places, message in (
      ((-1,), 'got -1'),
      ((0, 0), 'one at most after each: got 0, 0'),
    ):
      config = tiny.model_config(exchanges=tuple((k, 'film') for k in places))
      with self.assertRaisesRegex(errors.UserError, message):
        models.create_model(config, task)
    config = tiny.model_config(types.EHR, exchanges=((2, 'film'),))
    with self.assertRaisesRegex(errors.UserError, 'at most 1: give 0 '):
      models.create_model(config, task).init(jax.random.key(0), batch)


class NamesTest(absltest.TestCase):
  def test_unknown_names_suggest_the_nearest(self):
    task = tiny.task_of(types.BINARY)
    for config, hint in (
      (tiny.model_config(image='resnt'), 'resnet'),
      (tiny.model_config(ehr='mpl'), 'mlp'),
      (tiny.model_config(combiner='adaptive'), 'additive'),
      (tiny.model_config(exchanges=((0, 'flim'),)), 'film'),
    ):
      with self.assertRaisesRegex(errors.UserError, f"mean '{hint}'"):
        models.create_model(config, task)


if __name__ == '__main__':
  absltest.main()
