import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks
from fusion_jax.training.methods import inforeg
from tests import tiny
from tests.training import steps
from tests.training.methods import ogm_ge_test


def _method(spec='inforeg', kind=types.BINARY):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(kind), modalities=(types.IMAGE, types.EHR)
  )
  return method


def _params(seed):
  keys = jax.random.split(jax.random.key(seed), 4)
  return {
    name: {
      'kernel': jax.random.normal(a, (4, 5)),
      'bias': jax.random.normal(b, (5,)),
    }
    for name, a, b in (
      ('encoders_image', *keys[:2]),
      ('encoders_ehr', *keys[2:]),
      ('combiner', *keys[:2]),
    )
  }


def _ended(params):
  return protocol.Ended(
    epoch=jnp.int32(1),
    epochs=jnp.int32(9),
    params=params,
    collections={'batch_stats': jnp.ones(1)},
    valid=jnp.float32(0),
    alone={},
  )


class InfoRegTest(parameterized.TestCase):
  def test_growth_is_of_sums_over_ten_epochs(self):
    history, traces = [], jnp.zeros(inforeg.SPAN + 1)
    self.assertEqual(float(inforeg.growth(traces)), 1.0)
    for x in np.random.default_rng(0).random(15):
      history.append(x)
      traces = jnp.concatenate([traces[1:], jnp.float32(x)[None]])
      now = sum(history[-10:])
      before = sum(history[-11:-1])
      self.assertAlmostEqual(
        float(inforeg.growth(traces)), (now - before) / now, places=5
      )

  @parameterized.parameters((0.9, 0.6), (0.6, 0.9), (0.7, 0.7))
  def test_the_leading_encoder_is_pulled_back(self, image, ehr):
    out, batch = ogm_ge_test._binary(image, ehr)
    first, now = _params(0), _params(1)
    method = _method('inforeg(beta=0.5)')
    method = method.recalling(method.memory(first), now)
    gradients = _params(2)
    found = method.gradients(
      gradients, out, batch, key=jax.random.key(0), collective=tasks.LOCAL
    )
    n = ogm_ge_test.N
    for m, own, other in ((types.IMAGE, image, ehr), (types.EHR, ehr, image)):
      gap = np.tanh(n * (own - other))
      strength = 0.5 * np.exp(gap) if own > other else 0.0
      name = f'encoders_{m}'
      jax.tree.map(
        lambda x, g, p, q, s=strength: np.testing.assert_allclose(
          x, g + s * (p - q), atol=1e-5
        ),
        found[name],
        gradients[name],
        now[name],
        first[name],
      )
    jax.tree.map(
      np.testing.assert_array_equal, found['combiner'], gradients['combiner']
    )

  def test_once_the_window_is_closed_nothing_is_pulled(self):
    out, batch = ogm_ge_test._binary(0.9, 0.6)
    method = _method('inforeg(window=0.04)')
    memory = method.memory(_params(0))
    for last, pulled in ((1.5, True), (1.2, False)):
      traces = jnp.concatenate([jnp.ones(inforeg.SPAN), jnp.array([last])])
      memory['traces'] = dict.fromkeys(memory['traces'], traces)
      found = method.recalling(memory, _params(1)).strengths(
        out, batch, tasks.LOCAL
      )
      # (T - T') / T is (last - 1) / (9 + last): 0.0476 and 0.0196.
      self.assertEqual(float(found[types.IMAGE]) > 0, pulled)
      self.assertEqual(float(found[types.EHR]), 0.0)

  def test_memory_of_a_step_and_of_an_epoch(self):
    method, gradients = _method(), _params(2)
    memory = method.memory(_params(0))
    taken = protocol.Taken({}, gradients, {}, None, tasks.LOCAL)
    for _ in range(2):
      memory = method.after_step(memory, taken)
    square = np.square(gradients['encoders_ehr']['kernel']).mean()
    self.assertAlmostEqual(
      float(memory['sums'][types.EHR]), 2 * square, places=4
    )
    memory, collections = method.after_epoch(memory, _ended(_params(1)))
    self.assertEqual(set(collections), {'batch_stats'})
    self.assertAlmostEqual(
      float(memory['traces'][types.EHR][-1]), 2 * square, places=4
    )
    self.assertEqual(float(memory['traces'][types.EHR][:-1].sum()), 0.0)
    self.assertEqual(float(memory['sums'][types.EHR]), 0.0)
    self.assertEqual(set(memory['start']), {'encoders_image', 'encoders_ehr'})
    jax.tree.map(
      np.testing.assert_array_equal,
      memory['start']['encoders_ehr'],
      _params(1)['encoders_ehr'],
    )

  @pytest.mark.slow
  def test_without_a_brake_it_is_the_losses_alone(self):
    plain, none = (
      steps.train(
        dataclasses.replace(steps.CONFIG, methods=(text,)),
        setup=steps.joint(),
      )[1].params
      for text in ('auxiliary', 'inforeg(beta=0)')
    )
    gap = jax.tree.map(jnp.subtract, plain, none)
    self.assertLess(steps.norm(gap), 1e-6 * steps.norm(plain))

  @pytest.mark.slow
  def test_a_brake_keeps_an_encoder_near(self):
    """Of what is held back the parameters move less."""
    config = dataclasses.replace(steps.CONFIG, average=0.0, optimizer='sgd')
    moved = []
    for beta in (0, 20):
      text = f'inforeg(beta={beta},window=0)'
      first, last, _ = steps.train(
        dataclasses.replace(config, methods=(text,)),
        steps=8,
        rate=0.02,
        setup=steps.joint(),
      )
      gap = jax.tree.map(
        jnp.subtract,
        last.params[f'encoders_{types.EHR}'],
        first.params[f'encoders_{types.EHR}'],
      )
      moved.append(steps.norm(gap))
    self.assertLessEqual(moved[1], moved[0] * (1 + 1e-6))

  @parameterized.parameters('beta=-1', 'window=2')
  def test_impossible_arguments(self, text):
    with self.assertRaises(errors.UserError):
      _method(f'inforeg({text})')


if __name__ == '__main__':
  absltest.main()
