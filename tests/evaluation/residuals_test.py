"""Tests of what was predicted beside what was observed."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import folds, residuals

TASK = types.Task(types.REGRESSION, ('age',))


def fold(observed, *predicted, number=0, repeat=0, start=0):
  n = len(observed)
  study = np.array([f's{k:05d}' for k in range(start, start + n)])
  return folds.Fold(
    repeat=repeat,
    fold=number,
    study=study,
    patient=study,
    labels=np.array(observed, float)[:, None],
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={
      'a': {k: np.array(x, float)[:, None] for k, x in enumerate(predicted)}
    },
  )


class ResidualsTest(parameterized.TestCase):
  def test_a_study_has_its_mean_prediction(self):
    test = [
      fold([1, 2], [4, 0], [6, 2]),
      fold([3], [9], number=1, start=2),
      fold([1, 2, 3], [8, 1, 9], repeat=1),
    ]
    found = residuals.points(TASK, test, 'a')
    self.assertEqual(
      found,
      {
        'predicted': [1.0, 6.5, 9.0],
        'observed': [2.0, 1.0, 3.0],
        'residual': [1.0, -5.5, -6.0],
        'studies': 3,
      },
    )

  def test_unknown_labels_are_left_out(self):
    found = residuals.points(TASK, [fold([np.nan, 2], [0, 1])], 'a')
    self.assertEqual(found['observed'], [2.0])
    self.assertEqual(found['studies'], 1)

  def test_many_studies_are_thinned_the_same_way_every_time(self):
    rng = np.random.default_rng(0)
    y = rng.normal(size=5000)
    x = y + rng.normal(size=5000)
    found = residuals.points(TASK, [fold(y, x)], 'a')
    self.assertEqual(found['studies'], 5000)
    self.assertLen(found['predicted'], residuals.MOST)
    self.assertEqual(found['predicted'], sorted(found['predicted']))
    np.testing.assert_allclose(
      [found['predicted'][0], found['predicted'][-1]],
      [x.min(), x.max()],
      rtol=1e-5,
    )
    # What is kept is spread as all are.
    np.testing.assert_allclose(
      np.quantile(found['predicted'], [0.1, 0.5, 0.9]),
      np.quantile(x, [0.1, 0.5, 0.9]),
      atol=0.01,
    )
    order = rng.permutation(5000)
    other = fold(y, x)
    other = other.take(order)
    self.assertEqual(residuals.points(TASK, [other], 'a'), found)

  @parameterized.parameters(1e-9, 1.0, 1e9)
  def test_any_unit(self, scale):
    y, x = scale * np.array([1.0, 3.0]), scale * np.array([1.25, 2.5])
    found = residuals.points(TASK, [fold(y, x)], 'a')
    np.testing.assert_allclose(
      found['residual'], scale * np.array([-0.25, 0.5])
    )

  def test_no_names(self):
    found = residuals.points(TASK, [fold([1, 2], [1, 2])], 'a')
    self.assertNotIn('s0000', str(found))

  def test_only_regression_and_arms_with_models(self):
    test = [fold([1, 2], [1, 2])]
    self.assertIsNone(residuals.points(TASK, test, 'b'))
    binary = types.Task(types.BINARY, ('y',))
    self.assertIsNone(residuals.points(binary, test, 'a'))


if __name__ == '__main__':
  absltest.main()
