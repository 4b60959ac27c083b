"""Tests of features and labels that are mixed."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks
from fusion_jax.training.methods import mixup
from tests import tiny
from tests.training import steps

N = 8


def _method(spec='mixup', kind=types.BINARY):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(kind), modalities=('ct', 'labs')
  )
  return method


def _batch(n=N, kind=types.BINARY, **changes):
  rng = np.random.default_rng(0)
  task = tiny.task_of(kind)
  labels = jnp.asarray(rng.integers(0, 2, (n, task.num_labels)), jnp.float32)
  everyone = jnp.ones(n, bool)
  return types.Batch(
    inputs={},
    present={'ct': everyone, 'labs': everyone},
    labels=labels,
    label_mask=jnp.ones(labels.shape, bool),
    weight=jnp.ones(n),
    row=jnp.arange(n),
  ).replace(**changes)


def _features(n=N):
  rng = np.random.default_rng(1)
  return {
    m: types.Features(
      pooled=jnp.asarray(rng.normal(size=(n, 3)), jnp.float32),
      tokens=jnp.asarray(rng.normal(size=(n, 2, 3)), jnp.float32),
      token_mask=jnp.asarray(rng.random((n, 2)) < 0.7),
    )
    for m in ('ct', 'labs')
  }


def _mixed(method, features, batch):
  return jax.jit(lambda x, y: method.features(x, y, tasks.LOCAL))(
    features, batch
  )


def _partner(place, kind):
  """By hand: the next on the circle of the same kind."""
  found = []
  for i in range(len(place)):
    others = [
      j for j in range(len(place)) if j != i and (kind[j] == kind[i]).all()
    ]
    others.sort(key=lambda j, i=i: (place[j] - place[i]) % 1)
    found.append(others[0] if others else None)
  return found


class MixupTest(parameterized.TestCase):
  def test_partners_are_the_next_of_their_kind(self):
    rng = np.random.default_rng(2)
    place = rng.random(12)
    kind = rng.random((12, 2)) < 0.5
    kind[0], kind[1:] = [True, True], kind[1:] & [True, False]
    exact = _partner(place, kind)
    self.assertIsNone(exact[0])
    number, has = mixup.partners(
      jnp.asarray(place), jnp.asarray(kind), tasks.LOCAL
    )
    self.assertEqual(
      [int(k) if x else None for k, x in zip(number, has, strict=True)], exact
    )
    # Nobody is the partner of two.
    chosen = [x for x in exact if x is not None]
    self.assertLen(set(chosen), len(chosen))

  def test_shares_are_those_of_the_distribution(self):
    batch = _method('mixup(alpha=2)').batch(jax.random.key(0), _batch(4000))
    share = np.asarray(batch.kept['mixup']['share'])
    self.assertGreaterEqual(share.min(), 0.5)
    draws = np.random.default_rng(0).beta(2, 2, 100_000)
    exact = np.maximum(draws, 1 - draws)
    for q in (0.1, 0.5, 0.9):
      self.assertAlmostEqual(
        np.quantile(share, q), np.quantile(exact, q), delta=0.01
      )

  def test_all_modalities_are_mixed_alike(self):
    method, features = _method(), _features()
    batch = jax.jit(method.batch)(jax.random.key(1), _batch())
    share, place = (
      np.asarray(batch.kept['mixup'][k]) for k in ('share', 'place')
    )
    partner = _partner(place, np.ones((N, 1)))
    found = _mixed(method, features, batch)
    for m, x in features.items():
      s = share[:, None]
      np.testing.assert_allclose(
        found[m].pooled,
        s * x.pooled + (1 - s) * x.pooled[np.array(partner)],
        rtol=1e-5,
      )
      for i, j in enumerate(partner):
        for t in range(2):
          here, there = bool(x.token_mask[i, t]), bool(x.token_mask[j, t])
          self.assertEqual(bool(found[m].token_mask[i, t]), here | there)
          exact = {
            (True, True): share[i] * x.tokens[i, t]
            + (1 - share[i]) * x.tokens[j, t],
            (True, False): x.tokens[i, t],
            (False, True): x.tokens[j, t],
          }.get((here, there))
          if exact is not None:
            np.testing.assert_allclose(
              found[m].tokens[i, t], exact, rtol=1e-5, atol=1e-6
            )

  @parameterized.parameters(*mixup.TASKS)
  def test_the_loss_is_that_of_both_labels(self, kind):
    method = _method(kind=kind)
    task = tiny.task_of(kind)
    weight = jnp.arange(N) / 4 + 0.5
    batch = _batch(kind=kind, weight=weight)
    batch = batch.replace(label_mask=batch.label_mask.at[2].set(False))
    batch = jax.jit(method.batch)(jax.random.key(1), batch)
    share = np.asarray(batch.kept['mixup']['share'])
    partner = _partner(
      np.asarray(batch.kept['mixup']['place']), np.ones((N, 1))
    )
    logits = jnp.asarray(
      np.random.default_rng(3).normal(size=(N, task.num_outputs)), jnp.float32
    )
    loss_of = jax.jit(lambda x, y: tasks.loss_sums(task, x, y))
    total = count = 0.0
    for i, j in enumerate(partner):
      for k, part in ((i, share[i]), (j, 1 - share[i])):
        one = jax.tree.map(lambda x, k=k: x[k : k + 1], batch)
        loss, w = loss_of(logits[i : i + 1], one)
        total, count = total + part * loss, count + part * w
    np.testing.assert_allclose(
      jax.jit(lambda x, y: method.task_loss(x, y, tasks.LOCAL))(logits, batch),
      (total, count),
      rtol=1e-4,
    )

  def test_of_two_labels_it_is_the_loss_of_the_mixed_one(self):
    """Equation 2 of Zhang et al."""
    method = _method()
    batch = jax.jit(method.batch)(jax.random.key(1), _batch())
    share = batch.kept['mixup']['share'][:, None]
    partner = np.array(
      _partner(np.asarray(batch.kept['mixup']['place']), np.ones((N, 1)))
    )
    logits = jnp.linspace(-2.0, 2.0, N)[:, None]
    other = batch.labels[partner]
    soft = share * batch.labels + (1 - share) * other
    exact = tasks.loss_sums(
      tiny.task_of(types.BINARY), logits, batch.replace(labels=soft)
    )
    np.testing.assert_allclose(
      method.task_loss(logits, batch, tasks.LOCAL), exact, rtol=1e-5
    )

  def test_padding_and_other_modalities_are_never_mixed_in(self):
    present = {'ct': jnp.arange(N) % 2 > 0, 'labs': jnp.ones(N, bool)}
    weight = jnp.float32(jnp.arange(N) < 6)
    method, features = _method(), _features()
    batch = jax.jit(method.batch)(
      jax.random.key(1), _batch(present=present, weight=weight)
    )
    spoiled = jax.tree.map(
      lambda x: x.at[6:].set(True if x.dtype == bool else jnp.nan), features
    )
    for a, b in zip(
      jax.tree.leaves(_mixed(method, features, batch)),
      jax.tree.leaves(_mixed(method, spoiled, batch)),
      strict=True,
    ):
      np.testing.assert_array_equal(a[:6], b[:6])
    # Those with a ct among themselves alone: 1, 3 and 5.
    labs = features['labs'].pooled.at[::2].set(jnp.nan)
    odd = {**features, 'labs': features['labs'].replace(pooled=labs)}
    found = _mixed(method, odd, batch)['labs'].pooled
    self.assertTrue(np.isfinite(found[1:6:2]).all())

  @pytest.mark.slow
  def test_trains(self):
    config = dataclasses.replace(steps.CONFIG, methods=('mixup(alpha=1)',))
    plain = steps.train(steps.CONFIG, 2, setup=steps.joint())[2]
    found = steps.train(config, 2, setup=steps.joint())[2]
    self.assertNotAlmostEqual(
      float(plain[0]['loss'][0]), float(found[0]['loss'][0]), places=3
    )

  def test_impossible_tasks_and_numbers(self):
    with self.assertRaisesRegex(errors.UserError, 'not support survival'):
      _method(kind=types.SURVIVAL)
    with self.assertRaisesRegex(errors.UserError, 'from 0.01 to 100'):
      _method('mixup(alpha=0)')


if __name__ == '__main__':
  absltest.main()
