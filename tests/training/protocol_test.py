import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, step, tasks
from tests import tiny
from tests.training import steps

BOTH = (types.IMAGE, types.EHR)


def _kinds(name):
  claimed = protocol.METHODS.get(name).claims.get('tasks', types.TASK_KINDS)
  return [k for k in types.TASK_KINDS if k in claimed]


def _joint(name, kind=types.BINARY):
  """A joint model with the combiner that the method is for, if it has one."""
  combiner = protocol.METHODS.get(name).claims.get('combiner')
  if combiner is None:
    return steps.joint(kind)
  return steps.joint(kind, f'{combiner}(dropout=0)')


class ConformanceTest(parameterized.TestCase):
  @parameterized.parameters(
    *(
      (name, kind) for name in protocol.METHODS.names() for kind in _kinds(name)
    )
  )
  def test_every_registered_method_trains(self, name, kind):
    setup = _joint(name, kind)
    first, last, metrics = steps.train(
      dataclasses.replace(steps.CONFIG, methods=(name,)), setup=setup
    )
    self.assertEqual(jax.tree.structure(first), jax.tree.structure(last))
    for x in jax.tree.leaves((last.params, metrics)):
      self.assertTrue(np.isfinite(x).all())
    self.assertIn('loss', metrics[0])

  @parameterized.parameters(*protocol.METHODS.names())
  def test_shards_do_as_the_whole_batch(self, name):
    model, task, batch = _joint(name)
    config = dataclasses.replace(steps.CONFIG, methods=(name,))
    state, run = steps.start(config, setup=(model, task, batch))
    whole, sums = jax.jit(run)(state, batch)
    mapped = jax.pmap(
      lambda s, b: run(s, b, collective=tasks.over_axis('data')),
      'data',
      in_axes=(None, 0),
      out_axes=None,
    )
    spread = jax.tree.map(lambda x: x.reshape(8, 3, *x.shape[1:]), batch)
    sharded, others = mapped(state, spread)
    self.assertEqual(sums.keys(), others.keys())
    for key in sums:
      np.testing.assert_allclose(sums[key], others[key], rtol=1e-4)
    gap = jax.tree.map(jnp.subtract, whole.params, sharded.params)
    self.assertLess(steps.norm(gap), 1e-4 * steps.norm(whole.params))

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
      step.loss_and_gradients(
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
    found = step.loss_and_gradients(
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
