import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import decision, resampling
from fusion_jax.evaluation import folds as folds_lib

BINARY = types.Task(types.BINARY, ('y',))


def _data(seed, *, n=80, ties=False):
  rng = np.random.default_rng(seed)
  p = rng.random(n)
  if ties:
    p = np.round(p, 1)
  return rng.random(n) < p, p, rng.exponential(size=n)


def _folds():
  found = []
  for k in range(2):
    y, p, w = _data(k)
    patient = np.char.add(f'{k}-', (np.arange(len(y)) // 2).astype(str))
    found.append(
      folds_lib.Fold(
        repeat=0,
        fold=k,
        study=np.arange(len(y)).astype(str),
        patient=patient,
        labels=y[:, None].astype(float),
        weight=w,
        complete=np.ones(len(y), bool),
        scores={
          'good': {0: p[:, None], 1: p[:, None] / 2},
          'flat': {0: np.full((len(y), 1), 0.3)},
        },
      )
    )
  return found


class NetBenefitTest(parameterized.TestCase):
  @parameterized.product(seed=[0, 1, 2], ties=[False, True])
  def test_equals_the_definition(self, seed, ties):
    y, p, w = _data(seed, ties=ties)
    found = decision.net_benefit(y, p)(w[:, None])[:, 0]
    for i, t in enumerate(decision.THRESHOLDS):
      called = p >= t
      expected = (w @ (called & y) - w @ (called & ~y) * t / (1 - t)) / w.sum()
      self.assertAlmostEqual(found[i], expected)

  def test_treat_all(self):
    y, p, w = _data(0)
    found = decision.treat_all(y)(w[:, None])[:, 0]
    base, t = w @ y / w.sum(), decision.THRESHOLDS
    np.testing.assert_allclose(found, base - (1 - base) * t / (1 - t))
    everyone = decision.net_benefit(y, np.ones(len(y)))(w[:, None])[:, 0]
    np.testing.assert_allclose(found, everyone)
    # Acting on all is worth nothing where the threshold is the prevalence.
    at = decision.treat_all(y, np.array([base]))(w[:, None])
    self.assertAlmostEqual(at[0, 0], 0)

  def test_treat_none_is_zero(self):
    y, _, w = _data(0)
    found = decision.net_benefit(y, np.full(len(y), -1.0))(w[:, None])
    np.testing.assert_array_equal(found, 0)

  def test_weight_is_repetition(self):
    y, p, _ = _data(1, ties=True)
    counts = np.random.default_rng(0).poisson(1, size=(80, 3))
    for build in (
      lambda r: decision.net_benefit(y[r], p[r]),
      lambda r: decision.treat_all(y[r]),
    ):
      found = build(np.arange(80))(counts.astype(float))
      for i in range(3):
        rows = np.repeat(np.arange(80), counts[:, i])
        expected = build(rows)(np.ones((len(rows), 1)))
        np.testing.assert_allclose(found[:, i], expected[:, 0], atol=1e-12)

  def test_one_class_and_no_weight(self):
    p = np.array([0.2, 0.4, 0.9])
    found = decision.net_benefit(np.zeros(3, bool), p)(np.ones((3, 1)))
    self.assertTrue((found <= 0).all())
    found = decision.net_benefit(np.ones(3, bool), p)(np.zeros((3, 1)))
    self.assertTrue(np.isnan(found).all())


class CurveTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folds = _folds()
    self.resamples = resampling.draw(
      np.concatenate([f.patient for f in self.folds]), replicates=99, seed=0
    )

  def test_difference_is_that_of_the_curves(self):
    args = (self.resamples,)
    good = decision.curve(BINARY, self.folds, 'good', *args)
    flat = decision.curve(BINARY, self.folds, 'flat', *args)
    found = decision.difference(BINARY, self.folds, 'good', 'flat', *args)
    np.testing.assert_allclose(
      found['difference'],
      np.subtract(good['net_benefit'], flat['net_benefit']),
      atol=2e-5,
    )
    self.assertTrue((np.array(found['low']) <= found['high']).all())
    # The same resamples: an arm against itself has no uncertainty.
    same = decision.difference(BINARY, self.folds, 'good', 'good', *args)
    for name in ('difference', 'low', 'high'):
      np.testing.assert_array_equal(same[name], 0)

  def test_below_the_constant_score_flat_is_treat_all(self):
    flat = decision.curve(BINARY, self.folds, 'flat', self.resamples)
    everyone = decision.treat_all_curve(BINARY, self.folds, self.resamples)
    for name in ('net_benefit', 'low', 'high'):
      self.assertEqual(flat[name][:30], everyone[name][:30])
      np.testing.assert_array_equal(flat[name][31:], 0)

  def test_folds_without_one_of_the_arms_are_left_out(self):
    only = dataclasses.replace(
      self.folds[1], scores={'good': self.folds[1].scores['good']}
    )
    found = decision.difference(
      BINARY, [self.folds[0], only], 'good', 'flat', self.resamples
    )
    expected = decision.difference(
      BINARY, self.folds[:1], 'good', 'flat', self.resamples
    )
    self.assertEqual(found, expected)
    absent = decision.difference(
      BINARY, self.folds, 'good', 'none', self.resamples
    )
    self.assertEqual(absent['reason'], 'no model was evaluated')
    self.assertEmpty(absent['difference'])


if __name__ == '__main__':
  absltest.main()
