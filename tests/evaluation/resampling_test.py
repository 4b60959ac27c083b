import time

import numpy as np
from absl.testing import absltest
from sklearn import metrics as sk

from fusion_jax.core import types
from fusion_jax.evaluation import folds, metrics, resampling, thresholds

BINARY = types.Task(types.BINARY, ('y',))


def _fold(number, *, n=40, arms=3, seeds=2, label=None, seed=0):
  rng = np.random.default_rng(number + 10 * seed)
  y = (
    (rng.random(n) < 0.4).astype(float) if label is None else np.full(n, label)
  )
  return folds.Fold(
    repeat=0,
    fold=number,
    study=np.char.add(f'{number}-', np.arange(n).astype(str)),
    patient=np.char.add(f'{number}-', (np.arange(n) // 3).astype(str)),
    labels=y[:, None],
    weight=rng.exponential(size=n),
    complete=np.ones(n, bool),
    scores={
      f'a{i}': {
        k: np.clip(y + rng.normal(size=n), 0, 1)[:, None] for k in range(seeds)
      }
      for i in range(arms)
    },
  )


def _patients(parts):
  return np.concatenate([f.patient for f in parts])


class DrawTest(absltest.TestCase):
  def test_every_replicate_draws_as_many_patients_as_there_are(self):
    patients = np.array(['b', 'a', 'c', 'a'])
    found = resampling.draw(patients, replicates=300, seed=0)
    self.assertEqual(found.patients.tolist(), ['a', 'b', 'c'])
    self.assertEqual(found.counts.shape, (3, 300))
    np.testing.assert_array_equal(found.counts.sum(axis=0), 3)
    self.assertAlmostEqual(found.counts.var(), 2 / 3, delta=0.1)

  def test_seeded(self):
    patients = np.arange(20).astype(str)
    draws = [
      resampling.draw(p, replicates=50, seed=s).counts
      for p, s in ((patients, 0), (patients[::-1], 0), (patients, 1))
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    self.assertFalse(np.array_equal(draws[0], draws[2]))


class ReplicateTest(absltest.TestCase):
  def _replicate(self, parts, resamples, wanted=('auroc', 'brier'), arms=3):
    return resampling.replicate(
      BINARY,
      parts,
      arms=[f'a{i}' for i in range(arms)],
      wanted=wanted,
      metric='auroc',
      resamples=resamples,
    )

  def test_equals_the_plain_loop(self):
    parts = [_fold(0), _fold(1)]
    resamples = resampling.draw(_patients(parts), replicates=45, seed=0)
    found = self._replicate(parts, resamples)
    for r in range(45):
      weight = dict(
        zip(resamples.patients, resamples.counts[:, r], strict=True)
      )
      for a in range(3):
        cells = []
        for fold in parts:
          w = np.array([weight[p] for p in fold.patient]) * fold.weight
          cells.append(
            [
              sk.roc_auc_score(fold.labels[:, 0], s[:, 0], sample_weight=w)
              for s in fold.scores[f'a{a}'].values()
            ]
          )
        by_fold = np.mean(cells, axis=1)
        np.testing.assert_allclose(found.by_fold[:, a, r], by_fold)
        self.assertAlmostEqual(found.means[a, 0, r], by_fold.mean())

  def test_one_class_fold_is_left_out_for_all_arms_alike(self):
    parts = [_fold(0, n=6), _fold(1)]
    resamples = resampling.draw(_patients(parts), replicates=200, seed=0)
    found = self._replicate(parts, resamples)
    undefined = np.isnan(found.by_fold)
    self.assertTrue(undefined[0].any())
    self.assertFalse(undefined[1].any())
    for a in range(3):
      np.testing.assert_array_equal(undefined[:, a], undefined[:, 0])
    gone = undefined[0, 0]
    np.testing.assert_array_equal(
      found.means[:, 0, gone], found.by_fold[1][:, gone]
    )

  def test_undefined_in_every_fold(self):
    parts = [_fold(0, label=1.0)]
    resamples = resampling.draw(_patients(parts), replicates=45, seed=0)
    found = self._replicate(parts, resamples)
    self.assertTrue(np.isnan(found.means[:, 0]).all())
    self.assertFalse(np.isnan(found.means[:, 1]).any())

  def test_absent_arm_is_nan(self):
    parts = [_fold(0), _fold(1, arms=2)]
    resamples = resampling.draw(_patients(parts), replicates=45, seed=0)
    found = self._replicate(parts, resamples)
    self.assertTrue(np.isnan(found.by_fold[1, 2]).all())
    np.testing.assert_array_equal(found.means[2, 0], found.by_fold[0, 2])

  def test_blocks_do_not_matter(self):
    parts = [_fold(0)]
    resamples = resampling.draw(_patients(parts), replicates=50, seed=0)
    whole = self._replicate(parts, resamples).means
    first = resampling.Resamples(resamples.patients, resamples.counts[:, :7])
    np.testing.assert_allclose(
      self._replicate(parts, first).means, whole[..., :7], rtol=1e-12
    )

  def test_thresholds_stay_while_patients_are_redrawn(self):
    parts = thresholds.attach(BINARY, [_fold(0)], [_fold(0, seed=1)])
    resamples = resampling.draw(_patients(parts), replicates=45, seed=0)
    found = self._replicate(parts, resamples, ('auroc', 'f1'), arms=1)
    fold, r = parts[0], 7
    w = resamples.counts[resamples.rows(fold.patient), r] * fold.weight
    expected = [
      sk.f1_score(
        fold.labels[:, 0],
        s[:, 0] >= fold.thresholds['a0'][k].values['youden'][0],
        sample_weight=w,
      )
      for k, s in fold.scores['a0'].items()
    ]
    self.assertAlmostEqual(found.means[0, 1, r], np.mean(expected))

  def test_bootstrap_of_calibration_is_near_refitting(self):
    rng = np.random.default_rng(0)
    n = 800
    p = 1 / (1 + np.exp(-rng.normal(size=n)))
    y = (rng.random(n) < p).astype(float)[:, None]
    wanted = ('calibration_slope', 'calibration_intercept')
    kernel = metrics.prepare(BINARY, y, p[:, None], wanted)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=60).T
    fast = kernel(counts.astype(float))
    slow = np.array(
      [
        [
          metrics.evaluate(BINARY, y, p[:, None], w, [name])[name].estimate
          for w in counts.T
        ]
        for name in wanted
      ]
    )
    np.testing.assert_allclose(fast, slow, atol=0.05)
    self.assertGreater(np.corrcoef(fast[0], slow[0])[0, 1], 0.98)

  def test_many_replicates_are_far_faster_than_scikit_learn(self):
    parts = [_fold(0, n=1500, arms=4, seeds=1)]
    resamples = resampling.draw(_patients(parts), replicates=500, seed=0)
    start = time.process_time()
    self._replicate(parts, resamples, wanted=('auroc',), arms=4)
    fast = (time.process_time() - start) / 2000
    y, s = parts[0].labels[:, 0], parts[0].scores['a0'][0][:, 0]
    start = time.process_time()
    for _ in range(20):
      sk.roc_auc_score(y, s, sample_weight=parts[0].weight)
    slow = (time.process_time() - start) / 20
    # Some 100 times in practice; far less so as not to depend on the machine.
    self.assertLess(10 * fast, slow)


if __name__ == '__main__':
  absltest.main()
