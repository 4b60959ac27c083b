import dataclasses
import io

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, links, types
from fusion_jax.data import config as config_lib
from fusion_jax.data import preprocess, synthetic
from tests import tiny

SMALL = config_lib.PreprocessConfig(
  max_levels=8, pixel_components=4, pixel_size=8, histogram_bins=4
)


def table(numeric=None, categorical=None, labels=None, **fields):
  """A cohort of the given columns."""
  numeric, categorical = numeric or {}, categorical or {}
  n = len(next(iter({**numeric, **categorical}.values()), labels or ()))
  text = np.empty((n, len(categorical)), object)
  for j, values in enumerate(categorical.values()):
    text[:, j] = values
  values = np.array(list(numeric.values()), float).reshape(-1, n).T
  if labels is None:
    labels = np.arange(n) % 2
  task = fields.pop('task', types.Task(types.BINARY, ('y',)))
  return tiny.pair(
    name='table',
    task=task,
    digest='',
    study=np.array([f's{i}' for i in range(n)]),
    patient=np.array([f'p{i}' for i in range(n)]),
    labels=np.array(labels, float).reshape(n, -1),
    numeric=values,
    numeric_names=tuple(numeric),
    categorical=text,
    categorical_names=tuple(categorical),
    **fields,
  )


def fit(cohort, rows=None, **changes):
  rows = np.arange(len(cohort)) if rows is None else rows
  config = dataclasses.replace(SMALL, **changes)
  return preprocess.Preprocessor(config).fit(cohort, rows)


class TrainingRowsOnlyTest(parameterized.TestCase):
  @parameterized.parameters(*types.TASK_KINDS)
  def test_other_rows_change_nothing_fitted(self, task):
    cohort = synthetic.make(
      'complementary', n=80, size=16, seed=3, task=task, absent_images=0.1
    )
    rows, rest = np.arange(0, 80, 2), np.arange(1, 80, 2)
    rng = np.random.default_rng(0)
    garbage = {
      'images': rng.integers(0, 256, cohort.images.shape).astype(np.uint8),
      'numeric': rng.choice([np.nan, np.inf, 1e300], cohort.numeric.shape),
      'categorical': np.full(cohort.categorical.shape, 'new', object),
      'labels': np.full(cohort.labels.shape, np.nan),
      'image_mask': np.ones(cohort.image_mask.shape, bool),
    }
    for name, x in garbage.items():
      x[rows] = getattr(cohort, name)[rows]
    other = dataclasses.replace(cohort, **garbage)
    self.assertFalse(np.array_equal(other.images[rest], cohort.images[rest]))
    a, b = (fit(x, rows).to_arrays() for x in (cohort, other))
    self.assertEqual(a.keys(), b.keys())
    for name, x in a.items():
      self.assertEqual(x.tobytes(), b[name].tobytes(), name)

  def test_order_of_the_table_does_not_matter_to_statistics(self):
    cohort = synthetic.make('null', n=40, size=16, seed=1)
    order = np.random.default_rng(0).permutation(40)
    a = fit(cohort).image_stats
    b = fit(cohort.subset(order)).image_stats
    np.testing.assert_array_equal(a['mean'], b['mean'])
    np.testing.assert_array_equal(a['std'], b['std'])


class EhrTest(parameterized.TestCase):
  def test_standardises_and_marks_missing(self):
    cohort = table({'a': [1, 2, 3, np.nan], 'b': [0, 0, 1, 1]})
    out = fit(cohort).ehr(cohort)
    a = out['numeric'][:, 0]
    np.testing.assert_allclose(a, np.array([-1, 0, 1, 0]) * 1.5**0.5, rtol=1e-6)
    np.testing.assert_array_equal(out['observed'][:, 0], [1, 1, 1, 0])
    np.testing.assert_array_equal(out['observed'][:, 1], 1)
    self.assertEqual(out['numeric'].dtype, np.float32)
    self.assertEqual(out['categorical'].shape, (4, 0))

  def test_an_outlier_does_not_flatten_the_rest(self):
    values = [*range(50), 1e9]
    out = fit(table({'a': values})).ehr(table({'a': values}))['numeric'][:, 0]
    self.assertGreater(out[:50].std(), 0.5)
    self.assertLessEqual(abs(out).max(), preprocess.CLIP)

  @parameterized.parameters(1, -1)
  def test_long_tails_are_read_as_logs(self, side):
    z = np.random.default_rng(0).standard_normal(400)
    cohort = table({'lab': side * np.exp(1.2 * z), 'even': z})
    fitted = fit(cohort)
    np.testing.assert_array_equal(fitted.bend, [side, 0])
    out = fitted.ehr(cohort)['numeric']
    self.assertGreater(np.corrcoef(out[:, 0], side * z)[0, 1], 0.93)
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(out.std(0), 1, atol=0.01)
    # Beyond the training range, and in order.
    new = np.array([-1e6, -1.0, 0.0, 1.0, 1e6])
    out = fitted.ehr(table({'lab': new, 'even': new}))['numeric']
    self.assertTrue((np.diff(out, axis=0) >= 0).all())
    self.assertTrue(np.isfinite(out).all())

  def test_codes_by_frequency_then_name(self):
    train = table({}, {'c': ['b', 'b', 'b', 'a', 'a', 'd', 'd', 'once', None]})
    fitted = fit(train)
    new = table({}, {'c': ['b', 'a', 'd', 'once', 'never', None]})
    codes = fitted.ehr(new)['categorical'][:, 0]
    np.testing.assert_array_equal(codes, [2, 3, 4, 1, 1, 0])

  @parameterized.parameters(
    (['1.0', '2.0', None, '7.0'], [3, 2, 0, 1], {'1.0': '1', '2.0': '2'}),
    (['1', '1.0', '2'], [3, 1, 2], {'1': '1', '2': '2'}),
    (['01', '001', '2'], [1, 1, 2], {'2': '2'}),
  )
  def test_a_level_is_found_by_its_number(self, cells, codes, levels):
    fitted = fit(table(categorical={'c': [*'11222', '042', '42'] * 5}))
    new = table(categorical={'c': cells})
    self.assertEqual(fitted.levels_of(new), [levels])
    self.assertEqual(fitted.ehr(new)['categorical'][:, 0].tolist(), codes)

  def test_codes_that_look_like_numbers_are_levels_of_their_own(self):
    cells = ['250.0', '250.00', '042', '42'] * 10
    cohort = table(categorical={'c': cells})
    codes = fit(cohort).ehr(cohort)['categorical'][:, 0]
    self.assertLen(set(codes.tolist()), 4)

  def test_codes_stay_below_max_levels(self):
    values = [f'level{i // 2}' for i in range(60)]
    cohort = table({}, {'c': values})
    codes = fit(cohort).ehr(cohort)['categorical']
    self.assertEqual(codes.max(), SMALL.max_levels - 1)

  @parameterized.named_parameters(
    ('all_missing', {'a': [np.nan] * 6}, {'c': [None] * 6}),
    ('constant', {'a': [0.1] * 6}, {'c': ['x'] * 6}),
    ('infinite', {'a': [np.inf] * 6}, {'c': ['x'] * 6}),
    ('no_numeric', {}, {'c': ['x', 'y'] * 3}),
    ('no_categorical', {'a': [1, 2] * 3}, {}),
    ('empty', {}, {}),
  )
  def test_odd_columns_give_finite_inputs(self, numeric, categorical):
    train = table(numeric, categorical, labels=[0, 1] * 3)
    fitted = fit(train)
    filled = table(
      {k: [1.0, np.nan, 2.0] for k in numeric},
      {k: ['x', None, 'z'] for k in categorical},
      labels=[0, 1, 1],
    )
    for cohort in (train, filled):
      n = len(cohort)
      for x in fitted.ehr(cohort).values():
        self.assertLen(x, n)
        self.assertTrue(np.isfinite(x).all())
      x, names = fitted.design(cohort)
      self.assertEqual(x.shape, (n, len(names)))
      self.assertTrue(np.isfinite(x).all())
      x, kinds = fitted.table(cohort)
      self.assertEqual(x.shape, (n, len(kinds)))
      self.assertFalse(np.isinf(x).any())
      np.testing.assert_array_equal(fitted.pixels(cohort), np.zeros((n, 4)))

  def test_a_column_without_training_values_stays_missing(self):
    fitted = fit(table({'a': [np.nan] * 4}, {'c': [None] * 4}))
    out = fitted.ehr(table({'a': [5.0]}, {'c': ['x']}))
    self.assertEqual(out['observed'][0, 0], 0)
    self.assertEqual(out['numeric'][0, 0], 0)


class DesignTest(absltest.TestCase):
  def test_columns_and_names(self):
    cohort = table(
      {'a': [1, 2, 3, np.nan], 'b': [5, 5, 5, 5]},
      {'c': ['x', 'x', 'y', 'y'], 'd': ['v', None, 'v', 'v']},
    )
    x, names = fit(cohort).design(cohort)
    self.assertEqual(
      names,
      ('a', 'a missing', 'c = x', 'c = y', 'd = missing', 'd = v'),
    )
    np.testing.assert_array_equal(x[:, 1], [0, 0, 0, 1])
    np.testing.assert_array_equal(x[:, 2], [1, 1, 0, 0])
    np.testing.assert_array_equal(x[:, 4], [0, 1, 0, 0])
    self.assertEqual(x[3, 0], 0.0)

  def test_rare_levels_are_other(self):
    cohort = table({}, {'c': ['x', 'x', 'y', 'z', 'w', 'w']})
    x, names = fit(cohort).design(cohort)
    self.assertEqual(names, ('c = other', 'c = w', 'c = x'))
    np.testing.assert_array_equal(x[:, 0], [0, 0, 1, 1, 0, 0])


class TableTest(absltest.TestCase):
  def test_missing_is_nan_and_values_are_as_given(self):
    cohort = table({'a': [1, 200, 3, np.nan]}, {'c': ['x', 'x', None, 'new']})
    x, kinds = fit(cohort).table(cohort)
    np.testing.assert_array_equal(x[:, 0], [1, 200, 3, np.nan])
    np.testing.assert_array_equal(x[:, 1], [2, 2, np.nan, 1])
    np.testing.assert_array_equal(kinds, [False, True])


class ConstantTest(absltest.TestCase):
  """Half a study is added on either side; weights have mean one."""

  def test_binary_is_the_weighted_prevalence_of_known_labels(self):
    cohort = table(
      labels=[0, 1, 1, np.nan], weight=np.array([2.0, 1.0, 1.0, 9.0])
    )
    np.testing.assert_allclose(fit(cohort).constant, [0.5])
    np.testing.assert_allclose(fit(cohort, np.array([0, 1])).constant, [7 / 18])

  def test_multiclass(self):
    task = types.Task(types.MULTICLASS, ('a', 'b', 'c'))
    cohort = table(labels=[0, 0, 1, 0], task=task)
    np.testing.assert_allclose(
      fit(cohort).constant, np.array([3.5, 1.5, 0.5]) / 5.5
    )
    # What late fusion falls back to is the same prediction.
    logits = links.constant_logits(task, cohort.labels)
    np.testing.assert_allclose(
      links.scores_from_logits(task, logits[None])[0], fit(cohort).constant
    )

  def test_multilabel_without_a_known_label_is_half(self):
    task = types.Task(types.MULTILABEL, ('a', 'b'))
    labels = [[0, np.nan], [1, np.nan], [1, np.nan]]
    cohort = table(labels=labels, task=task)
    np.testing.assert_allclose(fit(cohort).constant, [2.5 / 4, 0.5])

  def test_regression_and_survival(self):
    cohort = table(
      labels=[1.0, 2.0, 6.0], task=types.Task(types.REGRESSION, ('y',))
    )
    np.testing.assert_allclose(fit(cohort).constant, [3.0])
    task = types.Task(types.SURVIVAL, ('t', 'e'))
    cohort = table(labels=[[5.0, 1], [2.0, 0]], task=task)
    np.testing.assert_array_equal(fit(cohort).constant, [0.0])


class OtherCohortTest(absltest.TestCase):
  def test_columns_are_found_by_name(self):
    fitted = fit(table({'a': [1, 2, 3, 4], 'b': [4, 6, 8, 9]}))
    same = table({'b': [4.0], 'extra': [0.0], 'a': [1.0]}, {'c': ['x']})
    out = fitted.ehr(same)['numeric']
    want = fitted.ehr(table({'a': [1.0], 'b': [4.0]}))['numeric']
    np.testing.assert_array_equal(out, want)

  def test_names_the_column_that_is_lacking(self):
    fitted = fit(table({'a': [1, 2, 3]}, {'c': ['x', 'x', 'y']}))
    with self.assertRaisesRegex(errors.UserError, "numeric column 'a'"):
      fitted.ehr(table({'b': [1.0]}, {'c': ['x']}))
    with self.assertRaisesRegex(errors.UserError, 'another type'):
      fitted.design(table({'a': [1.0], 'c': [2.0]}))


class SaveTest(parameterized.TestCase):
  @parameterized.parameters(0, 1, 2)
  def test_npz_round_trip(self, columns):
    levels = {f'c{i}': ['x', 'x', 'y', 'y', 'y', None] for i in range(columns)}
    cohort = table({'a': [1, 2, 3, 4, 5, np.nan]}, levels)
    images = np.random.default_rng(0).integers(0, 256, (6, 2, 9, 7, 3))
    cohort = tiny.changed(
      cohort, images=images.astype(np.uint8), image_mask=np.ones((6, 2), bool)
    )
    fitted = fit(cohort)
    file = io.BytesIO()
    np.savez(file, **fitted.to_arrays())
    file.seek(0)
    with np.load(file) as arrays:
      back = preprocess.Fitted.from_arrays(arrays)
    self.assertEqual(back.config, fitted.config)
    for a, b in (
      (back.design(cohort)[0], fitted.design(cohort)[0]),
      (back.table(cohort)[0], fitted.table(cohort)[0]),
      (back.pixels(cohort), fitted.pixels(cohort)),
      (back.ehr(cohort)['categorical'], fitted.ehr(cohort)['categorical']),
      (back.image_stats['std'], fitted.image_stats['std']),
      (back.constant, fitted.constant),
    ):
      np.testing.assert_array_equal(a, b)

  def test_the_training_part_is_neither_shown_nor_saved(self):
    cohort = table({'a': [1, 2, 3]})
    fitted = fit(cohort)
    self.assertIs(fitted.training[0], cohort)
    moved = dataclasses.replace(fitted, constant=np.zeros(1))
    self.assertIs(moved.training, fitted.training)
    self.assertNotIn('Cohort', repr(fitted))
    arrays = fitted.to_arrays()
    self.assertNotIn('training', arrays)
    self.assertIsNone(preprocess.Fitted.from_arrays(arrays).training)

  def test_without_components(self):
    cohort = table({'a': [1, 2, 3]})
    arrays = fit(cohort).to_arrays(pixels=False)
    back = preprocess.Fitted.from_arrays(arrays)
    with self.assertRaisesRegex(errors.UserError, 'principal components'):
      back.pixels(cohort)

  def test_incomplete(self):
    arrays = fit(table({'a': [1, 2, 3]})).to_arrays(pixels=False)
    del arrays['scale']
    with self.assertRaisesRegex(errors.UserError, 'scale is missing'):
      preprocess.Fitted.from_arrays(arrays)


class ArgumentsTest(absltest.TestCase):
  def test_no_training_rows(self):
    with self.assertRaisesRegex(errors.UserError, 'without studies'):
      fit(table({'a': [1.0]}), np.array([], int))

  def test_config(self):
    with self.assertRaisesRegex(errors.UserError, 'max_levels = 2'):
      fit(table({'a': [1.0]}), max_levels=2)


if __name__ == '__main__':
  absltest.main()
