"""Every registered combiner and exchange against what its protocol promises."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.fusion import protocol
from tests.fusion import examples

ALL = [(x, examples.SMALL.get(x, x)) for x in protocol.COMBINERS.names()]
WIDTHS = {'ct': 3, 'labs': 2, 'note': 4}


def _features(b=6, widths=WIDTHS):
  """By modality, as many tokens as channels, the last one masked at times."""
  found = {}
  for k, (name, c) in enumerate(widths.items()):
    one, two = jax.random.split(jax.random.key(k))
    found[name] = types.Features(
      pooled=jax.random.normal(one, (b, c)),
      tokens=jax.random.normal(two, (b, c, c)),
      token_mask=jnp.arange(c) < c - jnp.arange(b)[:, None] % 2,
    )
  return found


def _blank(features, present):
  """Features as the model gives them: zeros for what is absent."""

  def one(x, here):
    return jnp.where(here.reshape((-1,) + (1,) * (x.ndim - 1)), x, 0)

  return {
    m: jax.tree.map(
      functools.partial(one, here=present[m]), x, is_leaf=lambda x: x is None
    ).replace(token_mask=x.token_mask & present[m][:, None])
    for m, x in features.items()
  }


def _everywhere(features, b=6):
  return {m: jnp.ones(b, bool) for m in features}


# Studies with all, with two, with one and with none of the modalities.
PRESENT = {
  'ct': jnp.array([1, 1, 0, 1, 0, 0], bool),
  'labs': jnp.array([1, 1, 1, 0, 1, 0], bool),
  'note': jnp.array([1, 0, 1, 0, 0, 0], bool),
}


def _combiner(name, features, present, *, outputs=2, key=0):
  combiner = protocol.COMBINERS.build(name, num_outputs=outputs)
  params = jax.jit(functools.partial(combiner.init, train=False))(
    jax.random.key(key), features, present
  )
  return combiner, params


def _steps(combiner, params, features, present, labels, *, steps, rate=0.01):
  """Losses of `steps` steps of Adam on all studies."""
  optimizer = optax.adam(rate)

  def loss(params):
    logits, _ = combiner.apply(params, features, present, train=False)
    return optax.sigmoid_binary_cross_entropy(logits[:, 0], labels).mean()

  def one(carry, _):
    params, state = carry
    value, gradients = jax.value_and_grad(loss)(params)
    updates, state = optimizer.update(gradients, state)
    return (optax.apply_updates(params, updates), state), value

  run = jax.jit(
    lambda p: jax.lax.scan(one, (p, optimizer.init(p)), None, steps)[1]
  )
  return np.asarray(run(params))


class ConcatenateTest(absltest.TestCase):
  def test_is_sorted_and_says_what_is_present(self):
    features = _features(widths={'image': 3, 'ehr': 2})
    present = {'image': jnp.arange(6) > 2, 'ehr': jnp.ones(6, bool)}
    x = protocol.concatenate(features, present)
    np.testing.assert_array_equal(x[:, :2], features['ehr'].pooled)
    np.testing.assert_array_equal(x[:, 2:5], features['image'].pooled)
    np.testing.assert_array_equal(x[:, 5], 1.0)
    np.testing.assert_array_equal(x[:, 6], [0, 0, 0, 1, 1, 1])
    one = {'ehr': features['ehr']}
    self.assertEqual(protocol.concatenate(one, present).shape, (6, 2))


class CombinersTest(parameterized.TestCase):
  @parameterized.named_parameters(*ALL)
  def test_any_number_of_modalities_any_of_them_absent(self, spec):
    features = _blank(_features(), PRESENT)
    combiner, params = _combiner(spec, features, PRESENT)

    @jax.jit
    def run(features, present):
      def total(params, floats):
        found = {
          m: features[m].replace(pooled=x[0], tokens=x[1])
          for m, x in floats.items()
        }
        logits, out = combiner.apply(params, found, present, train=False)
        return logits.sum(), (logits, out)

      floats = {m: (x.pooled, x.tokens) for m, x in features.items()}
      # One program for all that is asked here: compiling is what takes long.
      return jax.grad(total, argnums=(0, 1), has_aux=True)(params, floats)

    gradients, (logits, out) = run(features, PRESENT)
    self.assertEqual(logits.shape, (6, 2))
    for x in jax.tree.leaves((logits, out)):
      self.assertEqual(x.shape[0], 6)
    for x in jax.tree.leaves((logits, out, gradients)):
      self.assertTrue(np.isfinite(x).all())

    # What is masked has no gradient and no effect, nor has the order.
    for m, (_, tokens) in gradients[1].items():
      seen = features[m].token_mask[..., None]
      np.testing.assert_array_equal(np.where(seen, 0, tokens), 0)
    spoiled = {
      m: features[m].replace(
        tokens=jnp.where(
          features[m].token_mask[..., None], features[m].tokens, 1e3
        )
      )
      for m in reversed(features)
    }
    np.testing.assert_allclose(
      run(spoiled, PRESENT)[1][0], logits, rtol=1e-5, atol=1e-6
    )

    # Nor have the other studies.
    order = np.array([0, 2, 1, 4, 3, 5])
    moved, present = jax.tree.map(lambda x: x[order], (features, PRESENT))
    np.testing.assert_allclose(
      run(moved, present)[1][0], logits[order], rtol=1e-4, atol=1e-5
    )

    # What one modality does depends on another, or never does.
    everyone = _everywhere(features)

    def crossed(one, others):
      full = _features()
      mixed = {
        m: jax.tree.map(lambda x, r=one if m == 'ct' else others: x[r], x)
        for m, x in full.items()
      }
      return run(mixed, everyone)[1][0]

    a, b = np.arange(6), np.roll(np.arange(6), 1)
    gap = crossed(a, a) + crossed(b, b) - crossed(a, b) - crossed(b, a)
    name = spec.partition('(')[0]
    self.assertEqual(
      float(abs(gap).max()) > 1e-4,
      protocol.COMBINERS.get(name).claims['interactions'],
    )

  @parameterized.named_parameters(*ALL)
  @pytest.mark.slow
  def test_one_modality_in_half_precision_with_dropout(self, spec):
    features = {
      'ct': jax.tree.map(
        lambda x: x.astype(jnp.bfloat16) if x.dtype == jnp.float32 else x,
        _features()['ct'],
      )
    }
    present = {'ct': PRESENT['ct']}
    features = _blank(features, present)
    combiner, params = _combiner(spec, features, present)
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), params)
    logits, _ = jax.jit(functools.partial(combiner.apply, train=True))(
      params, features, present, rngs={'dropout': jax.random.key(0)}
    )
    self.assertEqual(logits.shape, (6, 2))
    self.assertTrue(np.isfinite(logits.astype(jnp.float32)).all())

  @parameterized.named_parameters(*ALL)
  @pytest.mark.slow
  def test_exclusive_or_can_be_learnt_where_interactions_are_claimed(
    self, spec
  ):
    """Of two signs; no sum of a function of each can tell it."""
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32)
    features = {
      m: types.Features.of_vector(
        jnp.concatenate([x[:, None], -0.5 * x[:, None]], 1)
      )
      for m, x in zip(('ct', 'labs'), signs.T, strict=True)
    }
    present = _everywhere(features, 4)
    labels = jnp.asarray(signs.prod(1) > 0, jnp.float32)
    combiner, params = _combiner(spec, features, present, outputs=1)
    losses = _steps(combiner, params, features, present, labels, steps=400)
    if protocol.COMBINERS.get(spec.partition('(')[0]).claims['interactions']:
      self.assertLess(losses[-1], 0.2)
    else:
      self.assertGreater(losses.min(), np.log(2) - 1e-4)


def _hidden():
  """Two images a study, a series of three steps and a vector."""
  keys = jax.random.split(jax.random.key(0), 3)
  return {
    'ct': types.Hidden(
      jax.random.normal(keys[0], (6, 2, 3, 3, 5)),
      jnp.array([[True, False], [True, True]] * 3),
    ),
    'labs': types.Hidden(
      jax.random.normal(keys[1], (6, 3, 4)),
      jnp.arange(3) < 1 + jnp.arange(6)[:, None] % 3,
    ),
    'note': types.Hidden.of_vector(jax.random.normal(keys[2], (6, 2))),
  }


class ExchangesTest(parameterized.TestCase):
  @parameterized.parameters(*protocol.EXCHANGES.names())
  def test_what_is_absent_has_no_effect_on_the_others(self, name):
    exchange = protocol.EXCHANGES.build(name)
    hidden = _hidden()
    run = jax.jit(functools.partial(exchange.apply, train=False))
    params = jax.jit(functools.partial(exchange.init, train=False))(
      jax.random.key(0), hidden, PRESENT
    )
    # At first the model is the one without the exchange.
    first = run(params, hidden, PRESENT)
    for m, x in hidden.items():
      np.testing.assert_allclose(first[m].x, x.x, atol=1e-6)

    leaves, tree = jax.tree.flatten(params)
    params = tree.unflatten(
      jax.random.normal(jax.random.key(k), x.shape)
      for k, x in enumerate(leaves)
    )
    found = run(params, hidden, PRESENT)
    spoiled = {}
    for m, x in hidden.items():
      seen = x.mask & PRESENT[m].reshape((6,) + (1,) * (x.mask.ndim - 1))
      seen = seen.reshape(seen.shape + (1,) * (x.x.ndim - seen.ndim))
      spoiled[m] = x.replace(x=jnp.where(seen, x.x, jnp.nan))
    after = run(params, spoiled, PRESENT)
    for m, x in hidden.items():
      self.assertEqual(found[m].x.shape, x.x.shape)
      np.testing.assert_array_equal(found[m].mask, x.mask)
      seen = np.asarray(spoiled[m].x == spoiled[m].x)
      np.testing.assert_array_equal(
        np.where(seen, after[m].x, 0), np.where(seen, found[m].x, 0)
      )
      # Studies with this modality alone, and then with others beside it.
      alone = {'ct': 3, 'labs': 4}.get(m)
      if alone is not None:
        np.testing.assert_allclose(found[m].x[alone], x.x[alone], atol=1e-6)
      self.assertGreater(float(abs(found[m].x - x.x)[0].max()), 1e-3)

  @parameterized.parameters(
    name
    for name in protocol.EXCHANGES.names()
    if 'onto' in protocol.EXCHANGES.get(name).arguments
  )
  def test_onto_what_the_model_does_not_see(self, name):
    exchange = protocol.EXCHANGES.build(f'{name}(onto=(lab,))')
    with self.assertRaisesRegex(
      errors.UserError, rf"^Unknown modality 'lab' \({name}\(onto=.*mean 'labs'"
    ):
      exchange.init(jax.random.key(0), _hidden(), PRESENT, train=False)
    # One that is seen, but whose features are given, is left alone.
    given = {m: x for m, x in _hidden().items() if m != 'ct'}
    exchange = protocol.EXCHANGES.build(f'{name}(onto=(ct,))')
    found, _ = exchange.init_with_output(
      jax.random.key(0), given, PRESENT, train=False
    )
    jax.tree.map(np.testing.assert_array_equal, found, given)


if __name__ == '__main__':
  absltest.main()
