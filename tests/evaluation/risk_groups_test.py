"""Tests of what became of those at low and high predicted risk."""

import dataclasses

import lifelines
import numpy as np
from absl.testing import absltest, parameterized
from sksurv import metrics as sksurv
from sksurv import util

from fusion_jax.core import types
from fusion_jax.evaluation import folds, resampling, risk_groups

TASK = types.Task(types.SURVIVAL, ('days', 'died'))


def data(seed, n=150, *, ties=False, scale=300.0):
  rng = np.random.default_rng(seed)
  risk = rng.normal(size=n)
  time = scale * (rng.exponential(size=n) * np.exp(-risk) + 0.01)
  event = rng.random(n) < 0.6
  if ties:
    time = np.ceil(10 * time / scale) / 10 * scale
  # The last study is followed longest, so that G is never 0 at an event.
  time[-1], event[-1] = time.max() + scale, False
  return time, event, risk


def fold(time, event, *risks, number=0, repeat=0, start=0, arm='a'):
  n = len(time)
  study = np.array([f's{k:05d}' for k in range(start, start + n)])
  return folds.Fold(
    repeat=repeat,
    fold=number,
    study=study,
    patient=study,
    labels=np.stack([time, event], axis=1).astype(float),
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={arm: {k: x[:, None] for k, x in enumerate(risks)}},
  )


def draws(*test, replicates=60):
  return resampling.draw(
    np.concatenate([f.patient for f in test]), replicates=replicates, seed=0
  )


def curves(test, valid, **options):
  return risk_groups.survival(TASK, test, valid, 'a', draws(*test, **options))


class KaplanMeierTest(parameterized.TestCase):
  @parameterized.product(seed=[0, 1, 2], ties=[False, True])
  def test_equals_lifelines(self, seed, ties):
    time, event, _ = data(seed, ties=ties)
    counts = np.random.default_rng(seed).integers(0, 4, size=(len(time), 3))
    counts[:, 0] = 1
    grid = np.unique(np.concatenate([[0], time, np.linspace(0, 900, 40)]))
    ours = risk_groups.kaplan_meier(time, event, counts.astype(float), grid)
    for k in range(3):
      fitter = lifelines.KaplanMeierFitter()
      there = counts[:, k] > 0
      fitter.fit(time[there], event[there], weights=counts[there, k])
      known = grid <= time[there].max()
      np.testing.assert_allclose(
        ours[known, k],
        fitter.survival_function_at_times(grid[known]),
        atol=1e-12,
      )
      self.assertTrue(np.isnan(ours[~known, k]).all())

  def test_nobody(self):
    found = risk_groups.kaplan_meier(
      np.ones(2), np.ones(2, bool), np.zeros((2, 1)), np.array([0.0, 1.0])
    )
    self.assertTrue(np.isnan(found).all())


class SurvivalTest(parameterized.TestCase):
  def test_groups_are_cut_at_the_terciles_of_validation(self):
    time, event, risk = data(0)
    known = np.random.default_rng(5).normal(0.4, 2, size=90)
    valid = fold(np.ones(90), np.ones(90), known)
    found = curves([fold(time, event, risk)], [valid])
    low, high = np.quantile(known, [1 / 3, 2 / 3])
    for entry, there in zip(
      found['groups'],
      (risk <= low, (risk > low) & (risk <= high), risk > high),
      strict=True,
    ):
      self.assertEqual(entry['studies'], there.sum())
      self.assertEqual(entry['events'], event[there].sum())
      fitter = lifelines.KaplanMeierFitter().fit(time[there], event[there])
      x = np.array(entry['x'])
      self.assertEqual(x[-1], time[there].max())
      np.testing.assert_allclose(
        entry['y'], fitter.survival_function_at_times(x), atol=1e-5
      )

  def test_test_studies_have_no_say_in_the_cuts(self):
    """All of the test part may lie in one group."""
    time, event, risk = data(1)
    valid = fold(time, event, risk)
    found = curves([fold(time, event, risk + 100)], [valid])
    self.assertEqual([g['studies'] for g in found['groups']], [0, 0, 150])
    self.assertEqual(found['groups'][0]['y'], [])
    self.assertIn('no study', found['groups'][0]['reason'])
    whole = risk_groups.kaplan_meier(
      time, event, np.ones((150, 1)), np.array(found['groups'][2]['x'])
    )
    np.testing.assert_allclose(found['groups'][2]['y'], whole[:, 0], atol=1e-5)

  def test_numbers_at_risk(self):
    time, event, risk = data(2, ties=True)
    one = fold(time, event, risk)
    found = curves([one], [one])
    ticks, counts = found['at_risk']['x'], np.array(found['at_risk']['counts'])
    self.assertEqual(ticks[0], 0)
    self.assertLessEqual(ticks[-1], time.max())
    self.assertBetween(len(ticks), 3, 8)
    np.testing.assert_array_equal(
      counts.sum(axis=0), [(time >= t).sum() for t in ticks]
    )
    self.assertEqual(
      counts[:, 0].tolist(), [g['studies'] for g in found['groups']]
    )
    low = risk <= np.quantile(risk, 1 / 3)
    fitter = lifelines.KaplanMeierFitter().fit(time[low], event[low])
    table = fitter.event_table
    for t, count in zip(ticks, counts[0], strict=True):
      after = table.index[table.index >= t]
      expected = 0 if after.empty else table.loc[after[0], 'at_risk']
      if t == 0:
        expected = low.sum()
      self.assertEqual(count, expected)

  def test_a_study_of_several_models_counts_once(self):
    time, event, risk = data(3)
    other = np.random.default_rng(9).normal(size=150)
    test = [
      fold(time, event, risk, other),
      fold(time, event, other, repeat=1),
    ]
    found = curves(test, test)
    self.assertAlmostEqual(sum(g['studies'] for g in found['groups']), 150)
    self.assertAlmostEqual(
      sum(g['events'] for g in found['groups']), event.sum()
    )
    same = [fold(time, event, risk, risk), fold(time, event, risk, repeat=1)]
    once = [fold(time, event, risk)]
    for a, b in zip(
      curves(same, same)['groups'], curves(once, once)['groups'], strict=True
    ):
      self.assertEqual(a['y'], b['y'])
      np.testing.assert_allclose(a['studies'], b['studies'])

  def test_bands_are_of_the_patient_bootstrap(self):
    """As many draws in many blocks as in one, about the estimate."""
    time, event, risk = data(4, n=400)
    one = fold(time, event, risk)
    found = curves([one], [one])
    with self.enter_block(1):
      self.assertEqual(found, curves([one], [one]))
    middle = found['groups'][1]
    at = np.searchsorted(middle['x'], 200.0)
    self.assertLess(middle['low'][at], middle['y'][at])
    self.assertGreater(middle['high'][at], middle['y'][at])
    there = (risk > np.quantile(risk, 1 / 3)) & (
      risk <= np.quantile(risk, 2 / 3)
    )
    fitter = lifelines.KaplanMeierFitter().fit(time[there], event[there])
    bounds = fitter.confidence_interval_survival_function_
    row = bounds[bounds.index <= middle['x'][at]].iloc[-1]
    width = middle['high'][at] - middle['low'][at]
    self.assertBetween(width / (row.iloc[1] - row.iloc[0]), 0.7, 1.3)

  def enter_block(self, size):
    return absltest.mock.patch.object(risk_groups, '_BLOCK_BYTES', size)

  def test_folds_without_validation_are_left_out(self):
    time, event, risk = data(5)
    one = fold(time[:80], event[:80], risk[:80])
    two = fold(time[80:], event[80:], risk[80:], number=1, start=80)
    found = curves([one, two], [two])
    self.assertEqual(sum(g['studies'] for g in found['groups']), 70)
    nobody = curves([one, two], [])
    self.assertEqual(nobody['groups'], [])
    self.assertIn('validation', nobody['reason'])
    nobody = risk_groups.survival(TASK, [one], [one], 'b', draws(one))
    self.assertIn('no model', nobody['reason'])

  def test_a_curve_of_many_events_is_as_good_as_its_places(self):
    time, event, risk = data(7, n=3000)
    one = fold(time, event, risk)
    low = curves([one], [one])['groups'][0]
    self.assertLessEqual(len(low['x']), 203)
    self.assertTrue(set(low['x'][1:-1]) <= set(time[event]))
    there = risk <= np.quantile(risk, 1 / 3)
    every = np.sort(time[there])
    whole = risk_groups.kaplan_meier(
      time[there], event[there], np.ones((there.sum(), 1)), every
    )[:, 0]
    held = np.searchsorted(low['x'], every, side='right') - 1
    np.testing.assert_allclose(np.array(low['y'])[held], whole, atol=0.06)
    self.assertLess(np.abs(np.array(low['y'])[held] - whole).mean(), 0.005)

  def test_only_survival(self):
    time, event, risk = data(5)
    one = fold(time, event, risk)
    for kind in (types.BINARY, types.REGRESSION):
      task = types.Task(kind, ('y',))
      self.assertIsNone(
        risk_groups.survival(task, [one], [one], 'a', draws(one))
      )
      self.assertIsNone(
        risk_groups.auroc_over_time(task, [one], 'a', draws(one))
      )

  @parameterized.parameters(3e-7, 1.0, 365.0, 4e8)
  def test_any_unit_of_time(self, scale):
    time, event, risk = data(6, scale=scale)
    one = fold(time, event, risk)
    base = fold(*data(6, scale=300.0))
    ours, expected = curves([one], [one]), curves([base], [base])
    for a, b in zip(ours['groups'], expected['groups'], strict=True):
      self.assertEqual(a['y'], b['y'])
      np.testing.assert_allclose(
        np.array(a['x']) / scale, np.divide(b['x'], 300)
      )
    self.assertGreaterEqual(len(ours['at_risk']['x']), 3)
    area = risk_groups.auroc_over_time(TASK, [one], 'a', draws(one))
    self.assertLen(area['x'], 17)


class AurocOverTimeTest(parameterized.TestCase):
  @parameterized.product(seed=[0, 1], ties=[False, True])
  def test_equals_scikit_survival(self, seed, ties):
    time, event, risk = data(seed, ties=ties)
    one = fold(time, event, risk)
    found = risk_groups.auroc_over_time(TASK, [one], 'a', draws(one))
    y = util.Surv.from_arrays(event, time)
    areas, _ = sksurv.cumulative_dynamic_auc(y, y, risk, found['x'])
    np.testing.assert_allclose(found['y'], areas, atol=1e-5)
    self.assertTrue((np.array(found['low']) <= found['y']).all())
    self.assertTrue((np.array(found['high']) >= found['y']).all())

  def test_mean_over_models(self):
    time, event, risk = data(2)
    other = np.random.default_rng(1).normal(size=150)
    pair = fold(time, event, risk, other)
    means = [
      risk_groups.auroc_over_time(TASK, [f], 'a', draws(f))['y']
      for f in (fold(time, event, risk), fold(time, event, other), pair)
    ]
    np.testing.assert_allclose(np.mean(means[:2], axis=0), means[2], atol=1e-5)

  def test_without_events_or_models(self):
    time, event, risk = data(2)
    none = dataclasses.replace(fold(time, event & False, risk))
    self.assertIsNone(
      risk_groups.auroc_over_time(TASK, [none], 'a', draws(none))
    )
    one = fold(time, event, risk)
    self.assertIsNone(risk_groups.auroc_over_time(TASK, [one], 'b', draws(one)))


if __name__ == '__main__':
  absltest.main()
