import math

import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.evaluation import (
  bca,
  comparison,
  delong,
  folds,
  intervals,
  resampling,
)

BINARY = types.Task(types.BINARY, ('y',))
ARMS = ('image', 'ehr', 'joint')


def _fold(*, n=60, seeds=1, arms=ARMS, labels=None, weight=None):
  rng = np.random.default_rng(0)
  y = np.arange(n) % 2
  scores = {
    arm: {
      k: np.clip(0.3 * y + rng.random(n) * 0.7, 0, 1)[:, None]
      for k in range(seeds)
    }
    for arm in arms
  }
  return folds.Fold(
    repeat=0,
    fold=0,
    study=np.arange(n).astype(str),
    patient=np.arange(n).astype(str),
    labels=(y.astype(float) if labels is None else labels)[:, None],
    weight=np.ones(n) if weight is None else weight,
    complete=np.ones(n, bool),
    scores=scores,
  )


def _areas(parts, task=BINARY, arms=ARMS, metric='auroc'):
  return intervals.delong_areas(task, parts, arms=arms, metric=metric)


class BootstrapTest(absltest.TestCase):
  def _make(self, left_out=None):
    part = _fold()
    return intervals.Bootstrap(
      BINARY,
      [part],
      arms=ARMS,
      wanted=('auroc', 'brier'),
      metric='auroc',
      resamples=resampling.draw(part.patient, replicates=199, seed=0),
      left_out=left_out,
    )

  def test_percentiles(self):
    found = self._make()
    expected = comparison.interval(found.replicates.means[1, 1])
    self.assertEqual(found.of_arm(1, 'brier', 0.2), expected)
    expected = comparison.interval(found.replicates.by_fold[0, 2])
    self.assertEqual(found.of_chosen([(0, 2)], 0.2), expected)

  def test_bca_is_another_interval(self):
    plain, better = self._make(), self._make(bca.jackknife(_fold().patient))
    estimate = float(np.median(plain.replicates.means[0, 0])) + 0.01
    self.assertNotEqual(
      plain.of_arm(0, 'auroc', estimate), better.of_arm(0, 'auroc', estimate)
    )
    self.assertEqual(
      better.of_chosen([(0, 0)], estimate), better.of_arm(0, 'auroc', estimate)
    )

  def test_sign(self):
    found = self._make()
    np.testing.assert_array_equal(
      found.families(-1)['replicates'], -found.families(1)['replicates']
    )


class DeLongTest(absltest.TestCase):
  def test_one_seed(self):
    part = _fold()
    found, reason = _areas([part])
    self.assertEqual(reason, '')
    scores = np.stack([part.scores[a][0][:, 0] for a in ARMS])
    expected = delong.areas(part.labels[:, 0] > 0, scores)
    np.testing.assert_allclose(found.covariance, expected.covariance)

  def test_seeds_are_averaged(self):
    part = _fold(seeds=3)
    found, _ = _areas([part])
    positive = part.labels[:, 0] > 0
    scores = np.stack([s[:, 0] for s in part.scores['ehr'].values()])
    of_seeds = delong.areas(positive, scores)
    self.assertAlmostEqual(found.auroc[1], of_seeds.auroc.mean())
    self.assertAlmostEqual(found.se[1] ** 2, of_seeds.covariance.mean())

  def test_unknown_labels_are_left_out(self):
    labels = (np.arange(60) % 2).astype(float)
    labels[:10] = np.nan
    found, _ = _areas([_fold(labels=labels)])
    self.assertEqual(found.positive.shape, (3, 25))

  def test_where_it_does_not_apply(self):
    part = _fold()
    other = types.Task(types.REGRESSION, ('y',))
    for arguments, reason in (
      (dict(parts=[part, part]), 'one fold, here are 2'),
      (dict(parts=[part], metric='brier'), 'not brier'),
      (dict(parts=[part], task=other, metric='r2'), 'not r2'),
      (dict(parts=[_fold(weight=np.arange(60.0))]), 'weights'),
    ):
      found, why = _areas(**arguments)
      self.assertIsNone(found)
      self.assertIn(reason, why)

  def test_intervals(self):
    areas, _ = _areas([_fold()])
    source = intervals.DeLong(areas, ARMS, ['joint'])
    low, high, reason = source.of_arm(0, 'auroc', float(areas.auroc[0]))
    self.assertEqual((low, high), delong.interval(areas.auroc[0], areas.se[0]))
    self.assertEqual(reason, '')
    chosen = source.of_chosen([(0, 0)], float(areas.auroc[0]))
    self.assertEqual(chosen[:2], (low, high))
    low, _, reason = source.of_arm(0, 'brier', 0.2)
    self.assertTrue(math.isnan(low))
    self.assertIn('no resamples', reason)

  def test_families(self):
    areas, _ = _areas([_fold(arms=('image', 'ehr'))])
    source = intervals.DeLong(areas, ARMS, ['ehr', 'joint'])
    family = source.families(1)['families']
    observed = np.array([[areas.auroc[1] - areas.auroc[0], np.nan]])
    found = family(['image'], observed)
    expected = delong.difference(areas, 1, 0)
    self.assertAlmostEqual(found.se[0], expected.se)
    # The arm without predictions is no test to correct for.
    self.assertAlmostEqual(found.low[0], expected.low)
    self.assertIn('undefined', found.reasons[1])
    nothing = family([None], np.full((1, 2), np.nan))
    self.assertTrue(np.isnan(nothing.low).all())

  def test_one_class(self):
    areas, _ = _areas([_fold(labels=np.ones(60))])
    source = intervals.DeLong(areas, ARMS, ['joint'])
    self.assertTrue(math.isnan(source.of_arm(0, 'auroc', math.nan)[0]))
    found = source.families(1)['families'](['ehr'], np.full((1, 1), np.nan))
    self.assertIn('two studies of each class', found.reasons[0])


if __name__ == '__main__':
  absltest.main()
