"""Tests of fusion_jax.evaluation.part_column."""

import numpy as np
import pyarrow as pa
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.evaluation import part_column


def check(name, values, part=None):
  table = pa.table({name: values})
  part = np.array(part or ['test'] * len(values))
  part_column.check(table, [name], part, 'p.csv')


class PartColumnTest(parameterized.TestCase):
  @parameterized.parameters(
    (['Train', 'TRAINING', 'development', 'Training set'], 'train'),
    (['val', 'Valid', 'validation ', 'dev'], 'valid'),
    (['test', 'Testing', 'hold-out', 'held out'], 'test'),
  )
  def test_words(self, values, part):
    found = part_column.mapped(pa.table({'x': values}), 'x', 'p.csv')
    self.assertEqual(found.tolist(), [part] * len(values))

  @parameterized.parameters(('extra',), ('',), (None,))
  def test_another_word_is_named_with_its_row(self, value):
    table = pa.table({'set': pa.array(['train', value], pa.string())})
    with self.assertRaisesRegex(
      errors.UserError,
      f"'p.csv', row 2, column 'set': '{value or ''}' is no part; known",
    ):
      part_column.mapped(table, 'set', 'p.csv')
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'set'"):
      part_column.mapped(table, 'sets', 'p.csv')

  @parameterized.product(
    name=('split', 'Set', 'data_split', 'partition', 'dataset', 'phase', 'x'),
    values=(['train', 'test'], ['Training', 'val'], ['train', 'train']),
  )
  def test_what_looks_like_a_part_is_refused(self, name, values):
    with self.assertRaisesRegex(
      errors.UserError, f"column '{name}' looks like .*--part_column={name}"
    ) as caught:
      check(name, values)
    self.assertIn(f"'{values[0]}' in", str(caught.exception))
    self.assertNotIn('\n', str(caught.exception))

  @parameterized.parameters(
    ('split', ['train', 'other']),
    ('x', ['Train set', 'test_set']),
    ('is_train', [1, 0]),
    ('train', [True, False]),
    ('is_test', ['no', 'yes']),
    ('in_training', [1.0, 0.0]),
  )
  def test_other_forms(self, name, values):
    with self.assertRaisesRegex(errors.UserError, f"column '{name}' "):
      check(name, values)

  @parameterized.parameters(
    ('split', ['test', 'Test']),
    ('split', [0, 1]),
    ('set', ['a', 'b']),
    ('split', [None, None]),
    ('phase', ['I', 'II']),
    ('x', ['test', 'exercise']),
    ('test', [0, 1]),
    ('is_train', [0, 0]),
    ('is_test', [True, True]),
    ('split', [[1], [2]]),
  )
  def test_what_says_nothing_else(self, name, values):
    check(name, values)

  def test_what_agrees_with_the_part(self):
    check('split', ['dev', 'test', 'train'], ['valid', 'test', 'train'])
    with self.assertRaisesRegex(errors.UserError, 'as test and valid'):
      check('split', ['dev', 'test'], ['test', 'valid'])


if __name__ == '__main__':
  absltest.main()
