import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.training import backward, protocol
from tests import tiny
from tests.training import steps

BOTH = (types.IMAGE, types.EHR)


class MethodsTest(parameterized.TestCase):
  @parameterized.parameters('auxiliary', 'modality_dropout')
  def test_parts_of_a_batch_do_as_the_whole(self, name):
    whole, cut = (
      steps.train(
        dataclasses.replace(steps.CONFIG, methods=(name,), accumulate=k),
        setup=steps.joint(),
      )[1].params
      for k in (1, 4)
    )
    gap = jax.tree.map(jnp.subtract, whole, cut)
    self.assertLess(steps.norm(gap), 1e-6 * steps.norm(whole))

  def test_parts_give_out_in_the_order_of_the_batch(self):
    model, task, batch = steps.joint()
    methods = protocol.create_methods(('ogm_ge',), task=task, modalities=BOTH)
    params = jax.jit(model.init)(jax.random.key(0), batch)['params']
    whole, cut = (
      backward.loss_and_gradients(
        params,
        batch,
        model=model,
        task=task,
        key=jax.random.key(1),
        config=dataclasses.replace(steps.CONFIG, accumulate=k),
        methods=methods,
      ).out['alone']
      for k in (1, 4)
    )
    for m in BOTH:
      np.testing.assert_allclose(whole[m], cut[m], atol=1e-5)

  def test_without_methods_nothing_is_computed_for_them(self):
    model, task, batch = steps.joint()
    params = jax.jit(model.init)(jax.random.key(0), batch)['params']
    found = backward.loss_and_gradients(
      params, batch, model=model, task=task, key=jax.random.key(1)
    )
    self.assertIsNone(found.out)
    self.assertEqual(set(found.sums), {'loss'})

  def test_one_loss_has_one_name(self):
    config = dataclasses.replace(
      steps.CONFIG, methods=('auxiliary', 'auxiliary(weight=2)')
    )
    with self.assertRaisesRegex(errors.UserError, "loss 'auxiliary/ehr'"):
      steps.train(config, setup=steps.joint())

  def test_unknown_methods(self):
    task = tiny.task_of(types.BINARY)
    with self.assertRaisesRegex(errors.UserError, "mean 'auxiliary'"):
      protocol.create_methods(('auxilary',), task=task, modalities=BOTH)
    with self.assertRaisesRegex(errors.UserError, "mean 'rate'"):
      protocol.create_methods(
        ('modality_dropout(rat=0.1)',), task=task, modalities=BOTH
      )


if __name__ == '__main__':
  absltest.main()
