import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.training import augment, optimizers, step
from fusion_jax.training import config as training_config
from tests.training import steps

CONFIG = training_config.TrainingConfig()


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters('adamw', 'sgd')
  def test_what_is_frozen_stays_bit_for_bit(self, optimizer):
    config = dataclasses.replace(
      CONFIG, optimizer=optimizer, groups=('encoders_ehr/first:0',)
    )
    first, last, _ = steps.train(config)
    for kept in (last.params, last.used['params']):
      jax.tree.map(
        np.testing.assert_array_equal,
        first.params['encoders_ehr']['first'],
        kept['encoders_ehr']['first'],
      )
    for name in ('embed', 'stages_0'):
      for a, b in zip(
        jax.tree.leaves(first.params['encoders_ehr'][name]),
        jax.tree.leaves(last.params['encoders_ehr'][name]),
        strict=True,
      ):
        self.assertGreater(float(abs(a - b).max()), 0.0)

  def test_a_group_moves_at_its_own_rate(self):
    config = dataclasses.replace(CONFIG, groups=('encoders_ehr:0.1',))
    first, last, _ = steps.train(config, 1)
    _, plain, _ = steps.train(CONFIG, 1)
    for name, rate in (('encoders_ehr', 0.1), ('combiner', 1.0)):
      moved, other = (
        jax.tree.map(jnp.subtract, x.params[name], first.params[name])
        for x in (last, plain)
      )
      np.testing.assert_allclose(
        steps.norm(moved), rate * steps.norm(other), rtol=1e-3
      )

  def test_a_group_of_nothing_names_the_parameters(self):
    config = dataclasses.replace(CONFIG, groups=('encoders_image:0',))
    with self.assertRaisesRegex(errors.UserError, 'combiner/head/bias'):
      steps.train(config)

  def test_no_average_takes_no_memory(self):
    _, last, _ = steps.train(dataclasses.replace(CONFIG, average=0.0))
    self.assertIsNone(last.average)
    jax.tree.map(
      np.testing.assert_array_equal, last.used, {'params': last.params}
    )

  def test_a_constant_rate_goes_on(self):
    # After the end of the schedule.
    for schedule, moves in (('cosine', False), ('constant', True)):
      config = dataclasses.replace(
        CONFIG, schedule=schedule, optimizer='sgd(momentum=0)'
      )
      _, before, _ = steps.train(config, 11)
      _, after, _ = steps.train(config, 12)
      gap = jax.tree.map(jnp.subtract, before.params, after.params)
      self.assertEqual(steps.norm(gap) > 0, moves)


class StepTest(parameterized.TestCase):
  def test_is_pure_and_reproducible(self):
    model, task, batch = steps.whole(types.BINARY)
    optimizer = optimizers.create_optimizer()
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
        augment=augment.of_batches(CONFIG, free=['image']),
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
    model, task, batch = steps.whole(types.BINARY)
    config = training_config.TrainingConfig(augment=False)
    optimizer = optimizers.create_optimizer()
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
