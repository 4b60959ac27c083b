import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks
from tests import tiny
from tests.training import steps

THREE = ('ct', 'labs', 'pet')


def _method(spec, modalities=('ct', 'labs')):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(types.BINARY), modalities=modalities
  )
  return method


class SubsetLossesTest(absltest.TestCase):
  def test_is_the_loss_without_the_other_modality(self):
    setup = model, task, batch = steps.joint()
    params, found = steps.passed('subset_losses(weight=0.5)', setup)
    both = batch.present[types.IMAGE] & batch.present[types.EHR]
    for m, other in ((types.IMAGE, types.EHR), (types.EHR, types.IMAGE)):
      without = batch.replace(
        present={**batch.present, other: jnp.zeros(24, bool)},
        # What has nothing else has the task's own loss.
        weight=batch.weight * both,
      )
      logits, _ = model.apply({'params': params}, without)
      total, weight = tasks.loss_sums(task, logits, without)
      np.testing.assert_allclose(
        found.sums[f'subset_losses/{m}'], (0.5 * total, weight), rtol=1e-5
      )

  def test_combinations_of_what_each_study_has(self):
    """With the task's own, one loss for each set of a study's modalities."""
    rng = np.random.default_rng(0)
    task = tiny.task_of(types.BINARY)
    here = {m: rng.random(40) < 0.7 for m in THREE}
    batch = types.Batch(
      inputs={},
      present={m: jnp.asarray(x) for m, x in here.items()},
      labels=jnp.asarray(rng.random((40, 1)) < 0.5, jnp.float32),
      label_mask=jnp.ones((40, 1), bool),
      weight=jnp.asarray(rng.random(40), jnp.float32),
      row=jnp.arange(40),
    )
    method = _method('subset_losses', THREE)
    self.assertLen(method.subsets, 6)
    logits = {
      x: jnp.asarray(rng.normal(size=(40, 1)), jnp.float32)
      for x in method.subsets
    }
    found = method.losses(None, {'subsets': logits}, batch, tasks.LOCAL)
    for x in method.subsets:
      counts = np.array(
        [{m for m in THREE if here[m][i]} > set(x) for i in range(40)]
      )
      own = batch.replace(weight=batch.weight * counts)
      np.testing.assert_allclose(
        found[f'subset_losses/{"+".join(x)}'],
        tasks.loss_sums(task, logits[x], own),
        rtol=1e-6,
      )

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
