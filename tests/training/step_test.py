import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import augment, batches, optimizers, step, tasks
from fusion_jax.training import config as training_config
from tests import tiny

P = jax.sharding.PartitionSpec
CONFIG = training_config.TrainingConfig()


def _setup(kind):
  cohort = tiny.cohort(64, kind=kind, absent=True)
  data = tiny.fleet_data(cohort)
  model = models.create_model(tiny.model_config(), cohort.task)
  rng = np.random.default_rng(0)
  plan = batches.RowPlan(
    rows=jnp.arange(64),
    weight=jnp.array(rng.integers(0, 3, 64), jnp.float32),
  )
  batch = batches.gather(batches.make_resident(data), 0, plan)
  if kind == types.REGRESSION:
    batch = batch.replace(labels=(batch.labels - 50.0) / 10.0)
  return model, cohort.task, batch


def _without_dropout(model):
  # Under pmap each shard draws its own dropout: only without it are shards the
  # same as one device.
  quiet = {
    k: v.clone(dropout=0.0) if hasattr(v, 'dropout') else v
    for k, v in model.encoders.items()
  }
  return model.clone(encoders=quiet, combiner=model.combiner.clone(dropout=0.0))


def _norm(tree):
  return np.sqrt(sum(float((x**2).sum()) for x in jax.tree.leaves(tree)))


class OneStepOnEightDevicesTest(parameterized.TestCase):
  @parameterized.product(kind=types.TASK_KINDS, strategy=('jit', 'pmap'))
  def test_loss_and_gradients_agree_with_one_device(self, kind, strategy):
    self.assertEqual(jax.local_device_count(), 8)
    model, task, batch = _setup(kind)
    if strategy == 'pmap':
      model = _without_dropout(model)
    params = jax.jit(model.init)(jax.random.key(0), batch)['params']

    def gradients(params, batch, collective=tasks.LOCAL):
      return step.loss_and_gradients(
        params,
        batch,
        model=model,
        task=task,
        key=jax.random.key(1),
        collective=collective,
      )

    (loss, weight), expected, _ = jax.jit(gradients)(params, batch)
    if strategy == 'jit':
      mesh = jax.make_mesh(
        (8,), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
      )
      spread = jax.device_put(
        batch, jax.sharding.NamedSharding(mesh, P('data'))
      )
      everywhere = jax.device_put(params, jax.sharding.NamedSharding(mesh, P()))
      sums, actual, _ = jax.jit(gradients)(everywhere, spread)
    else:
      spread = jax.tree.map(lambda x: x.reshape(8, 8, *x.shape[1:]), batch)
      mapped = jax.pmap(
        lambda p, b: gradients(p, b, tasks.over_axis('data')),
        'data',
        in_axes=(None, 0),
        out_axes=None,
      )
      sums, actual, _ = mapped(params, spread)
    np.testing.assert_allclose(sums[0] / sums[1], loss / weight, rtol=1e-5)
    difference = jax.tree.map(lambda a, b: np.subtract(a, b), actual, expected)
    self.assertLess(_norm(difference), 1e-5 * _norm(expected))
    self.assertGreater(_norm(expected), 0.0)


class StepTest(parameterized.TestCase):
  def test_is_pure_and_reproducible(self):
    model, task, batch = _setup(types.BINARY)
    optimizer = optimizers.create_optimizer(config=CONFIG)
    state = step.create_train_state(
      model=model,
      optimizer=optimizer,
      batch=batch,
      key=jax.random.key(3),
      total_steps=10,
      learning_rate=1e-3,
      weight_decay=0.1,
    )

    def run(state):
      return step.train_step(
        state,
        batch,
        model=model,
        task=task,
        optimizer=optimizer,
        config=CONFIG,
        augment=augment.of_batches(CONFIG, orientation_free=True),
      )

    run = jax.jit(run)
    (one, metrics), (two, _) = run(state), run(state)
    jax.tree.map(np.testing.assert_array_equal, one.params, two.params)
    self.assertEqual(int(one.step), 1)
    self.assertEqual(float(metrics['loss'][1]), float(batch.weight.sum()))
    three, _ = run(one)
    moved = jax.tree.map(
      lambda a, b: float(abs(a - b).max()), one.params, three.params
    )
    self.assertGreater(max(jax.tree.leaves(moved)), 0.0)

  def test_steps_lower_the_loss(self):
    model, task, batch = _setup(types.BINARY)
    config = training_config.TrainingConfig(augment=False)
    optimizer = optimizers.create_optimizer(config=config)
    state = step.create_train_state(
      model=model,
      optimizer=optimizer,
      batch=batch,
      key=jax.random.key(0),
      total_steps=40,
      learning_rate=3e-3,
      weight_decay=0.0,
    )
    run = jax.jit(
      lambda state: step.train_step(
        state, batch, model=model, task=task, optimizer=optimizer, config=config
      )
    )
    losses = []
    for _ in range(40):
      state, metrics = run(state)
      losses.append(float(metrics['loss'][0] / metrics['loss'][1]))
    self.assertLess(losses[-1], 0.5 * losses[0])


if __name__ == '__main__':
  absltest.main()
