import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.training import backward, protocol, tasks
from tests import tiny
from tests.training import steps


def _pass(spec, setup):
  model, task, batch = setup
  methods = protocol.create_methods(
    (spec,) if spec else (), task=task, modalities=(types.IMAGE, types.EHR)
  )
  params = jax.jit(model.init)(jax.random.key(0), batch)['params']
  found = backward.loss_and_gradients(
    params,
    batch,
    model=model,
    task=task,
    key=jax.random.key(1),
    methods=methods,
  )
  return params, found


class AuxiliaryTest(absltest.TestCase):
  def test_is_the_loss_of_studies_with_that_modality_alone(self):
    setup = model, task, batch = steps.joint()
    params, found = _pass('auxiliary(weight=0.5)', setup)
    for m, other in ((types.IMAGE, types.EHR), (types.EHR, types.IMAGE)):
      without = batch.replace(
        present={**batch.present, other: jnp.zeros(24, bool)},
        weight=batch.weight * batch.present[m],
      )
      logits, _ = model.apply({'params': params}, without)
      total, weight = tasks.loss_sums(task, logits, without)
      np.testing.assert_allclose(
        found.sums[f'auxiliary/{m}'], (0.5 * total, weight), rtol=1e-5
      )

  def test_gradients_are_those_of_the_sum_of_means(self):
    setup = model, task, batch = steps.joint()
    params, found = _pass('auxiliary(weight=2)', setup)
    _, plain = _pass('', setup)

    def extra(params):
      total = 0.0
      for m, other in ((types.IMAGE, types.EHR), (types.EHR, types.IMAGE)):
        without = batch.replace(
          present={**batch.present, other: jnp.zeros(24, bool)},
          weight=batch.weight * batch.present[m],
        )
        logits, _ = model.apply({'params': params}, without)
        loss, weight = tasks.loss_sums(task, logits, without)
        total += 2 * loss / weight
      return total

    jax.tree.map(
      lambda a, b, c: np.testing.assert_allclose(a, b + c, atol=1e-5),
      found.gradients,
      plain.gradients,
      jax.grad(extra)(params),
    )

  def test_weight_zero_changes_nothing(self):
    plain, none = (
      steps.train(
        dataclasses.replace(steps.CONFIG, methods=methods), setup=steps.joint()
      )[1].params
      for methods in ((), ('auxiliary(weight=0)',))
    )
    gap = jax.tree.map(jnp.subtract, plain, none)
    self.assertLess(steps.norm(gap), 1e-6 * steps.norm(plain))

  def test_impossible_weights(self):
    with self.assertRaisesRegex(errors.UserError, 'at least 0'):
      protocol.create_methods(
        ('auxiliary(weight=-1)',),
        task=tiny.task_of(types.BINARY),
        modalities=(),
      )


if __name__ == '__main__':
  absltest.main()
