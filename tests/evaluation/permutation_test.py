import dataclasses
import itertools
import math

import numpy as np
from absl.testing import absltest
from scipy import stats
from sklearn import metrics as sk

from fusion_jax.core import types
from fusion_jax.evaluation import folds, permutation

BINARY = types.Task(types.BINARY, ('y',))


def _fold(rng, number=0, *, n=30, gain=0.0, seeds=1, patients=None):
  y = np.arange(n) % 2
  patients = np.arange(n) if patients is None else patients

  def scores(extra):
    return 1 / (1 + np.exp(-(y + extra * y + rng.normal(size=n))))[:, None]

  return folds.Fold(
    repeat=0,
    fold=number,
    study=np.arange(n).astype(str),
    patient=np.char.add(f'{number}-', patients.astype(str)),
    labels=y[:, None].astype(float),
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={
      'a': {k: scores(gain) for k in range(seeds)},
      'b': {k: scores(0) for k in range(seeds)},
    },
  )


def _of_scores(y, first, second):
  """One fold of given scores; every study is its own patient."""
  part = _fold(np.random.default_rng(0), n=len(y))
  scores = {'a': {0: first[:, None]}, 'b': {0: second[:, None]}}
  return dataclasses.replace(
    part, labels=np.asarray(y, float)[:, None], scores=scores
  )


def _paired(parts, **changes):
  settings = dict(
    arm='a',
    references=['b'] * len(parts),
    metric='auroc',
    permutations=99,
  )
  return permutation.paired(BINARY, parts, **{**settings, **changes})


class PairedTest(absltest.TestCase):
  def test_all_swaps_of_a_small_sample(self):
    rng = np.random.default_rng(0)
    n = 8
    y = np.array([0, 1] * 4)
    first, second = y + rng.normal(size=(2, n))
    ranks = [stats.rankdata(s) for s in (first, second)]
    observed = sk.roc_auc_score(y, first) - sk.roc_auc_score(y, second)
    differences = []
    for swap in itertools.product([False, True], repeat=n):
      one = np.where(swap, ranks[1], ranks[0])
      two = np.where(swap, ranks[0], ranks[1])
      differences.append(sk.roc_auc_score(y, one) - sk.roc_auc_score(y, two))
    exact = np.mean(np.array(differences) >= observed - 1e-12)
    part = _of_scores(y, first, second)
    found = _paired([part], permutations=20000)
    self.assertAlmostEqual(found.difference, observed)
    self.assertAlmostEqual(found.p, exact, delta=0.015)

  def test_patients_swap_whole(self):
    # With one patient there are two arrangements: p is one half or one.
    rng = np.random.default_rng(1)
    part = _fold(rng, gain=4, patients=np.zeros(30, int))
    found = _paired([part], permutations=999)
    self.assertGreater(found.difference, 0)
    self.assertAlmostEqual(found.p, 0.5, delta=0.06)
    self.assertEqual(found.p_two_sided, 1)

  def test_size_and_power(self):
    rng = np.random.default_rng(2)
    p = [_paired([_fold(rng)], seed=i).p for i in range(300)]
    self.assertLess(np.mean(np.array(p) <= 0.05), 0.09)
    self.assertGreater(np.mean(np.array(p) <= 0.5), 0.4)
    strong = [_paired([_fold(rng, gain=4)], seed=i).p for i in range(20)]
    self.assertGreater(np.mean(np.array(strong) <= 0.05), 0.7)

  def test_lower_is_better(self):
    rng = np.random.default_rng(3)
    parts = [_fold(rng, k, gain=6, n=300) for k in range(2)]
    found = _paired(parts, metric='brier')
    self.assertGreater(found.difference, 0)
    self.assertEqual(found.p, 0.01)

  def test_folds_and_seeds_are_averaged(self):
    rng = np.random.default_rng(4)
    parts = [_fold(rng, k, seeds=2) for k in range(2)]
    expected = np.mean(
      [
        sk.roc_auc_score(part.labels[:, 0], part.scores['a'][k][:, 0])
        - sk.roc_auc_score(part.labels[:, 0], part.scores['b'][k][:, 0])
        for part in parts
        for k in range(2)
      ]
    )
    self.assertAlmostEqual(_paired(parts).difference, expected)

  def test_identical_arms(self):
    rng = np.random.default_rng(5)
    found = _paired([_fold(rng)], references=['a'])
    self.assertEqual((found.difference, found.p, found.p_two_sided), (0, 1, 1))

  def test_undefined(self):
    rng = np.random.default_rng(6)
    part = _fold(rng)
    for changes, reason in (
      ({'references': [None]}, 'no fold'),
      ({'arm': 'c'}, 'no fold'),
      ({'references': ['c']}, 'differ in their seeds'),
      ({'metric': 'accuracy'}, 'more than the scores'),
    ):
      found = _paired([part], **changes)
      self.assertTrue(math.isnan(found.p))
      self.assertIn(reason, found.reason)
    found = _paired([_of_scores(np.ones(3), *rng.normal(size=(2, 3)))])
    self.assertIn('undefined', found.reason)


if __name__ == '__main__':
  absltest.main()
