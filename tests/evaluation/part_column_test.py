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
    ('split', [None, None]),
    ('dataset', ['a', 'b']),
    ('data_set', ['a', 'b']),
    ('onset', [0, 1]),
    ('body_part', ['hand', 'foot']),
    ('contrast_phase', ['late', 'early']),
    ('split', [*range(13)]),
    ('x', ['test', 'exercise']),
    ('test', [0, 1]),
    ('is_train', [0, 0]),
    ('is_test', [True, True]),
    ('split', [[1], [2]]),
  )
  def test_what_says_nothing_else(self, name, values):
    check(name, values)

  @parameterized.parameters(
    ('split', [0, 1], "'0' in 1 row, '1' in 1 row"),
    ('Data_Split', [1.0, 0.0], "'1' in 1 row"),
    ('dataSplit', [True, False], "'false' in 1 row"),
    ('set', ['A', 'B'], "'A' in 1 row, 'B' in 1 row"),
    ('subset', ['x', 'x'], "'x' in 2 rows"),
    ('partition', [2, 1], "'1' in 1 row"),
    ('part_id', [2, 1], "'1' in 1 row"),
    ('phase', ['I', 'II'], "'I' in 1 row"),
    ('split1', [0, None], "'0' in 1 row"),
    ('split', ['train', 'other'], "'other' in 1 row, 'train' in 1 row"),
  )
  def test_what_is_called_a_part_is_refused_whatever_it_holds(
    self, name, values, shown
  ):
    with self.assertRaisesRegex(
      errors.UserError, f"column '{name}' may be the part a row is of"
    ) as caught:
      check(name, values)
    self.assertIn(shown, str(caught.exception))
    self.assertIn(f"--part_column='{name}:", str(caught.exception))
    self.assertNotIn('\n', str(caught.exception))
    # Where the file says the parts elsewhere, only its words contradict them.
    table = pa.table({name: pa.array(values).cast(pa.string())})
    part = np.array(['test'] * len(values))
    if 'train' not in values:
      part_column.check(table, [name], part, 'p.csv', declared=True)

  def test_folds_under_another_name(self):
    with self.assertRaisesRegex(
      errors.UserError, "call the column 'fold' if it numbers folds"
    ):
      check('cv_fold', [0, 1, 2])

  @parameterized.parameters(
    ('split:0=train,1=test', [0, 1, 1], ['train', 'test', 'test']),
    ('split:0.0=train, 1.0=Validation', [0, 1, 0], ['train', 'valid', 'train']),
    ('split:A=test', ['A', 'train', 'A'], ['test', 'train', 'test']),
    ('split:=test,b=train', [None, 'b', 'b'], ['test', 'train', 'train']),
    ('split:a=b=train', ['a=b', 'test', 'val'], ['train', 'test', 'valid']),
  )
  def test_what_values_mean_can_be_said(self, asked, values, expected):
    table = pa.table({'split': values})
    self.assertEqual(part_column.column_of(asked), 'split')
    found = part_column.mapped(table, asked, 'p.csv')
    self.assertEqual(found.tolist(), expected)

  @parameterized.parameters(
    ('split:0=train', "row 2, column 'split': '1' is no part"),
    ('split:0=trian,1=test', "'0=trian' is no VALUE=PART; known parts are"),
    ('split:0=train,2=test', "Unknown value '2' .*Known values: 0, 1"),
    ('spilt:0=train,1=test', "Unknown column 'spilt'.*Did you mean 'split'"),
    ('split', "'0' is no part; .*--part_column=split:VALUE=train"),
  )
  def test_what_is_said_of_values_must_fit(self, asked, message):
    table = pa.table({'split': [0, 1]})
    with self.assertRaisesRegex(errors.UserError, message) as caught:
      part_column.mapped(table, asked, 'p.csv')
    self.assertNotIn('\n', str(caught.exception))

  def test_what_agrees_with_the_part(self):
    check('split', ['dev', 'test', 'train'], ['valid', 'test', 'train'])
    with self.assertRaisesRegex(errors.UserError, 'as test and valid'):
      check('split', ['dev', 'test'], ['test', 'valid'])


if __name__ == '__main__':
  absltest.main()
