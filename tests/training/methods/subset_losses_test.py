import itertools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.training import protocol, step, tasks
from tests import tiny
from tests.conformance import samples
from tests.training import steps

THREE = samples.MODALITIES[:3]


def _method(spec, modalities=('ct', 'labs')):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(types.BINARY), modalities=modalities
  )
  return method


class SubsetLossesTest(absltest.TestCase):
  def test_is_the_loss_of_all_that_studies_have_and_more(self):
    """Of each combination, as the model sees studies without the others."""
    task, batch = tiny.task_of(types.BINARY), samples.batch()
    keys = jax.random.split(jax.random.key(0), 3)
    batch = batch.replace(
      features={
        m: types.Features.of_vector(jax.random.normal(k, (samples.N, 4)))
        for m, k in zip(THREE, keys, strict=True)
      }
    )
    chosen = {m: samples.default(samples.KIND[m]) for m in THREE}
    model = models.create_model(samples.config(chosen), task)
    variables = model.init(jax.random.key(1), batch)
    found = step.loss_and_gradients(
      variables['params'],
      batch,
      model=model,
      task=task,
      key=jax.random.key(2),
      methods=(_method('subset_losses(weight=0.5)', THREE),),
    )
    expected = {}
    here = {m: np.asarray(batch.present[m]) for m in THREE}
    for k in (1, 2):
      for x in itertools.combinations(sorted(THREE), k):
        counts = np.array(
          [{m for m in THREE if here[m][i]} > set(x) for i in range(samples.N)]
        )
        without = batch.replace(
          present={m: p & (m in x) for m, p in batch.present.items()},
          weight=batch.weight * counts,
        )
        logits, _ = model.apply(variables, without)
        total, weight = tasks.loss_sums(task, logits, without)
        self.assertGreater(float(weight), 0)
        expected[f'subset_losses/{"+".join(x)}'] = 0.5 * total, weight
    self.assertEqual(set(found.sums), {'loss', *expected})
    for name, pair in expected.items():
      np.testing.assert_allclose(found.sums[name], pair, rtol=1e-5)

  def test_of_one_modality_it_adds_nothing(self):
    _, found = steps.passed('subset_losses', steps.record())
    self.assertEqual(set(found.sums), {'loss'})

  def test_gradients_reach_each_encoder_alone(self):
    _, plain = steps.passed('', steps.joint())
    _, found = steps.passed('subset_losses', steps.joint())
    gap = jax.tree.map(jnp.subtract, found.gradients, plain.gradients)
    for x in jax.tree.leaves(gap):
      self.assertGreater(float(abs(x).max()), 1e-4)

  def test_impossible_weights_and_too_many_modalities(self):
    with self.assertRaisesRegex(errors.UserError, 'at least 0'):
      _method('subset_losses(weight=-1)')
    with self.assertRaisesRegex(errors.UserError, '127 combinations'):
      _method('subset_losses', tuple('abcdefg'))


if __name__ == '__main__':
  absltest.main()
