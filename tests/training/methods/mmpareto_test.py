import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from scipy import optimize

from fusion_jax.core import errors, types
from fusion_jax.training import backward, protocol, step
from fusion_jax.training.methods import mmpareto
from tests import tiny
from tests.training import steps


def _pair(sign):
  """Two gradients of an encoder, into one half space or apart."""
  rng = np.random.default_rng(0)
  one = {'kernel': rng.normal(size=(4, 5)), 'bias': rng.normal(size=5)}
  other = jax.tree.map(
    lambda x: sign * 2 * x + 0.7 * rng.normal(size=x.shape), one
  )
  return one, other


def _flat(tree):
  return np.concatenate([x.ravel() for x in jax.tree.leaves(tree)])


class MMParetoTest(parameterized.TestCase):
  def test_weight_is_of_the_least_norm_where_gradients_are_apart(self):
    one, other = _pair(-1)
    a, b = _flat(one), _flat(other)
    self.assertLess(a @ b, 0)
    least = optimize.minimize_scalar(
      lambda w: ((w * a + (1 - w) * b) ** 2).sum(), bounds=(0, 1)
    )
    found = float(mmpareto.pareto_weight(one, other))
    self.assertAlmostEqual(found, least.x, delta=1e-4)
    # It serves both: neither loss grows along it.
    both = found * a + (1 - found) * b
    self.assertGreater(both @ a, 0)
    self.assertGreater(both @ b, 0)

  def test_a_sum_where_they_are_not(self):
    one, other = _pair(1)
    self.assertEqual(float(mmpareto.pareto_weight(one, other)), 0.5)
    found = mmpareto.combined(one, other, gamma=1.5)
    jax.tree.map(
      lambda x, a, b: np.testing.assert_allclose(x, 1.5 * (a + b), rtol=1e-5),
      found,
      one,
      other,
    )

  def test_size_is_restored_array_by_array(self):
    one, other = _pair(-1)
    w = float(mmpareto.pareto_weight(one, other))
    found = mmpareto.combined(one, other, gamma=2.0)
    for name in one:
      a, b = one[name], other[name]
      both = 2 * (w * a + (1 - w) * b)
      ratio = np.linalg.norm(a + b) / np.linalg.norm(both)
      np.testing.assert_allclose(
        found[name], 2 * max(ratio, 1) * both, rtol=1e-4
      )
    zero = jax.tree.map(jnp.zeros_like, one)
    for x in jax.tree.leaves(mmpareto.combined(zero, zero, gamma=1.0)):
      np.testing.assert_array_equal(x, 0)

  def test_in_a_step_only_encoders_are_given_another_gradient(self):
    setup = model, task, batch = steps.joint()
    (method,) = protocol.create_methods(
      ('mmpareto',), task=task, modalities=tuple(model.encoders)
    )
    params, found = steps.passed('mmpareto', setup)
    _, plain = steps.passed('auxiliary', setup)
    for a, b in zip(
      jax.tree.leaves(found.gradients),
      jax.tree.leaves(plain.gradients),
      strict=True,
    ):
      np.testing.assert_allclose(a, b, atol=1e-5)
    _, alone = steps.passed('', setup)
    for a, b in zip(
      jax.tree.leaves(found.by_loss['loss']),
      jax.tree.leaves(alone.gradients),
      strict=True,
    ):
      np.testing.assert_allclose(a, b, atol=1e-6)
    changed = method.gradients(
      found.gradients,
      {**found.out, 'gradients': found.by_loss},
      batch,
      key=jax.random.key(0),
      collective=step.tasks.LOCAL,
    )
    name = f'encoders_{types.EHR}'
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5),
      changed[name],
      mmpareto.combined(
        found.by_loss['loss'][name],
        found.by_loss[f'mmpareto/{types.EHR}'][name],
        1.5,
      ),
    )
    for x in params.keys() - {name, f'encoders_{types.IMAGE}'}:
      jax.tree.map(
        np.testing.assert_array_equal, changed[x], found.gradients[x]
      )

  def test_losses_that_others_add_reach_all_as_they_are(self):
    model, task, batch = steps.joint()
    methods = protocol.create_methods(
      ('mmpareto', 'subset_losses'), task=task, modalities=tuple(model.encoders)
    )
    params, plain = steps.passed('mmpareto', (model, task, batch))
    _, more = steps.passed('subset_losses', (model, task, batch))
    _, alone = steps.passed('', (model, task, batch))
    found = backward.loss_and_gradients(
      params,
      batch,
      model=model,
      task=task,
      key=jax.random.key(1),
      methods=methods,
    )
    self.assertEqual(
      set(found.by_loss), {'loss', 'mmpareto/image', 'mmpareto/ehr'}
    )
    jax.tree.map(
      lambda a, b, c, d: np.testing.assert_allclose(a, b + c - d, atol=1e-5),
      found.gradients,
      plain.gradients,
      more.gradients,
      alone.gradients,
    )

  @pytest.mark.slow
  def test_a_batch_in_parts_is_the_batch(self):
    whole, cut = (
      steps.train(
        dataclasses.replace(
          steps.CONFIG, methods=('mmpareto',), accumulate=parts
        ),
        setup=steps.joint(),
      )[1].params
      for parts in (1, 4)
    )
    gap = jax.tree.map(jnp.subtract, whole, cut)
    self.assertLess(steps.norm(gap), 1e-4 * steps.norm(whole))

  def test_impossible_arguments(self):
    with self.assertRaisesRegex(errors.UserError, 'above 0'):
      protocol.create_methods(
        ('mmpareto(gamma=0)',),
        task=tiny.task_of(types.BINARY),
        modalities=(),
      )


if __name__ == '__main__':
  absltest.main()
