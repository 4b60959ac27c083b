"""Tests of encoders that are trained alone before they are joined."""

import dataclasses

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks
from tests import tiny
from tests.training import steps

BOTH = (types.EHR, types.IMAGE)


def _config(spec):
  return dataclasses.replace(steps.CONFIG, methods=(spec,))


class UnimodalFirstTest(parameterized.TestCase):
  @parameterized.parameters(types.MULTICLASS, types.SURVIVAL)
  @pytest.mark.slow
  def test_is_the_loss_of_a_linear_layer_on_each_encoder(self, kind):
    setup = model, task, batch = steps.joint(kind)
    first, run = steps.start(_config('unimodal_first'), setup=setup)
    _, metrics = jax.jit(run)(first, batch)
    heads = first.params['methods_unimodal_first']
    model_params = protocol.without_modules(first.params)
    _, out = model.apply({'params': model_params}, batch)
    for m in BOTH:
      head = heads[f'head_{m}']
      logits = out['features'][m].pooled @ head['kernel'] + head['bias']
      own = batch.replace(weight=batch.weight * batch.present[m])
      exact = tasks.loss_sums(task, logits, own)
      np.testing.assert_allclose(
        metrics[f'unimodal_first/{m}'], exact, rtol=1e-4
      )

  @pytest.mark.slow
  def test_at_first_an_encoder_learns_from_nothing_but_its_own_head(self):
    """As it does beside another whose input is another."""
    model, task, batch = steps.joint()
    other = dict(batch.inputs[types.IMAGE])
    other['vector'] = other['vector'][::-1] * 3.0
    changed = batch.replace(inputs={**batch.inputs, types.IMAGE: other})
    first, run = steps.start(
      _config('unimodal_first(pretrain=0.5)'), setup=(model, task, batch)
    )
    run = jax.jit(run)
    one, two = first, first
    for _ in range(5):
      one, two = run(one, batch)[0], run(two, changed)[0]
    # Clipping by the norm of all gradients joins them a little; of no task.
    name = 'encoders_ehr'
    moved = jax.tree.map(np.subtract, one.params[name], first.params[name])
    gap = jax.tree.map(np.subtract, one.params[name], two.params[name])
    self.assertLess(steps.norm(gap), 0.05 * steps.norm(moved))
    one, two = run(one, batch)[0], run(two, changed)[0]
    after = jax.tree.map(np.subtract, one.params[name], two.params[name])
    self.assertGreater(steps.norm(after), 2 * steps.norm(gap))

  @pytest.mark.slow
  def test_its_losses_are_gone_afterwards(self):
    """Gradients of the heads are 0: only decay moves them, and not biases."""
    config = dataclasses.replace(
      _config('unimodal_first(pretrain=0)'), optimizer='sgd(momentum=0)'
    )
    first, last, _ = steps.train(config, 3, setup=steps.joint())
    for m in BOTH:
      np.testing.assert_array_equal(
        first.params['methods_unimodal_first'][f'head_{m}']['bias'],
        last.params['methods_unimodal_first'][f'head_{m}']['bias'],
      )

  def test_the_model_starts_as_without_it(self):
    setup = steps.joint()
    plain, _ = steps.start(steps.CONFIG, setup=setup)
    first, _ = steps.start(_config('unimodal_first'), setup=setup)
    jax.tree.map(
      np.testing.assert_array_equal,
      plain.params,
      protocol.without_modules(first.params),
    )

  def test_impossible_arguments(self):
    with self.assertRaisesRegex(errors.UserError, 'from 0 to 0.9'):
      protocol.create_methods(
        ('unimodal_first(pretrain=1)',),
        task=tiny.task_of(types.BINARY),
        modalities=BOTH,
      )


if __name__ == '__main__':
  absltest.main()
