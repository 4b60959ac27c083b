"""Tests of equalised odds."""

import dataclasses
import math

import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.evaluation import equalised_odds, resampling
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import groups as groups_lib
from tests import tiny
from tests.evaluation import subgroups_test


class EqualisedOddsTest(absltest.TestCase):
  def _by_hand(self, levels=('a', 'b')):
    """One fold: 40 studies a group, of whom 20 positive."""
    n = 40 * len(levels)
    group = np.repeat(levels, 40)
    y = np.tile(np.repeat([1.0, 0.0], 20), len(levels))
    score = np.full(n, 0.2)
    for i in range(len(levels)):
      # 15, 10, ... of the positives and 5, 10, ... of the negatives called.
      score[40 * i : 40 * i + 15 - 5 * i] = 0.9
      score[40 * i + 20 : 40 * i + 25 + 5 * i] = 0.9
    names = np.char.zfill(np.arange(n).astype(str), 3)
    points = folds_lib.OperatingPoints(
      {'youden': np.array([0.5])}, {'youden': ('',)}
    )
    fold = folds_lib.Fold(
      repeat=0,
      fold=0,
      study=names,
      patient=names,
      labels=y[:, None],
      weight=np.ones(n),
      complete=np.ones(n, bool),
      scores={'joint': {0: score[:, None]}},
      thresholds={'joint': {0: points}},
    )
    return [fold], groups_lib.Groups(names, {'sex': group}, {})

  def _odds(self, folds, groups, **options):
    resamples = resampling.draw(folds[0].patient, replicates=200, seed=1)
    return equalised_odds.equalised_odds(
      tiny.task_of(types.BINARY),
      folds,
      groups,
      arms=['joint'],
      resamples=resamples,
      **options,
    )

  def test_by_hand(self):
    (found,) = self._odds(*self._by_hand())
    self.assertEqual(found['column'], 'sex')
    self.assertAlmostEqual(found['levels']['a']['tpr']['estimate'], 15 / 20)
    self.assertAlmostEqual(found['levels']['b']['tpr']['estimate'], 10 / 20)
    self.assertAlmostEqual(found['levels']['a']['fpr']['estimate'], 5 / 20)
    self.assertAlmostEqual(found['tpr_gap']['estimate'], 5 / 20)
    self.assertAlmostEqual(found['fpr_gap']['estimate'], 5 / 20)
    self.assertEqual(found['tpr_gap']['highest'], 'a')
    self.assertEqual(found['fpr_gap']['highest'], 'b')
    # The standard error of a difference of two proportions of 20.
    se = math.sqrt((0.75 * 0.25 + 0.5 * 0.5) / 20)
    half = (found['tpr_gap']['high'] - found['tpr_gap']['low']) / 2
    self.assertAlmostEqual(half, 1.96 * se, delta=0.3 * se)

  def test_the_gap_is_of_the_extreme_groups(self):
    (found,) = self._odds(*self._by_hand(('a', 'b', 'c')))
    self.assertAlmostEqual(found['tpr_gap']['estimate'], 10 / 20)
    self.assertEqual(found['tpr_gap']['lowest'], 'c')

  def test_small_groups_take_no_part(self):
    folds, groups = self._by_hand()
    level = groups.declared['sex'].copy()
    level[:3] = 'c'
    groups = dataclasses.replace(groups, declared={'sex': level})
    (found,) = self._odds(folds, groups)
    self.assertNotIn('c', found['levels'])
    (found,) = self._odds(folds, groups, min_group=50)
    self.assertTrue(math.isnan(found['tpr_gap']['estimate']))
    self.assertIn('fewer than two', found['tpr_gap']['reason'])

  def test_equal_groups_have_no_gap(self):
    (fold,), groups = self._by_hand()
    score = np.tile(fold.scores['joint'][0][:40], (2, 1))
    fold = dataclasses.replace(fold, scores={'joint': {0: score}})
    (found,) = self._odds([fold], groups)
    for gap in (found['tpr_gap'], found['fpr_gap']):
      self.assertEqual(gap['estimate'], 0)
      self.assertLess(gap['low'], 0)
      self.assertGreater(gap['high'], 0)

  def test_multilabel_by_label_and_none_for_others(self):
    for kind, expected in (
      (types.MULTILABEL, {'x', 'y'}),
      (types.REGRESSION, set()),
    ):
      p = subgroups_test.make(kind)
      folds, groups, resamples = subgroups_test.work(p)
      found = equalised_odds.equalised_odds(
        p.task, folds, groups, arms=subgroups_test.ARMS, resamples=resamples
      )
      self.assertEqual({x['label'] for x in found}, expected)


if __name__ == '__main__':
  absltest.main()
