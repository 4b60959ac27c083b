import dataclasses
import io

import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, links, types
from fusion_jax.data import config as config_lib
from fusion_jax.data import kind, preprocess, synthetic
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
      'images': rng.integers(0, 256, tiny.images(cohort).shape).astype(
        np.uint8
      ),
      'numeric': rng.choice(
        [np.nan, np.inf, 1e300], tiny.numeric(cohort).shape
      ),
      'categorical': np.full(tiny.categorical(cohort).shape, 'new', object),
      'labels': np.full(cohort.labels.shape, np.nan),
      'image_mask': np.ones(tiny.image_mask(cohort).shape, bool),
    }
    for name, x in garbage.items():
      x[rows] = tiny.field(cohort, name)[rows]
    other = tiny.changed(cohort, **garbage)
    self.assertFalse(
      np.array_equal(tiny.images(other)[rest], tiny.images(cohort)[rest])
    )
    a, b = (fit(x, rows).to_arrays(cohort.modalities) for x in (cohort, other))
    self.assertEqual(a.keys(), b.keys())
    for name, x in a.items():
      self.assertEqual(x.tobytes(), b[name].tobytes(), name)

  def test_order_of_the_table_does_not_matter_to_statistics(self):
    cohort = synthetic.make('null', n=40, size=16, seed=1)
    order = np.random.default_rng(0).permutation(40)
    a = fit(cohort).fits['image']
    b = fit(cohort.subset(order)).fits['image']
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.std, b.std)


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
  def test_names_cohort_and_modality(self):
    fitted = fit(table({'a': [1, 2, 3]}))
    with self.assertRaisesRegex(
      errors.UserError, "'table', modality 'ehr'.*numeric column 'a'"
    ):
      fitted.derived(table({'b': [1.0]}), 'ehr')

  def test_a_modality_that_is_lacking_or_of_another_kind(self):
    cohort = synthetic.make('null', n=20, size=16)
    fitted = fit(cohort)
    with self.assertRaisesRegex(errors.UserError, "lacks the modality 'image'"):
      fitted.columns(table({'a': [1.0]}), 'image', kind.LINEAR)
    swapped = cohort.with_modalities(
      {'image': cohort.modalities['ehr']}, digest='x'
    )
    with self.assertRaisesRegex(errors.UserError, "of kind 'table', but was"):
      fitted.columns(swapped, 'image', kind.LINEAR)


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
    np.savez(file, **fitted.to_arrays(cohort.modalities))
    file.seek(0)
    with np.load(file) as arrays:
      back = preprocess.Fitted.from_arrays(arrays)
    self.assertEqual(back.config, fitted.config)
    np.testing.assert_array_equal(back.constant, fitted.constant)
    for name in cohort.modalities:
      for learner in (kind.LINEAR, kind.TREES):
        a, b = (x.columns(cohort, name, learner) for x in (back, fitted))
        np.testing.assert_array_equal(a.x, b.x)
        self.assertEqual(a.names, b.names)
      a, b = (x.derived(cohort, name) for x in (back, fitted))
      jax.tree.map(np.testing.assert_array_equal, a, b)

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

  def test_without_the_reduction(self):
    cohort = synthetic.make('null', n=20, size=16)
    back = preprocess.Fitted.from_arrays(fit(cohort).to_arrays())
    with self.assertRaisesRegex(errors.UserError, "reduction of 'image'"):
      back.columns(cohort, 'image', kind.LINEAR)

  def test_incomplete(self):
    arrays = fit(table({'a': [1, 2, 3]})).to_arrays()
    del arrays['ehr/fit/scale']
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
