"""Tests of phases in which some parameters or losses do not count."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import (
  backward,
  neural,
  optimizers,
  phases,
  protocol,
)
from fusion_jax.training import config as training_config
from tests import tiny
from tests.training import steps

FIRST = protocol.Phase(0.3, ('^a:0', 'b:0.5'), ('^loss$:0', '^x/:2'))
SECOND = protocol.Phase(0.5, losses=('^x/:0.25',))


@dataclasses.dataclass(frozen=True)
class Phased(protocol.Method):
  """A method of some phases and nothing else."""

  own: tuple[protocol.Phase, ...]

  def phases(self):
    return self.own


def _clock(taken):
  return phases.Clock(jnp.int32(taken), jnp.int32(10))


class ClockTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, 0.0, 2.0), (2, 0.0, 2.0), (3, 1.0, 0.25), (4, 1.0, 0.25), (5, 1.0, 1.0)
  )
  def test_losses_count_as_the_phase_says(self, taken, loss, own):
    factor = _clock(taken).factor([Phased((FIRST, SECOND)), Phased(())])
    self.assertEqual(float(factor('loss')), loss)
    self.assertEqual(float(factor('x/1')), own)
    self.assertEqual(float(factor('y/x/1')), 1.0)

  def test_factors_of_several_methods_multiply(self):
    own = Phased((protocol.Phase(1.0, losses=('^x:0.5',)),))
    factor = _clock(0).factor([own, own])
    self.assertEqual(float(factor('x')), 0.25)

  def test_without_them_there_is_no_factor(self):
    only_rates = Phased((protocol.Phase(0.5, ('a:0',)),))
    self.assertIsNone(_clock(0).factor([only_rates]))

  @parameterized.parameters((2, 0.0, 0.5), (3, 1.0, 1.0))
  def test_updates_follow_rates(self, taken, a, b):
    params = {'a': jnp.ones(2), 'b': jnp.ones(3)}
    found = _clock(taken).updates(params, params, (FIRST, SECOND))
    np.testing.assert_array_equal(found['a'], a * np.ones(2))
    np.testing.assert_array_equal(found['b'], b * np.ones(3))


class PretrainingTest(parameterized.TestCase):
  def test_nothing_but_its_losses_counts_at_first(self):
    own = protocol.pretraining('mine', 0.4, 0.5)
    for taken, loss, other, mine in ((3, 0, 0, 1), (4, 1, 1, 0.5)):
      factor = _clock(taken).factor([Phased(own)])
      self.assertEqual(float(factor('loss')), loss)
      self.assertEqual(float(factor('auxiliary/x')), other)
      self.assertEqual(float(factor('mine/x')), mine)
    self.assertEqual(protocol.untrained([Phased(own)]), 0.4)

  def test_two_that_come_first_count_side_by_side(self):
    methods = [
      Phased(protocol.pretraining(name, share, 1.0))
      for name, share in (('one', 0.2), ('two', 0.4))
    ]
    for taken, loss, one, two in ((1, 0, 1, 1), (3, 0, 0, 1), (4, 1, 1, 1)):
      factor = _clock(taken).factor(methods)
      self.assertEqual(float(factor('loss')), loss)
      self.assertEqual(float(factor('one/x')), one)
      self.assertEqual(float(factor('two/x')), two)
    self.assertEqual(protocol.untrained(methods), 0.4)

  def test_without_a_share_only_the_weight_is_left(self):
    own = protocol.pretraining('mine', 0.0, 0.5)
    self.assertEqual(own, (protocol.Phase(1.0, losses=('^mine/:0.5',)),))
    self.assertEqual(protocol.untrained([Phased(own)]), 0.0)

  def test_what_joins_modalities_waits(self):
    """The combiner stays as it is to the last bit, encoders do not."""
    config = dataclasses.replace(
      steps.CONFIG, methods=('unimodal_first(pretrain=0.3)',)
    )
    for taken, moves in ((3, False), (4, True)):  # of 10
      first, last, _ = steps.train(config, taken, setup=steps.joint())
      for name, expected in (('combiner', moves), ('encoders_ehr', True)):
        same = jax.tree.map(
          np.array_equal, first.params[name], last.params[name]
        )
        self.assertEqual(not all(jax.tree.leaves(same)), expected, name)

  def test_gradients_of_what_does_not_count_are_zero(self):
    model, task, batch = steps.joint()
    params = jax.jit(model.init)(jax.random.key(0), batch)['params']

    @jax.jit
    def look(params, batch):
      return backward.loss_and_gradients(
        params,
        batch,
        model=model,
        task=task,
        key=jax.random.key(1),
        factor=lambda name: {'loss': 0.0}[name],
      )

    found = look(params, batch)
    self.assertEqual(steps.norm(found.gradients), 0.0)
    self.assertGreater(float(found.sums['loss'][0]), 0.0)

  @pytest.mark.slow
  def test_kept_is_what_comes_after_it(self):
    """However good an epoch of it looks; and no module of a method."""
    config = training_config.TrainingConfig(
      epochs=6,
      least_steps=0,
      least_patience=0,
      patience=2,
      batch_size=12,
      # Nothing of the model learns in it, and what does after it goes astray.
      groups=('^encoders_:0',),
      learning_rate=100.0,
      average=0.0,
      clip_norm=0.0,
      schedule='constant',
      methods=('autoencoder(pretrain=0.5,width=2,hidden=4)',),
    )
    cohort, rows = tiny.cohort(36), np.arange(36)
    (fitted,) = neural.fit_fleet(
      model_config=tiny.model_config(
        types.EHR, ehr='mlp(width=8,dropout=0)', combiner='additive'
      ),
      task=cohort.task,
      data=tiny.fleet_data(cohort),
      members=[neural.Member(rows[:24], rows[24:], seed=0)],
      config=config,
      parallel=parallel_config.ParallelConfig(devices=1),
    ).fitted
    self.assertEqual(fitted.failure, '')
    self.assertGreater(fitted.best_epoch, 3)
    self.assertGreaterEqual(len(fitted.history), 4)
    counted = [valid for _, valid in fitted.history[3:]]
    earlier = [valid for _, valid in fitted.history[:3]]
    self.assertLess(min(earlier), min(counted))
    self.assertEqual(fitted.valid_loss, min(counted))
    self.assertEqual(
      [k for k in fitted.params if k.startswith(protocol.module_name(''))], []
    )
    self.assertEqual(
      fitted.parameters, sum(x.size for x in jax.tree.leaves(fitted.params))
    )


class ScaledTest(absltest.TestCase):
  def test_rate_zero_is_exact(self):
    found = optimizers.scaled(
      {'a': jnp.array([jnp.inf]), 'b': jnp.ones(1)}, {'a': 0.0, 'b': 0.5}
    )
    self.assertEqual(float(found['a'][0]), 0.0)
    self.assertEqual(float(found['b'][0]), 0.5)

  def test_the_factor_is_of_the_first_expression(self):
    texts = ('^x/:0.5', 'x:2')
    self.assertEqual(protocol.factor_of('x/1', texts), 0.5)
    self.assertEqual(protocol.factor_of('ax', texts), 2.0)
    self.assertEqual(optimizers.parse_groups(texts)[1][1], 2.0)


if __name__ == '__main__':
  absltest.main()
