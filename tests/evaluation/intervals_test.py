import dataclasses
import math

import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.evaluation import (
  bca,
  bounds,
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
  def _make(self, left_out=None, factor=1.0):
    part = _fold()
    return intervals.Bootstrap(
      BINARY,
      [part],
      arms=ARMS,
      wanted=('auroc', 'brier'),
      metric='auroc',
      resamples=resampling.draw(part.patient, replicates=199, seed=0),
      left_out=left_out,
      factor=factor,
    )

  def test_logit_or_percentiles(self):
    found = self._make()
    expected = bounds.of_metric('brier', 0.2, found.replicates.means[1, 1])
    self.assertEqual(found.of_arm(1, 'brier', 0.2), expected)
    expected = bounds.of_metric('auroc', 0.7, found.replicates.by_fold[0, 2])
    self.assertEqual(found.of_chosen([(0, 2)], 0.7), expected)

  def test_factor_widens(self):
    plain, wide = self._make(), self._make(factor=1.5)
    narrow = plain.of_arm(1, 'auroc', 0.8)
    low, high, _ = wide.of_arm(1, 'auroc', 0.8)
    self.assertLess(low, narrow[0])
    self.assertGreater(high, narrow[1])
    values = np.array([[0.6, 0.7, 0.8]])
    observed = np.array([[0.2, 0.1]])
    one, two = (
      x.families(values, 1)(['joint'], [['image'], ['ehr']], observed)
      for x in (plain, wide)
    )
    np.testing.assert_allclose(observed - two.low, 1.5 * (observed - one.low))

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
    values = np.array([[0.6, 0.7, 0.8]])
    families = [found.families(k * values, k) for k in (1, -1)]
    up, down = (
      f(['joint'], [['image']], np.array([[k * 0.2]]))
      for f, k in zip(families, (1, -1), strict=True)
    )
    np.testing.assert_allclose(up.covariance, down.covariance)
    np.testing.assert_allclose(up.difference, -down.difference)


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

  def test_several_studies_a_patient(self):
    part = _fold()
    part = dataclasses.replace(part, patient=np.repeat(part.patient[:30], 2))
    found, why = _areas([part])
    self.assertIsNone(found)
    self.assertIn('patients have several', why)

  def test_intervals(self):
    areas, _ = _areas([_fold()])
    source = intervals.DeLong(areas, ARMS)
    estimate = float(areas.auroc[0])
    low, high, reason = source.of_arm(0, 'auroc', estimate)
    self.assertEqual((low, high, ''), bounds.logit(estimate, areas.se[0]))
    self.assertEqual(reason, '')
    chosen = source.of_chosen([(0, 0)], estimate)
    self.assertEqual(chosen[:2], (low, high))
    low, _, reason = source.of_arm(0, 'brier', 0.2)
    self.assertTrue(math.isnan(low))
    self.assertIn('no resamples', reason)

  def test_families(self):
    areas, _ = _areas([_fold(arms=('image', 'ehr'))])
    family = intervals.DeLong(areas, ARMS).families(None, 1)
    found = family(['ehr', 'joint'], [['image']], None)
    expected = delong.difference(areas, 1, 0)
    self.assertAlmostEqual(found.se[0, 0], expected.se)
    # The arm without predictions is no test to correct for.
    self.assertAlmostEqual(found.low[0, 0], expected.low, delta=0.002)
    self.assertIn('undefined', found.reasons[1][0])

  def test_one_class(self):
    areas, _ = _areas([_fold(labels=np.ones(60))])
    source = intervals.DeLong(areas, ARMS)
    self.assertTrue(math.isnan(source.of_arm(0, 'auroc', math.nan)[0]))
    found = source.families(None, 1)(['ehr'], [['image']], None)
    self.assertTrue(np.isnan(found.low).all())
    self.assertTrue(found.reasons[0][0])


if __name__ == '__main__':
  absltest.main()
