"""Tests of trees as arrays, against scikit-learn's own predictions."""

import dataclasses

import numpy as np
import threadpoolctl
from absl.testing import absltest, parameterized
from sklearn import ensemble

from fusion_jax.core import errors
from fusion_jax.training import forest as forest_lib

CATEGORICAL = np.array([False, True, False, True])


def table(n, seed):
  """(n, 4) rows: missing values, two columns of codes, one of them sparse."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(n, 4))
  x[:, 1] = rng.integers(0, 7, n)
  x[:, 3] = rng.choice([2, 3, 5, 9, 200, 254], n)
  x[rng.random((n, 4)) < 0.15] = np.nan
  return x


def signal(x):
  """(n,) what there is to learn: also from codes and from being missing."""
  return (
    2 * np.sign(np.nan_to_num(x[:, 0]))
    + 2 * np.isin(x[:, 1], [1, 4])
    - 2 * np.isin(x[:, 3], [3, 200])
    + np.isnan(x[:, 2])
  )


def unseen(x):
  """The rows and some with values that training never saw."""
  odd = x[:12].copy()
  odd[:3, 1] = 8
  odd[3:6, 3] = 4
  odd[6:8, 0] = [1e300, -1e300]
  odd[8, 1], odd[9, 3], odd[10, 1] = 255, 300, 1.5
  odd[11] = np.nan
  return np.concatenate([x, odd])


class ForestTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    limits = threadpoolctl.threadpool_limits(limits=1)
    self.addCleanup(limits.restore_original_limits)

  def _fit(self, create, y, x, kinds=CATEGORICAL, **more):
    return create(
      max_iter=12,
      early_stopping=False,
      min_samples_leaf=5,
      random_state=0,
      categorical_features=kinds,
      **more,
    ).fit(x, y)

  @parameterized.product(
    classes=(0, 2, 3), kinds=(CATEGORICAL, np.zeros(4, bool))
  )
  def test_predicts_scikits_bits(self, classes, kinds):
    x = table(500, 0)
    y = signal(x) + np.random.default_rng(1).logistic(size=500)
    new = unseen(table(300, 2))
    if classes:
      y = np.digitize(y, [-1, 1][: classes - 1])
      model = self._fit(
        ensemble.HistGradientBoostingClassifier, y, x, kinds=kinds
      )
      expected = model.decision_function(new)
    else:
      model = self._fit(
        ensemble.HistGradientBoostingRegressor, y, x, kinds=kinds
      )
      expected = model.predict(new)
    forest = forest_lib.of_scikit([model], columns=4)
    self.assertEqual(forest.trees, 12 * (classes if classes > 2 else 1))
    if kinds.any():
      self.assertTrue((forest.codes >= 0).any())
    expected = expected.reshape(len(new), -1)
    np.testing.assert_array_equal(forest(new), expected)
    again = forest_lib.Forest.from_arrays(forest.to_arrays())
    np.testing.assert_array_equal(again(new), expected)

  def test_several_models_are_added_with_what_each_starts_with(self):
    x = table(300, 0)
    models, expected = [], np.full(300, -0.5)
    for k in range(4):
      y = signal(x) + k
      models.append(self._fit(ensemble.HistGradientBoostingRegressor, y, x))
      expected += models[-1].predict(x)
    forest = forest_lib.of_scikit(models, columns=4, start=np.array([-0.5]))
    np.testing.assert_allclose(forest(x)[:, 0], expected, rtol=1e-12)

  def test_no_model_is_what_it_starts_with(self):
    forest = forest_lib.of_scikit([], columns=4, start=np.array([0.25]))
    self.assertEqual(forest.trees, 0)
    again = forest_lib.Forest.from_arrays(forest.to_arrays())
    np.testing.assert_array_equal(again(table(3, 0)), np.full((3, 1), 0.25))

  def test_arrays_that_are_no_trees_are_refused(self):
    x = table(300, 0)
    model = self._fit(ensemble.HistGradientBoostingRegressor, signal(x), x)
    forest = forest_lib.of_scikit([model], columns=4)
    nodes = len(forest.column)

    def changed(name, place, value):
      values = getattr(forest, name).copy()
      values[place] = value
      return dataclasses.replace(forest, **{name: values})

    for damaged in (
      # A circle, a child in another tree, and beyond the last node.
      changed('left', 0, 0),
      changed('right', 0, forest.roots[1]),
      changed('right', 0, nodes + 5),
      changed('column', 0, 4),
      changed('column', 0, -2),
      changed('codes', 0, 10**6),
      changed('output', 0, 1),
      changed('roots', -1, nodes - 1),
      changed('roots', 0, 3),
      dataclasses.replace(forest, value=forest.value[:-1]),
      dataclasses.replace(forest, known=forest.known[:, :9]),
    ):
      with self.assertRaisesRegex(errors.UserError, 'trees are damaged'):
        forest_lib.Forest.from_arrays(damaged.to_arrays())
    arrays = forest.to_arrays()
    del arrays['value']
    with self.assertRaisesRegex(errors.UserError, 'trees are damaged'):
      forest_lib.Forest.from_arrays(arrays)


if __name__ == '__main__':
  absltest.main()
