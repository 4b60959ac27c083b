"""Tests of fusion_jax.training.gaussian_process."""

import pathlib
import warnings

import numpy as np
from absl.testing import absltest, parameterized
from scipy import integrate, special, stats
from sklearn import exceptions, gaussian_process, metrics

from fusion_jax.core import errors, types
from fusion_jax.training import gaussian_process as gp
from tests.training import classical_test


def _fit(kind, n=60, **more):
  x, y = classical_test.rows(kind, n)
  task = classical_test.TASKS[kind]
  return x, y, gp.fit(task=task, x=x, labels=y, weight=None, **more)


class GaussianProcessTest(parameterized.TestCase):
  def test_classes_are_those_of_scikit_learn(self):
    x, y, model = _fit(types.BINARY)
    known = ~np.isnan(y[:, 0])
    scaled = (x - x[known].mean(0)) / x[known].std(0)
    theirs = gaussian_process.GaussianProcessClassifier(gp._kernel(5))
    with warnings.catch_warnings():
      warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
      theirs.fit(scaled[known], y[known, 0])
    np.testing.assert_allclose(
      # They approximate the integral by five error functions.
      model.scores(x)[:, 0],
      theirs.predict_proba(scaled)[:, 1],
      atol=2e-3,
    )

  def test_probability_is_the_mean_of_the_sigmoid(self):
    _, _, model = _fit(types.BINARY, 40)
    (process,) = model.parts[0].processes
    x = np.random.default_rng(1).normal(size=(3, 5))
    for mean, variance, p in zip(
      *process.moments(x), process.probability(x), strict=True
    ):
      spread = np.sqrt(variance)
      expected, _ = integrate.quad(
        lambda z, m=mean, s=spread: special.expit(z) * stats.norm.pdf(z, m, s),
        mean - 9 * spread,
        mean + 9 * spread,
      )
      self.assertAlmostEqual(p, expected, places=5)

  def test_means_are_those_of_scikit_learn(self):
    x, y, model = _fit(types.REGRESSION)
    known = ~np.isnan(y[:, 0])
    part = model.parts[0]
    theirs = gaussian_process.GaussianProcessRegressor(
      gp._kernel(5) + gp.kernels.WhiteKernel(0.5, (1e-4, 1e2))
    )
    with warnings.catch_warnings():
      warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
      theirs.fit(part.scaling.x(x[known]), part.scaling.y(y[known])[:, 0])
    mean = theirs.predict(part.scaling.x(x))
    np.testing.assert_allclose(
      model.scores(x)[:, 0],
      mean * part.scaling.unit + part.scaling.shift,
      rtol=1e-5,
    )

  @parameterized.parameters(*gp.TASKS)
  def test_learns_saves_and_does_not_care_for_company(self, kind):
    _, _, model = _fit(kind)
    x, y = classical_test.rows(kind, 300, seed=1)
    scores = model.scores(x)
    if kind == types.REGRESSION:
      good = stats.spearmanr(scores[:, 0], y[:, 0], nan_policy='omit')[0]
    elif kind == types.MULTICLASS:
      known = ~np.isnan(y[:, 0])
      np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)
      good = metrics.roc_auc_score(y[known, 0] == 2, scores[known, 2])
    else:
      known = ~np.isnan(y[:, 0])
      good = metrics.roc_auc_score(y[known, 0], scores[known, 0])
    self.assertGreater(good, 0.7)
    path = pathlib.Path(self.create_tempdir().full_path) / 'model.npz'
    model.save(path)
    again = gp.GaussianProcess.load(path)
    np.testing.assert_array_equal(again.logits(x), model.logits(x))
    self.assertEqual(again.cost, model.cost)
    np.testing.assert_array_equal(model.logits(x[7:8])[0], model.logits(x)[7])

  def test_shifts_and_units_of_columns_are_nothing(self):
    x, y, model = _fit(types.BINARY, 40)
    other = gp.fit(task=model.task, x=1000 + 7 * x, labels=y, weight=None)
    np.testing.assert_allclose(
      model.scores(x), other.scores(1000 + 7 * x), atol=1e-3
    )

  def test_a_label_of_one_value_is_constant(self):
    task = classical_test.TASKS[types.MULTILABEL]
    x, y = classical_test.rows(types.MULTILABEL, 40)
    y[:, 1] = 1
    model = gp.fit(task=task, x=x, labels=y, weight=None)
    self.assertIn('Its prediction is constant.', model.notes[0])
    self.assertLen(np.unique(model.scores(x)[:, 1]), 1)
    y[:] = 1
    with self.assertRaisesRegex(errors.UserError, 'one class only'):
      gp.fit(task=task, x=x, labels=y, weight=None)

  def test_columns_that_do_not_vary(self):
    task = classical_test.TASKS[types.BINARY]
    x, y = np.ones((30, 2)), np.arange(30)[:, None] % 3 == 0
    model = gp.fit(task=task, x=x, labels=y, weight=None)
    np.testing.assert_allclose(model.scores(x), 10.5 / 31, atol=1e-6)

  def test_what_it_is_not_for(self):
    task = classical_test.TASKS[types.BINARY]
    n = gp.MOST_ROWS + 1
    with self.assertRaisesRegex(errors.UserError, '3001 studies are too many'):
      gp.fit(
        task=task, x=np.zeros((n, 1)), labels=np.zeros((n, 1)), weight=None
      )
    survival = classical_test.TASKS[types.SURVIVAL]
    with self.assertRaisesRegex(errors.UserError, 'this one is survival'):
      gp.fit(
        task=survival, x=np.zeros((2, 1)), labels=np.zeros((2, 2)), weight=None
      )

  def test_weights_are_said_to_be_nothing(self):
    x, y = classical_test.rows(types.BINARY, 40)
    weight = np.r_[0.0, np.arange(39) % 2 + 1.0]
    task = classical_test.TASKS[types.BINARY]
    model = gp.fit(task=task, x=x, labels=y, weight=weight)
    self.assertIn('not by weight', model.notes[0])
    without = gp.fit(task=task, x=x[1:], labels=y[1:], weight=None)
    np.testing.assert_allclose(model.logits(x), without.logits(x), atol=1e-6)


if __name__ == '__main__':
  absltest.main()
