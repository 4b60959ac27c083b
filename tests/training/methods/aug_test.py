import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from scipy import special

from fusion_jax.core import errors, types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import neural, protocol, tasks
from tests import tiny
from tests.training import steps

N = 8


def _method(spec='aug', kind=types.BINARY, modalities=('ct', 'labs')):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(kind), modalities=modalities
  )
  return method


def _given(kind):
  """What the combiner holds out, made up, and a batch."""
  rng = np.random.default_rng(0)
  task = tiny.task_of(kind)
  s = task.num_outputs
  if kind == types.MULTICLASS:
    labels = rng.integers(0, s, size=(N, 1))
  else:
    labels = rng.random((N, task.num_labels)) < 0.5
  out = {
    'features': dict.fromkeys(('ct', 'labs')),
    'boosted': {
      m: jnp.asarray(rng.normal(size=(N, 3, s)), jnp.float32)
      for m in ('ct', 'labs')
    },
    'opened': {'ct': jnp.ones(N), 'labs': jnp.zeros(N)},
  }
  return out, types.Batch(
    inputs={},
    present={
      'ct': jnp.asarray(np.arange(N) % 4 > 0),
      'labs': jnp.ones(N, bool),
    },
    labels=jnp.asarray(labels, jnp.float32),
    label_mask=jnp.ones(labels.shape, bool),
    weight=jnp.arange(N) % 3.0,
    row=jnp.arange(N),
  )


class AUGTest(parameterized.TestCase):
  @parameterized.parameters(types.BINARY, types.MULTICLASS)
  def test_losses_of_the_whole_the_others_and_the_last(self, kind):
    out, batch = _given(kind)
    method = _method('aug(residual=0.3)', kind)
    found = method.losses(None, out, batch, tasks.LOCAL)
    labels = np.asarray(batch.labels)[:, 0].astype(int)

    def log_p(k):
      x = np.asarray(out['boosted']['ct'][:, k])
      if kind == types.BINARY:
        x = np.concatenate([np.zeros_like(x), x], axis=1)
      return special.log_softmax(x, axis=1)[np.arange(N), labels]

    weight = np.asarray(batch.weight * batch.present['ct'])
    whole, before, last = (log_p(k) for k in range(3))
    left = 1 - 0.3 * np.exp(before)
    for name, losses in (
      ('whole', -whole),
      ('before', -before),
      # Cross entropy with labels y - 0.3 y p.
      ('last', -left * last),
    ):
      np.testing.assert_allclose(
        found[f'aug/{name}/ct'],
        ((losses * weight).sum(), weight.sum()),
        rtol=1e-4,
      )
    # Of a modality with its first layer only there is nothing more.
    self.assertEqual(float(found['aug/before/labs'][0]), 0.0)
    self.assertEqual(float(found['aug/last/labs'][0]), 0.0)

  def test_the_modality_that_lags_is_given_a_layer(self):
    method = _method()
    pair = (jnp.float32(6), jnp.float32(10))
    for ct, expected in ((8, [0, 1]), (4, [1, 0]), (6.01, [0, 0])):
      found = method.lags({'ct': (jnp.float32(ct), pair[1]), 'labs': pair})
      self.assertEqual([int(found[m]) for m in ('ct', 'labs')], expected)
    three = _method(modalities=('ct', 'labs', 'pet')).lags(
      {
        m: (jnp.float32(x), jnp.float32(10))
        for m, x in (('ct', 5), ('labs', 3), ('pet', 6))
      }
    )
    self.assertEqual([int(x) for x in three.values()], [0, 1, 0])

  def test_gates_open_one_after_the_other_when_it_is_time(self):
    method = _method('aug(looks=2)')
    collections = {
      'gates': {'combiner': {m: jnp.zeros(2) for m in ('ct', 'labs')}},
      'batch_stats': {'encoders_ct': {'ct': jnp.zeros(2)}},
    }
    memory = {
      'ct': (jnp.float32(8), jnp.float32(10)),
      'labs': (jnp.float32(4), jnp.float32(10)),
    }
    seen = []
    for epoch in range(1, 7):
      after, collections = method.after_epoch(
        memory,
        protocol.Ended(
          epoch=jnp.int32(epoch),
          epochs=jnp.int32(6),
          params={},
          collections=collections,
          valid=jnp.float32(0),
          alone={},
        ),
      )
      self.assertEqual(float(after['ct'][0]), 0.0)
      gates = collections['gates']['combiner']
      seen.append([int(x) for x in gates['labs']])
      np.testing.assert_array_equal(gates['ct'], 0)
    # Looks are after epochs 1, 3 and 6, and there are two layers.
    self.assertEqual(seen, [[1, 0], [1, 0], *[[1, 1]] * 4])
    self.assertEqual(
      float(collections['batch_stats']['encoders_ct']['ct'].sum()), 0
    )

  @pytest.mark.slow
  def test_in_training_gates_of_one_modality_open(self):
    model_config, data = steps.joint_fleet(combiner='aug(width=4,most=2)')
    rows = np.arange(24)
    going, _ = neural.begin(
      model_config=model_config,
      task=data.cohort.task,
      data=data,
      members=[neural.Member(rows[:16], rows[16:], seed=0)],
      config=dataclasses.replace(
        steps.CONFIG,
        epochs=2,
        least_steps=0,
        batch_size=8,
        methods=('aug(margin=0)',),
      ),
      parallel=parallel_config.ParallelConfig(devices=1),
    )
    going.start()
    *_, _ = going.train(1)
    # A copy: what is on the host may share the memory that is overwritten.
    memory = jax.tree.map(
      lambda x: np.array(x[0]), going.host().train.memory[0]
    )
    going.judge()
    gates = going.host().train.collections['gates']['combiner']
    means = {m: float(s / w) for m, (s, w) in memory.items()}
    least = min(means, key=means.get)
    for m, x in gates.items():
      np.testing.assert_array_equal(x[0], [float(m == least), 0])

  def test_another_combiner_and_impossible_arguments(self):
    with self.assertRaisesRegex(errors.UserError, 'combiner=aug'):
      steps.passed('aug', steps.joint())
    for text in ('residual=2', 'margin=-1', 'looks=0'):
      with self.assertRaises(errors.UserError):
        _method(f'aug({text})')


if __name__ == '__main__':
  absltest.main()
