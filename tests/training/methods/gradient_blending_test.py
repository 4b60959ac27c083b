import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import backward, batches, neural, protocol, tasks
from fusion_jax.training.methods import gradient_blending
from tests import tiny
from tests.training import steps

NAMES = (types.IMAGE, types.EHR, gradient_blending.ALL)


def _method(spec='gradient_blending(every=1)'):
  (method,) = protocol.create_methods(
    (spec,),
    task=tiny.task_of(types.BINARY),
    modalities=(types.IMAGE, types.EHR),
  )
  return method


def _ended(epoch, valid):
  return protocol.Ended(
    epoch=jnp.int32(epoch),
    epochs=jnp.int32(9),
    params={},
    collections={},
    valid=jnp.float32(valid[gradient_blending.ALL]),
    alone={m: jnp.float32(valid[m]) for m in NAMES[:2]},
  )


class GradientBlendingTest(absltest.TestCase):
  def test_weights_are_gain_over_squared_overfitting(self):
    before = {'a': (0.7, 0.8), 'b': (0.7, 0.8), 'c': (0.7, 0.8)}
    now = {'a': (0.6, 0.75), 'b': (0.3, 0.7), 'c': (0.1, 0.9)}
    found = gradient_blending.weights(before, now)
    # c does not fall on validation studies.
    raw = {'a': 0.05 / 0.05**2, 'b': 0.1 / 0.3**2, 'c': 0.0}
    for name, x in raw.items():
      self.assertAlmostEqual(
        float(found[name]), x / sum(raw.values()), places=3
      )
    even = gradient_blending.weights(now, before)
    self.assertAlmostEqual(float(even['c']), 1.0, places=4)
    for x in gradient_blending.weights(before, before).values():
      self.assertAlmostEqual(float(x), 1 / 3, places=5)

  def test_losses_are_weighed_and_add_up(self):
    model, task, batch = steps.joint()
    params, plain = steps.passed('auxiliary', steps.joint())
    method = _method()
    memory = method.memory(params)
    share = dict(zip(NAMES, (0.5, 0.2, 0.3), strict=True))
    memory['weights'] = {k: jnp.float32(x) for k, x in share.items()}
    found = backward.loss_and_gradients(
      params,
      batch,
      model=model,
      task=task,
      key=jax.random.key(1),
      methods=(method.recalling(memory, params),),
    )

    def mean(sums, name):
      return float(sums[name][0] / sums[name][1])

    for m in NAMES[:2]:
      self.assertAlmostEqual(
        mean(found.sums, f'gradient_blending/{m}'),
        share[m] * mean(plain.sums, f'auxiliary/{m}'),
        places=5,
      )
    both = mean(found.sums, 'loss') + mean(found.sums, 'gradient_blending/all')
    self.assertAlmostEqual(both, 0.3 * mean(plain.sums, 'loss'), places=5)

  def test_looks_every_few_epochs_from_the_second_on(self):
    method = _method('gradient_blending(every=2)')
    memory = method.memory({})
    valid = {x: 0.9 for x in NAMES}
    train = {x: (jnp.float32(8.0), jnp.float32(10)) for x in NAMES}
    seen = []
    for epoch in range(1, 6):
      valid[types.EHR] -= 0.1
      memory['sums'] = train
      memory, _ = method.after_epoch(memory, _ended(epoch, valid))
      self.assertEqual(float(memory['sums'][types.EHR][0]), 0.0)
      seen.append(float(memory['weights'][types.EHR]))
    np.testing.assert_allclose(seen, [1 / 3, 1 / 3, 1, 1, 1], atol=1e-5)

  def test_training_losses_of_an_epoch(self):
    model, task, batch = steps.joint()
    params, plain = steps.passed('auxiliary', (model, task, batch))
    _, state, _ = steps.train(
      dataclasses.replace(
        steps.CONFIG, methods=('gradient_blending',), average=0.0
      ),
      steps=1,
      setup=(model, task, batch),
    )
    del params
    for m in NAMES[:2]:
      np.testing.assert_allclose(
        state.memory[0]['sums'][m][1], plain.sums[f'auxiliary/{m}'][1]
      )
      self.assertGreater(float(state.memory[0]['sums'][m][0]), 0)

  @pytest.mark.slow
  def test_in_training_weights_follow_validation(self):
    """The epoch's own losses, computed anew of its model."""
    model_config, data = steps.joint_fleet()
    task, rows = data.cohort.task, np.arange(24)
    going, _ = neural.begin(
      model_config=model_config,
      task=task,
      data=data,
      members=[neural.Member(rows[:12], rows[12:], seed=0)],
      config=dataclasses.replace(
        steps.CONFIG,
        epochs=2,
        least_steps=0,
        batch_size=6,
        methods=('gradient_blending(every=1)',),
      ),
      parallel=parallel_config.ParallelConfig(devices=1),
    )
    going.start()
    *_, _ = going.train(1)
    variables = jax.tree.map(lambda x: np.array(x[0]), going.host().train.used)
    _, valid, _ = going.judge()
    found = going.host().train.memory[0]
    plan = batches.RowPlan(rows=jnp.asarray(rows[12:]), weight=jnp.ones(12))
    batch = batches.gather(batches.make_resident(data), 0, plan)
    model = models.create_model(model_config, task)
    _, out = model.apply(variables, batch, alone=True)
    for m, logits in out['alone'].items():
      own = batch.replace(weight=batch.weight * batch.present[m])
      total, weight = tasks.loss_sums(task, logits, own)
      self.assertAlmostEqual(
        float(found['before'][m][1][0]), float(total / weight), places=4
      )
      self.assertGreater(float(found['before'][m][0][0]), 0)
    self.assertAlmostEqual(
      float(found['before']['all'][1][0]), float(valid[0]), places=5
    )

  def test_impossible_arguments(self):
    with self.assertRaisesRegex(errors.UserError, 'at least 1'):
      _method('gradient_blending(every=0)')


if __name__ == '__main__':
  absltest.main()
