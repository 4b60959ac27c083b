"""Tests of kernel machines."""

import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import gaussian_process, metrics

from fusion_jax.core import errors, links, types
from fusion_jax.training import cross_validated, kernel_machine
from tests.training import classical_test

TASKS = classical_test.TASKS


def rows(kind, seed=0, n=70):
  return classical_test.rows(kind, n=n, seed=seed)


def fit(kind, train, valid, weight=None):
  return kernel_machine.fit(
    task=TASKS[kind],
    x=train[0],
    labels=train[1],
    weight=weight,
    x_valid=valid[0],
    labels_valid=valid[1],
    weight_valid=None,
  )


def known(kind, part):
  """The rows of a part whose labels are known."""
  here = ~np.isnan(part[1]).any(axis=1)
  return part[0][here], part[1][here]


class MachineTest(parameterized.TestCase):
  @parameterized.parameters(*types.TASK_KINDS)
  def test_learns_every_task_and_is_saved(self, kind):
    train, valid, test = (rows(kind, s) for s in (0, 1, 2))
    fitted, task = fit(kind, train, valid), TASKS[kind]
    logits = fitted.logits(test[0])
    self.assertEqual(logits.shape, (70, task.num_outputs))
    constant = np.tile(links.constant_logits(task, train[1]), (70, 1))
    loss = links.mean_loss(task, logits, test[1])
    self.assertLess(loss, links.mean_loss(task, constant, test[1]) - 0.05)
    # A row is predicted alike in any company.
    np.testing.assert_array_equal(fitted.logits(test[0][5:7]), logits[5:7])
    path = pathlib.Path(self.create_tempdir().full_path) / 'model'
    fitted.save(path)
    again = kernel_machine.Kernel.load(path)
    self.assertEqual((again.task, again.cost), (fitted.task, fitted.cost))
    np.testing.assert_array_equal(again.logits(test[0]), logits)
    np.testing.assert_array_equal(
      again.scores(test[0]), links.scores_from_logits(task, logits)
    )

  @parameterized.parameters(
    types.BINARY, types.MULTICLASS, types.REGRESSION, types.SURVIVAL
  )
  def test_weights_are_where_the_slope_is_0(self, kind):
    """The slope of sum_i w_i loss_i + |f|^2 / (2 v) in f is 0 there."""
    (x, y), task = known(kind, rows(kind)), TASKS[kind]
    weight = np.random.default_rng(1).uniform(0.2, 2, len(x))
    part = kernel_machine.fitted(task, (x, y, weight), 2.0, 3.0)
    near = kernel_machine.kernel(part.rows, part.rows, 2.0)
    z, labels = near @ part.weights + part.intercept, part.scaling.y(y)
    gradient, _ = links.derivatives(task, z, labels, weight)
    total = weight @ y[:, 1] if kind == types.SURVIVAL else weight.sum()
    np.testing.assert_allclose(
      near @ part.weights, -3 * total * near @ gradient, atol=5e-3
    )
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-6)
    if kind == types.SURVIVAL:
      self.assertAlmostEqual(float(weight @ z[:, 0]), 0)

  def test_regression_is_the_mean_of_a_gaussian_process(self):
    x, y = known(types.REGRESSION, rows(types.REGRESSION))
    whole = x, y, np.ones(len(x))
    part = kernel_machine.fitted(TASKS[types.REGRESSION], whole, 2.0, 3.0)
    kernels = gaussian_process.kernels
    reference = gaussian_process.GaussianProcessRegressor(
      # The squared error is that of a variance of a half.
      kernels.ConstantKernel(3.0) * kernels.RBF(2.0),
      alpha=0.5,
      optimizer=None,
    ).fit(part.scaling.x(x), part.scaling.y(y)[:, 0] - part.intercept[0])
    new = np.random.default_rng(1).normal(size=(20, 5))
    expected = reference.predict(part.scaling.x(new)) + part.intercept[0]
    np.testing.assert_allclose(
      part.logits(new)[:, 0],
      part.scaling.unit * expected + part.scaling.shift,
      rtol=1e-6,
    )

  def test_rows_without_a_label_change_nothing(self):
    train, valid = rows(types.BINARY), rows(types.BINARY, 1)
    plain = fit(types.BINARY, train, valid).logits(valid[0])
    longer = (
      np.concatenate([train[0], np.full((3, 5), 1e6)]),
      np.concatenate([train[1], [[np.nan], [0], [1]]]),
    )
    weight = np.concatenate([np.ones(71), np.zeros(2)])
    other = fit(types.BINARY, longer, valid, weight).logits(valid[0])
    np.testing.assert_allclose(other, plain, rtol=1e-9, atol=1e-9)

  def test_finds_an_interaction(self):
    x = np.random.default_rng(0).normal(size=(450, 2))
    y = (x[:, :1] * x[:, 1:] > 0).astype(np.float64)
    train, valid, test = ((x[i::3], y[i::3]) for i in range(3))
    logits = fit(types.BINARY, train, valid).logits(test[0])
    self.assertGreater(metrics.roc_auc_score(test[1], logits), 0.95)

  def test_what_cannot_be_learnt(self):
    x, y = rows(types.BINARY)
    with self.assertRaisesRegex(errors.UserError, 'one class only'):
      fit(types.BINARY, (x, np.ones_like(y)), (x, y))
    many = np.zeros((kernel_machine.MOST_STUDIES + 1, 1))
    with self.assertRaisesRegex(errors.UserError, 'at most 1000 studies'):
      fit(types.BINARY, (many, many), (x, y))
    # One label of two: a constant, and a note.
    x, y = rows(types.MULTILABEL)
    y[:, 1] = np.where(np.isnan(y[:, 1]), np.nan, 1)
    fitted = fit(types.MULTILABEL, (x, y), rows(types.MULTILABEL, 1))
    self.assertLen(fitted.notes, 1)
    self.assertEqual(np.ptp(fitted.logits(x)[:, 1]), 0)
    self.assertGreater(fitted.logits(x)[:, 0].std(), 0)


class CrossValidatedTest(parameterized.TestCase):
  @parameterized.parameters(types.MULTILABEL, types.SURVIVAL)
  def test_out_of_fold_is_the_fit_without_the_fold(self, kind):
    x, y = rows(kind)
    fold = np.arange(len(x)) % 3
    tuned = cross_validated.fit_kernel(
      task=TASKS[kind], x=x, labels=y, weight=None, fold=fold
    )
    self.assertTrue(np.isfinite(tuned.out_of_fold).all())
    part = tuned.model.parts[0]
    if kind == types.MULTILABEL:
      task, labels = types.Task(types.BINARY, ('a',)), y[:, :1]
    else:
      task, labels = TASKS[kind], y
    here = (fold != 1) & ~np.isnan(labels).any(axis=1)
    whole = x[here], labels[here], np.ones(here.sum())
    left_out = kernel_machine.fitted(task, whole, part.length, part.variance)
    np.testing.assert_allclose(
      tuned.out_of_fold[fold == 1, :1], left_out.logits(x[fold == 1]), rtol=1e-6
    )
    seen = links.mean_loss(TASKS[kind], tuned.model.logits(x), y)
    self.assertLess(seen, links.mean_loss(TASKS[kind], tuned.out_of_fold, y))


if __name__ == '__main__':
  absltest.main()
