import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.training import rows
from tests import tiny


class RowsTest(parameterized.TestCase):
  def test_multilabel_is_one_binary_task_for_each_label(self):
    found = rows.outputs(tiny.task_of(types.MULTILABEL))
    self.assertEqual(
      found,
      [
        (types.Task(types.BINARY, ('x',)), [0]),
        (types.Task(types.BINARY, ('y',)), [1]),
      ],
    )
    survival = tiny.task_of(types.SURVIVAL)
    self.assertEqual(rows.outputs(survival), [(survival, [0, 1])])

  def test_rows_with_a_label_and_a_weight_are_usable(self):
    labels = np.array([[0.0], [np.nan], [1.0], [1.0]])
    weight = np.array([1.0, 1.0, 0.0, 3.0])
    at, x, y, w = rows.usable(
      tiny.task_of(types.BINARY), np.eye(4), labels, weight
    )
    np.testing.assert_array_equal(at, [0, 3])
    np.testing.assert_array_equal(x, np.eye(4)[[0, 3]])
    np.testing.assert_array_equal(y, [[0], [1]])
    np.testing.assert_array_equal(w, [0.5, 1.5])

  @parameterized.parameters(
    (types.BINARY, [[1.0], [1.0]], "one class only ('y' = 1, 2 studies)"),
    (types.MULTICLASS, [[2.0], [2.0]], "one class only ('c', 2 studies)"),
    (types.SURVIVAL, [[2.0, 0.0]], "no event in 'event'"),
    (types.REGRESSION, np.zeros((0, 1)), 'no study with a known label'),
    (types.BINARY, [[1.0], [0.0]], ''),
    (types.REGRESSION, [[1.0], [1.0]], ''),
  )
  def test_what_stands_in_the_way(self, kind, labels, expected):
    task = tiny.task_of(kind)
    found = rows.obstacle_of(task, np.asarray(labels), 'training')
    self.assertIn(expected, found)
    self.assertEqual(bool(found), bool(expected))

  def test_other_columns_are_one_line(self):
    rows.check_columns(np.zeros((3, 2)), 2)
    with self.assertRaisesRegex(errors.UserError, 'has 2 columns.*on 4'):
      rows.check_columns(np.zeros((3, 2)), 4)


if __name__ == '__main__':
  absltest.main()
