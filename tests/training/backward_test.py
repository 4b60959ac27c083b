"""Tests of fusion_jax.training.backward, and of its agreement over devices."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import backward, tasks
from fusion_jax.training import config as training_config
from tests.training import steps

P = jax.sharding.PartitionSpec
CONFIG = training_config.TrainingConfig()


def _without_dropout(model):
  # Under pmap each shard draws its own dropout: only without it are shards the
  # same as one device.
  quiet = {
    k: v.clone(dropout=0.0) if hasattr(v, 'dropout') else v
    for k, v in model.encoders.items()
  }
  return model.clone(encoders=quiet, combiner=model.combiner.clone(dropout=0.0))


class OneStepOnEightDevicesTest(parameterized.TestCase):
  @parameterized.product(
    kind=types.TASK_KINDS, strategy=('jit', 'pmap', 'fsdp')
  )
  def test_loss_and_gradients_agree_with_one_device(self, kind, strategy):
    self.assertEqual(jax.local_device_count(), 8)
    model, task, batch = steps.whole(kind)
    if strategy == 'pmap':
      model = _without_dropout(model)
    params = jax.jit(model.init)(jax.random.key(0), batch)['params']

    def gradients(params, batch, collective=tasks.LOCAL):
      return backward.loss_and_gradients(
        params,
        batch,
        model=model,
        task=task,
        key=jax.random.key(1),
        collective=collective,
      )

    expected_sums, expected, *_ = jax.jit(gradients)(params, batch)
    if strategy == 'fsdp':
      two = strategies.create_strategy(
        parallel_config.ParallelConfig(devices=4, fsdp=2), members=1
      )
      cut = two.place_members(params, stacked=False)
      halved = [
        x.addressable_shards[0].data.size < x.size for x in jax.tree.leaves(cut)
      ]
      self.assertGreater(sum(halved), 5)
      sums, actual, *_ = jax.jit(gradients)(cut, two.place_cut(batch, 0))
    elif strategy == 'jit':
      mesh = jax.make_mesh(
        (8,), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
      )
      spread = jax.device_put(
        batch, jax.sharding.NamedSharding(mesh, P('data'))
      )
      everywhere = jax.device_put(params, jax.sharding.NamedSharding(mesh, P()))
      sums, actual, *_ = jax.jit(gradients)(everywhere, spread)
    else:
      spread = jax.tree.map(lambda x: x.reshape(8, 8, *x.shape[1:]), batch)
      mapped = jax.pmap(
        lambda p, b: gradients(p, b, tasks.over_axis('data')),
        'data',
        in_axes=(None, 0),
        out_axes=None,
      )
      sums, actual, *_ = mapped(params, spread)
    np.testing.assert_allclose(
      np.divide(*sums['loss']), np.divide(*expected_sums['loss']), rtol=1e-5
    )
    difference = jax.tree.map(lambda a, b: np.subtract(a, b), actual, expected)
    self.assertLess(steps.norm(difference), 1e-5 * steps.norm(expected))
    self.assertGreater(steps.norm(expected), 0.0)


class LossAndGradientsTest(parameterized.TestCase):
  @parameterized.parameters(2, 8)
  def test_a_batch_in_parts_is_the_whole_batch(self, parts):
    for kind in (types.BINARY, types.MULTILABEL):
      setup = steps.record(kind)
      whole, cut = (
        steps.train(dataclasses.replace(CONFIG, accumulate=k), setup=setup)
        for k in (1, parts)
      )
      gap = jax.tree.map(jnp.subtract, whole[1].params, cut[1].params)
      self.assertLess(steps.norm(gap), 1e-6 * steps.norm(whole[1].params))
      for one, other in zip(whole[2], cut[2], strict=True):
        np.testing.assert_allclose(one['loss'], other['loss'], rtol=1e-6)

  def test_parts_are_spread_evenly_over_devices(self):
    parts = backward._parts({'x': jnp.arange(12)}, 3)['x']
    np.testing.assert_array_equal(parts[0], [0, 3, 6, 9])

  def test_survival_compares_whole_batches(self):
    with self.assertRaisesRegex(errors.UserError, 'needs training.accumulate'):
      steps.train(
        dataclasses.replace(CONFIG, accumulate=2),
        setup=steps.record(types.SURVIVAL),
      )

  def test_half_precision_is_of_the_pass_alone(self):
    half = dataclasses.replace(CONFIG, dtype='bfloat16')
    first, last, metrics = steps.train(half)
    for x in jax.tree.leaves((last.params, last.average, metrics)):
      self.assertEqual(x.dtype, jnp.float32)
    _, single, _ = steps.train(CONFIG)
    moved = jax.tree.map(jnp.subtract, single.params, first.params)
    gap = jax.tree.map(jnp.subtract, single.params, last.params)
    self.assertBetween(steps.norm(gap), 1e-7, 0.3 * steps.norm(moved))
    model, task, batch = steps.record()
    text = str(
      jax.make_jaxpr(
        lambda params: (
          backward.loss_and_gradients(
            params,
            batch,
            model=model,
            task=task,
            key=jax.random.key(0),
            config=half,
          ).gradients
        )
      )(first.params)
    )
    self.assertIn('bf16[24,8]', text)

  def test_computing_stages_again_changes_nothing(self):
    model, task, batch = steps.record()
    again = model.clone(remat=True)
    one, two = (
      steps.train(CONFIG, setup=(m, task, batch))[1].params
      for m in (model, again)
    )
    gap = jax.tree.map(jnp.subtract, one, two)
    self.assertLess(steps.norm(gap), 1e-6 * steps.norm(one))
    jaxpr = jax.make_jaxpr(
      lambda params: (
        backward.loss_and_gradients(
          params, batch, model=again, task=task, key=jax.random.key(0)
        ).gradients
      )
    )(one)
    self.assertIn('remat', str(jaxpr))


if __name__ == '__main__':
  absltest.main()
