"""Every registered combiner and exchange, in whole models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import spec, types
from fusion_jax.encoders import protocol as encoder_protocol
from fusion_jax.fusion import protocol
from tests.conformance import checks, samples

COMBINERS = samples.every(protocol.COMBINERS)
EXCHANGES = samples.every(protocol.EXCHANGES)
ALL = {samples.MODALITY[kind]: samples.default(kind) for kind in samples.KINDS}
# Modalities of which one hidden state is a vector, and one is a sequence.
CHEAP = {
  samples.MODALITY[kind]: samples.default(kind) for kind in samples.CHEAP
}


def _claim(known, text, name, default):
  return known.get(spec.parse(text).name).claims.get(name, default)


def _combined(among):
  """(spec, kind of task) of all combiners, of the tasks they claim."""
  for name in protocol.COMBINERS.names():
    text = samples.specs(protocol.COMBINERS, name, exact=False)[0]
    for kind in _claim(protocol.COMBINERS, text, 'tasks', types.TASK_KINDS):
      if kind in among:
        yield text, kind


def _given(count):
  """The batch with features of `count` modalities instead of inputs.

  Their widths, numbers of tokens and masks differ, as those of encoders do.
  """
  batch, features = samples.batch(), {}
  for k, m in enumerate(samples.MODALITIES[:count]):
    keys = jax.random.split(jax.random.key(k), 3)
    b, t, c = samples.N, 1 + 2 * k, 4 + 4 * (k % 2)
    features[m] = types.Features(
      pooled=jax.random.normal(keys[0], (b, c)),
      tokens=jax.random.normal(keys[1], (b, t, c)),
      token_mask=jax.random.bernoulli(keys[2], 0.7, (b, t)).at[:, 0].set(True),
    )
  return batch.replace(inputs={}, features=features)


def _hidden():
  """By modality, hidden states of the shapes that encoders have them in."""
  shapes = ((2, 4, 4, 8), (3, 3, 3, 8), (8,), (6, 4), (4,))
  items = (1, 0, 0, 1, 0)  # Axes after the first that a mask has.
  found = {}
  for k, (m, shape) in enumerate(zip(samples.MODALITIES, shapes, strict=True)):
    one, two = jax.random.split(jax.random.key(k))
    masked = (samples.N, *shape[: items[k]])
    found[m] = types.Hidden(
      jax.random.normal(one, (samples.N, *shape)),
      jax.random.bernoulli(two, 0.7, masked),
    )
  return found


class CombinersTest(parameterized.TestCase):
  @parameterized.product(text=COMBINERS, count=(1, 2, 5))
  def test_is_a_head_of_any_number_of_modalities(self, text, count):
    chosen = {m: ALL[m] for m in samples.MODALITIES[:count]}
    model = checks.Model(
      samples.config(chosen, combiner=text), batch=_given(count)
    )
    checks.assert_all(model)

  @parameterized.parameters(COMBINERS)
  def test_is_a_head_of_encoders_that_learn(self, text):
    checks.assert_all(checks.Model(samples.config(CHEAP, combiner=text)))

  @parameterized.parameters(COMBINERS)
  @pytest.mark.slow
  def test_is_a_head_of_all_kinds(self, text):
    checks.assert_all(checks.Model(samples.config(ALL, combiner=text)))

  @parameterized.parameters(*_combined((types.BINARY, types.SURVIVAL)))
  def test_takes_steps_of_the_tasks_it_claims(self, text, kind):
    self._check(text, kind)

  @parameterized.parameters(
    *_combined((types.MULTICLASS, types.MULTILABEL, types.REGRESSION))
  )
  @pytest.mark.slow
  def test_takes_steps_of_other_tasks(self, text, kind):
    self._check(text, kind)

  def _check(self, text, kind):
    labels = samples.batch(kind)
    batch = _given(2).replace(
      labels=labels.labels, label_mask=labels.label_mask
    )
    chosen = {m: ALL[m] for m in samples.MODALITIES[:2]}
    checks.assert_steps(
      samples.config(chosen, combiner=text),
      kind=kind,
      batch=batch,
      training=checks.half(),
    )

  @parameterized.parameters(COMBINERS)
  def test_interacts_as_it_claims(self, text):
    combiner = protocol.COMBINERS.build(text, num_outputs=2)
    features = _given(2).features
    present = {m: jnp.ones(samples.N, bool) for m in features}
    params = samples.drawn(
      jax.eval_shape(
        lambda: combiner.init(jax.random.key(0), features, present, train=False)
      )
    )
    one, other = features

    def logits(a, b):
      mixed = {
        one: jax.tree.map(lambda x: x[a], features[one]),
        other: jax.tree.map(lambda x: x[b], features[other]),
      }
      return combiner.apply(params, mixed, present, train=False)[0]

    a, b = np.arange(samples.N), np.roll(np.arange(samples.N), 5)
    crossed = logits(a, a) + logits(b, b) - logits(a, b) - logits(b, a)
    claimed = _claim(protocol.COMBINERS, text, 'interactions', False)
    self.assertEqual(float(abs(crossed).max()) > 1e-4, claimed)


class ExchangesTest(parameterized.TestCase):
  @parameterized.parameters(EXCHANGES)
  def test_between_hidden_states_of_all_shapes(self, text):
    exchange = protocol.EXCHANGES.build(text)
    hidden, present = _hidden(), samples.batch().present

    def run(params, hidden):
      return exchange.apply(params, hidden, present, train=False)

    params = samples.drawn(
      jax.eval_shape(
        lambda: exchange.init(jax.random.key(0), hidden, present, train=False)
      )
    )
    run = jax.jit(run, compiler_options=checks.QUICK)
    found = run(params, hidden)
    self.assertEqual(found.keys(), hidden.keys())
    for gone in hidden:
      keep = np.asarray(present[gone])
      other = jnp.sin(9 * hidden[gone].x) + 5
      lost = keep.reshape((-1,) + (1,) * (other.ndim - 1))
      changed = jnp.where(lost, hidden[gone].x, other)
      spoiled = run(params, {**hidden, gone: hidden[gone].replace(x=changed)})
      for m, x in found.items():
        self.assertEqual(x.x.shape, hidden[m].x.shape)
        self.assertEqual(x.x.dtype, jnp.float32)
        np.testing.assert_array_equal(x.mask, hidden[m].mask)
        if m != gone:
          np.testing.assert_array_equal(x.x, spoiled[m].x)

  @parameterized.parameters(EXCHANGES)
  @pytest.mark.slow
  def test_between_encoders_of_all_kinds(self, text):
    self.assertGreater(_stages(ALL), 0)
    checks.assert_all(checks.Model(samples.config(ALL, exchanges=((1, text),))))

  @parameterized.product(text=EXCHANGES, place=('stem', 'last'))
  def test_after_the_stem_and_after_the_last_stage(self, text, place):
    k = 0 if place == 'stem' else _stages(CHEAP)
    model = checks.Model(samples.config(CHEAP, exchanges=((k, text),)))
    checks.assert_all(model)

  @parameterized.parameters(EXCHANGES)
  def test_with_nobody_to_exchange_with(self, text):
    for m, x in CHEAP.items():
      model = checks.Model(samples.config({m: x}, exchanges=((0, text),)))
      checks.assert_shapes(model)

  @parameterized.parameters(
    [
      samples.specs(protocol.EXCHANGES, x, exact=False)[0]
      for x in protocol.EXCHANGES.names()
    ]
  )
  def test_takes_steps_in_half_precision(self, text):
    checks.assert_steps(
      samples.config(CHEAP, exchanges=((0, text),)), training=checks.half()
    )

  @parameterized.parameters(EXCHANGES)
  def test_a_frozen_encoder_learns_nothing_through_it(self, text):
    for frozen in CHEAP:
      model = checks.Model(
        samples.config(CHEAP, exchanges=((0, text),), frozen=(frozen,))
      )
      gradients = model.look()['gradients']
      for m in CHEAP:
        learnt = checks.largest(gradients[f'encoders_{m}'])
        (self.assertEqual if m == frozen else self.assertGreater)(learnt, 0.0)

  @parameterized.parameters(EXCHANGES)
  def test_interacts_as_it_claims(self, text):
    """With a combiner that does not, and inputs of two studies crossed."""
    (additive,) = [
      x
      for x in COMBINERS
      if not _claim(protocol.COMBINERS, x, 'interactions', False)
    ][:1]
    model = checks.Model(
      samples.config(CHEAP, combiner=additive, exchanges=((0, text),))
    )
    everyone = {m: jnp.ones(samples.N, bool) for m in samples.MODALITIES}
    batch = model.batch.replace(present=everyone)
    one, other = CHEAP

    def logits(a, b):
      mixed = {
        one: jax.tree.map(lambda x: x[a], batch.inputs[one]),
        other: jax.tree.map(lambda x: x[b], batch.inputs[other]),
      }
      return model.look(batch.replace(inputs={**batch.inputs, **mixed}))[
        'logits'
      ]

    a, b = np.arange(samples.N), np.roll(np.arange(samples.N), 5)
    crossed = logits(a, a) + logits(b, b) - logits(a, b) - logits(b, a)
    claimed = _claim(protocol.EXCHANGES, text, 'interactions', True)
    self.assertEqual(float(abs(crossed).max()) > 1e-4, claimed)


def _stages(chosen):
  built = (
    encoder_protocol.encoders(x.kind).build(
      x.spec, axis_name=None, **dict(x.given)
    )
    for _, x in samples.config(chosen).encoders
  )
  return max(_number_of_stages(x) for x in built)


def _number_of_stages(encoder):
  # Stages are made in `setup`, which runs in a bound module.
  return len(encoder.bind({}).stages)


if __name__ == '__main__':
  absltest.main()
