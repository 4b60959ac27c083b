"""Tests of the groups of studies."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import groups
from tests import tiny
from tests.evaluation import subgroups_test


class GroupsTest(absltest.TestCase):
  def test_levels_pairs_and_availability(self):
    cells = groups.find(subgroups_test.make()).cells()
    self.assertIn({'sex': 'f'}, cells)
    self.assertIn({'available_image': 'no'}, cells)
    self.assertIn({'sex': 'f', 'age': 'old'}, cells)
    # Every study has the other modality: that divides nothing.
    self.assertNotIn({'available_ehr': 'yes'}, cells)
    self.assertLen(cells, 2 + 2 + 2 + 4)

  def test_a_modality_is_there_if_every_row_says_so(self):
    p = subgroups_test.make()
    image = p.available['image'].copy()
    row = np.flatnonzero(image & (p.part == 'test'))[0]
    image[row] = False
    p = dataclasses.replace(p, available={**p.available, 'image': image})
    study = p.study_id[[row]]
    for table in (p, p.take(np.arange(len(p))[::-1])):
      found = groups.find(table).of('available_image', study)
      self.assertEqual(found[0], 'no')

  def test_pairs_that_do_not_occur_are_no_groups(self):
    found = groups.Groups(
      np.array(['a', 'b']),
      {'x': np.array(['1', '2']), 'y': np.array(['3', '4'])},
      {},
    )
    self.assertNotIn({'x': '1', 'y': '4'}, found.cells())

  def test_rows_of_a_group(self):
    p = subgroups_test.make()
    found = groups.find(p)
    rows = found.inside({'sex': 'f', 'age': 'old'}, p.study_id)
    expected = (p.subgroup['sex'] == 'f') & (p.subgroup['age'] == 'old')
    np.testing.assert_array_equal(rows, expected)


class TooFewTest(parameterized.TestCase):
  @parameterized.parameters(
    (types.BINARY, [[1]] * 10 + [[0]] * 9, '9 studies without the event'),
    (types.SURVIVAL, [[1, 1]] * 9 + [[1, 0]] * 40, '9 events'),
    (types.MULTICLASS, [[0]] * 40 + [[1]] * 9, 'fewer than two classes'),
    (types.MULTILABEL, [[1, 0]] * 40, 'no label'),
    (types.REGRESSION, [[1.0]] * 40, None),
  )
  def test_too_few(self, kind, labels, expected):
    n = len(labels)
    names = np.arange(n).astype(str)
    fold = folds_lib.Fold(
      repeat=0,
      fold=0,
      study=names,
      patient=names,
      labels=np.array(labels, float),
      weight=np.ones(n),
      complete=np.ones(n, bool),
      scores={},
    )
    reason = groups.too_few(tiny.task_of(kind), [fold], min_group=19)
    if expected is None:
      self.assertIsNone(reason)
    else:
      self.assertIn(expected, reason)


if __name__ == '__main__':
  absltest.main()
