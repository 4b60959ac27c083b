"""Tests of matching and guessing hidden columns."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest
from scipy import special, stats

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks
from fusion_jax.training.methods import contrastive, match
from tests import tiny
from tests.training import steps

N = 8
NAMES = ('labs', 'note')
LEVELS = 4


def _method(spec='match', modalities=NAMES):
  (method,) = protocol.create_methods(
    (spec,),
    task=tiny.task_of(types.BINARY),
    modalities=modalities,
    given={'labs': {'levels': LEVELS}},
  )
  return method


def _batch(n=N):
  rng = np.random.default_rng(0)
  present = {
    'labs': jnp.arange(n) % 5 != 4,
    'note': jnp.arange(n) % 7 != 6,
  }
  return types.Batch(
    inputs={
      'labs': {
        'numeric': jnp.asarray(rng.normal(size=(n, 3)), jnp.float32),
        'observed': jnp.asarray(rng.random((n, 3)) < 0.8, jnp.float32),
        'categorical': jnp.asarray(rng.integers(0, LEVELS, (n, 2))),
        'pieces': jnp.ones((n, 3, 2)),
      },
      'note': {'vector': jnp.asarray(rng.normal(size=(n, 2)))},
    },
    present=present,
    labels=jnp.zeros((n, 1)),
    label_mask=jnp.ones((n, 1), bool),
    weight=jnp.where(jnp.arange(n) == 3, 0.0, 1.0 + jnp.arange(n) / 8),
    row=jnp.arange(n),
  )


class HidingTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.batch = _batch(2000)
    method = _method('match(rate=0.4)')
    self.after = jax.jit(method.batch)(jax.random.key(0), self.batch)
    self.own = self.after.kept['match']

  def test_a_share_of_columns_is_as_if_missing(self):
    before, after = (x.inputs['labs'] for x in (self.batch, self.after))
    numbers, codes = (np.asarray(x) for x in self.own['hidden']['labs'])
    self.assertAlmostEqual(numbers.mean(), 0.4, delta=0.03)
    self.assertAlmostEqual(codes.mean(), 0.4, delta=0.03)
    for name, hidden in (
      ('numeric', numbers),
      ('observed', numbers),
      ('categorical', codes),
      ('pieces', numbers),
    ):
      x, y = np.asarray(before[name]), np.asarray(after[name])
      np.testing.assert_array_equal(y[hidden], 0)
      np.testing.assert_array_equal(y[~hidden], x[~hidden])
      if name != 'pieces':
        np.testing.assert_array_equal(self.own['tables']['labs'][name], x)

  def test_other_modalities_are_left_alone(self):
    np.testing.assert_array_equal(
      self.after.inputs['note']['vector'], self.batch.inputs['note']['vector']
    )
    self.assertEqual(set(self.own['hidden']), {'labs'})


class MatchTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(1)
    self.method = _method()
    self.batch = jax.jit(self.method.batch)(jax.random.key(0), _batch())
    self.features = {
      m: types.Features.of_vector(jnp.asarray(rng.normal(size=(N, 3))))
      for m in NAMES
    }
    unit = rng.normal(size=(2, N, 4))
    unit /= np.linalg.norm(unit, axis=2, keepdims=True)
    self.projected = dict(zip(NAMES, jnp.asarray(unit), strict=True))
    self.here = (
      self.batch.present['labs']
      & self.batch.present['note']
      & (self.batch.weight > 0)
    )

  def _losses(self):
    """The losses, and what the encoder of pairs was shown."""
    rng = np.random.default_rng(2)
    told = {
      ('labs', 'note'): (
        jnp.asarray(rng.normal(size=3 * N)),
        {'labs': jnp.asarray(rng.normal(size=(3 * N, 3 + 2 * LEVELS)))},
      )
    }

    @jax.jit
    def run(batch):
      shown = []

      def pairs(out, batch, seen):
        del out, batch
        shown.append(seen)
        return told

      own = {
        'match_projections': lambda _: self.projected,
        'match_pairs': pairs,
      }
      out = {'features': self.features, 'own': own}
      found = self.method.losses(None, out, batch, tasks.LOCAL)
      return found, told['labs', 'note'], shown[0]['labs', 'note']

    return run(self.batch)

  def test_right_pairs_then_the_others_of_similar_studies(self):
    _, _, shown = self._losses()
    one, other = (np.asarray(x.pooled).reshape(3, N, 3) for x in shown)
    labs, note = (np.asarray(self.features[m].pooled) for m in NAMES)
    np.testing.assert_array_equal(one[:2], [labs, labs])
    np.testing.assert_array_equal(other[::2], [note, note])
    for i in np.flatnonzero(self.here):
      for x, given in ((other[1], note), (one[2], labs)):
        (j,) = np.flatnonzero((given == x[i]).all(1))
        self.assertNotEqual(i, j)
        self.assertTrue(self.here[j])

  def test_the_more_similar_the_more_often(self):
    """Of many draws, by the softmax of the cosines over the temperature."""
    keys = jax.random.split(jax.random.key(3), 4000)
    noise = match.gumbel(keys, 0, jnp.arange(N))
    scores = contrastive.similarities(
      self.projected['labs'][:1],
      self.projected['note'],
      self.here,
      temperature=0.5,
      collective=dataclasses.replace(
        tasks.LOCAL, gather=lambda x: x if len(x) == N else None
      ),
    )
    chosen = np.bincount((scores + noise).argmax(1), minlength=N)
    scores = np.asarray(scores[0], np.float64)
    exact = special.softmax(np.where(self.here, scores, -np.inf))
    p = stats.chisquare(
      chosen[exact > 0], chosen.sum() * exact[exact > 0] / exact.sum()
    ).pvalue
    self.assertGreater(p, 1e-3)
    self.assertEqual(chosen[exact == 0].sum(), 0)

  def test_losses_of_pairs(self):
    found, (verdicts, _), _ = self._losses()
    weight = np.asarray(self.batch.weight * self.here)
    logits = np.asarray(verdicts).reshape(3, N)
    exact = weight @ np.log1p(np.exp(-logits[0]))
    exact += (weight @ np.log1p(np.exp(logits[1:])).T).sum()
    np.testing.assert_allclose(
      found['match/pairs/labs-note'], (exact, 3 * weight.sum()), rtol=1e-4
    )
    loss = contrastive.info_nce(
      self.projected['labs'],
      self.projected['note'],
      self.here,
      temperature=0.1,
      collective=tasks.LOCAL,
    )
    np.testing.assert_allclose(
      found['match/contrast/labs-note'][0], weight @ np.asarray(loss), rtol=1e-4
    )

  def test_only_hidden_and_known_columns_are_guessed(self):
    found, (_, guesses), _ = self._losses()
    guess = np.asarray(guesses['labs'])[:N]
    table = {
      k: np.asarray(x)
      for k, x in self.batch.kept['match']['tables']['labs'].items()
    }
    numbers, codes = (
      np.asarray(x) for x in self.batch.kept['match']['hidden']['labs']
    )
    total = count = 0.0
    for i in np.flatnonzero(self.here):
      w = float(self.batch.weight[i])
      for j in range(3):
        if numbers[i, j] and table['observed'][i, j]:
          total += w * 0.5 * (guess[i, j] - table['numeric'][i, j]) ** 2
          count += w
      for j in range(2):
        code = table['categorical'][i, j]
        if codes[i, j] and code:
          logits = guess[i, 3 + LEVELS * j : 3 + LEVELS * (j + 1)]
          total -= w * special.log_softmax(logits)[code]
          count += w
    self.assertGreater(count, 0)
    np.testing.assert_allclose(
      found['match/columns/labs-note/labs'], (total, count), rtol=1e-4
    )

  def test_a_study_alone_has_no_wrong_pair(self):
    only = jnp.arange(N) == 0
    self.batch = self.batch.replace(weight=self.batch.weight * only)
    found, (verdicts, _), _ = self._losses()
    weight = float(self.batch.weight[0])
    np.testing.assert_allclose(
      found['match/pairs/labs-note'],
      (weight * np.log1p(np.exp(-float(verdicts[0]))), weight),
      rtol=1e-4,
    )

  def test_a_single_modality_has_none(self):
    method = _method(modalities=('labs',))
    self.assertEqual(method.modules(), {})
    self.assertEqual(method.losses(None, {}, None, tasks.LOCAL), {})
    self.assertEqual(method.phases(), ())

  def test_impossible_arguments(self):
    for spec, message in (
      ('width=10', 'multiple of'),
      ('rate=2', 'from 0 to 1'),
      ('pretrain=0', 'from 0.01 to 0.9'),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        _method(f'match({spec})')


class StepsTest(absltest.TestCase):
  @pytest.mark.slow
  def test_columns_are_hidden_in_the_first_phase_only(self):
    """After it a step's loss is that of the model on the whole table."""
    config = dataclasses.replace(
      steps.CONFIG, methods=('match(width=8,heads=2,pretrain=0.3,rate=1)',)
    )
    setup = model, task, batch = steps.joint()
    first, run = steps.start(config, setup=setup)
    run = jax.jit(run)
    for taken, whole in ((2, False), (3, True)):
      state = first.replace(step=jnp.int32(taken))
      found = run(state, batch)[1]['loss']
      params = protocol.without_modules(first.params)
      logits, _ = model.apply({'params': params}, batch)
      exact = tasks.loss_sums(task, logits, batch)
      self.assertEqual(np.allclose(found, exact, rtol=1e-4), whole)


if __name__ == '__main__':
  absltest.main()
