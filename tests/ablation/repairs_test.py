"""Tests of which studies an arm repairs and breaks."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import repairs
from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import thresholds
from tests import tiny


def fold_of(kind, labels, *, at=None, fold=0, **scores):
  """A fold of studies a, b, ... with scores (n, s) of one model by arm."""
  labels = np.array(labels, float).reshape(len(labels), -1)
  n = len(labels)
  scores = {
    a: {0: np.array(x, float).reshape(n, -1)} for a, x in scores.items()
  }
  points = {}
  if at is not None:
    k = tiny.task_of(kind).num_outputs
    points = {
      a: {
        0: folds_lib.OperatingPoints({thresholds.YOUDEN: np.full(k, at[a])}, {})
      }
      for a in scores
    }
  return folds_lib.Fold(
    repeat=0,
    fold=fold,
    study=np.array([*'abcdefgh'[:n]]),
    patient=np.array([*'abcdefgh'[:n]]),
    labels=labels,
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores=scores,
    thresholds=points,
  )


def select(kind, folds, count=9):
  found = repairs.select(
    tiny.task_of(kind), folds, arm='joint', single='ehr', count=count
  )
  return {(x.kind, x.output): x for x in found}


class SelectTest(parameterized.TestCase):
  def test_calls_are_at_each_models_own_threshold(self):
    # With .5 for both nothing would be repaired.
    fold = fold_of(
      types.BINARY,
      [1, 1, 0, 0],
      joint=[0.4, 0.1, 0.1, 0.4],
      ehr=[0.5, 0.9, 0.7, 0.2],
      at={'joint': 0.3, 'ehr': 0.6},
    )
    found = select(types.BINARY, [fold])
    repaired, broken = found['repaired', 0], found['broken', 0]
    self.assertEqual(repaired.study.tolist(), ['c', 'a'])
    self.assertEqual(broken.study.tolist(), ['b', 'd'])
    self.assertEqual(repaired.scores['joint'].tolist(), [0.1, 0.4])
    self.assertEqual(repaired.scores['ehr'].tolist(), [0.7, 0.5])
    self.assertEqual(repaired.thresholds['joint'].tolist(), [0.3, 0.3])

  def test_ties_are_by_study_and_the_rest_is_left_out(self):
    fold = fold_of(
      types.BINARY,
      [1] * 6,
      joint=[0.8, 0.8, 0.9, 0.8, 0.8, 0.9],
      ehr=[0.2] * 6,
      at={'joint': 0.5, 'ehr': 0.5},
    )
    shuffled = fold.take(np.array([5, 3, 1, 0, 4, 2]))
    for given in (fold, shuffled):
      group = select(types.BINARY, [given], 4)['repaired', 0]
      self.assertEqual(group.study.tolist(), ['c', 'f', 'a', 'b'])
      self.assertEqual(group.total, 6)
    whole = select(types.BINARY, [fold], 100)
    self.assertLen(whole['repaired', 0].study, 6)
    self.assertEmpty(whole['broken', 0].study)
    self.assertEqual(whole['broken', 0].total, 0)

  def test_most_models_decide(self):
    at = {'joint': 0.5, 'ehr': 0.5}
    folds = [
      fold_of(types.BINARY, [1, 1], at=at, fold=k, joint=joint, ehr=[0, 0])
      for k, joint in enumerate(([0.6, 0.6], [0.6, 0.4], [0.1, 0.4]))
    ]
    group = select(types.BINARY, folds)['repaired', 0]
    self.assertEqual(group.study.tolist(), ['a'])
    np.testing.assert_allclose(group.scores['joint'], [1.3 / 3])
    self.assertEqual(group.models.tolist(), [3])

  def test_a_class_is_called_where_it_is_most_probable(self):
    fold = fold_of(
      types.MULTICLASS,
      [0, 2, 1],
      joint=[[0.5, 0.3, 0.2], [0.6, 0.2, 0.2], [0.2, 0.6, 0.2]],
      ehr=[[0.3, 0.5, 0.2], [0.2, 0.2, 0.6], [0.3, 0.4, 0.3]],
    )
    found = select(types.MULTICLASS, [fold])
    self.assertEqual(found['repaired', 0].study.tolist(), ['a'])
    self.assertEqual(found['repaired', 0].scores['joint'].tolist(), [0.5])
    self.assertEqual(found['broken', 0].study.tolist(), ['b'])

  def test_labels_are_taken_one_by_one_and_unknown_ones_not_at_all(self):
    fold = fold_of(
      types.MULTILABEL,
      [[1, np.nan], [0, 1]],
      joint=[[0.9, 0.9], [0.1, 0.2]],
      ehr=[[0.1, 0.1], [0.2, 0.8]],
      at={'joint': 0.5, 'ehr': 0.5},
    )
    found = select(types.MULTILABEL, [fold])
    self.assertEqual(found['repaired', 0].study.tolist(), ['a'])
    self.assertEmpty(found['repaired', 1].study)
    self.assertEqual(found['broken', 1].study.tolist(), ['b'])

  def test_regression_goes_by_the_error(self):
    fold = fold_of(
      types.REGRESSION,
      [10, 20, 30, 40],
      joint=[11, 25, 30, 40],
      ehr=[14, 20, 31, 40],
    )
    found = select(types.REGRESSION, [fold])
    self.assertEqual(found['repaired', 0].study.tolist(), ['a', 'c'])
    self.assertEqual(found['broken', 0].study.tolist(), ['b'])


if __name__ == '__main__':
  absltest.main()
