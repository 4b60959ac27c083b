import warnings

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics

from fusion_jax.core import links, types

TASKS = {
  types.BINARY: types.Task(types.BINARY, ('y',)),
  types.MULTICLASS: types.Task(types.MULTICLASS, ('a', 'b', 'c')),
  types.MULTILABEL: types.Task(types.MULTILABEL, ('a', 'b')),
  types.REGRESSION: types.Task(types.REGRESSION, ('y',)),
  types.SURVIVAL: types.Task(types.SURVIVAL, ('t', 'e')),
}


def example(kind, n=40, seed=0):
  """(task, logits, labels, weight), some labels unknown, times tied."""
  rng = np.random.default_rng(seed)
  task = TASKS[kind]
  logits = rng.normal(size=(n, task.num_outputs))
  labels = {
    types.BINARY: rng.integers(0, 2, (n, 1)),
    types.MULTICLASS: rng.integers(0, 3, (n, 1)),
    types.MULTILABEL: rng.integers(0, 2, (n, 2)),
    types.REGRESSION: rng.normal(size=(n, 1)),
    types.SURVIVAL: np.stack(
      [rng.integers(1, 9, n), rng.integers(0, 2, n)], axis=1
    ),
  }[kind].astype(np.float64)
  labels[rng.random(labels.shape) < 0.1] = np.nan
  return task, logits, labels, rng.uniform(0.5, 2, n)


def breslow(logits, time, event, weight):
  """The formula of the module's docstring, term by term."""
  v = weight / weight.mean()
  total = 0.0
  for i in np.flatnonzero(event):
    risk = sum(
      v[j] * np.exp(logits[j]) for j in range(len(time)) if time[j] >= time[i]
    )
    total += weight[i] * (np.log(risk) - logits[i])
  return total / (weight * event).sum()


class LinksTest(parameterized.TestCase):
  @parameterized.parameters(*types.TASK_KINDS)
  def test_links_invert_each_other(self, kind):
    task, logits, _, _ = example(kind)
    scores = links.scores_from_logits(task, logits)
    again = links.scores_from_logits(
      task, links.logits_from_scores(task, scores)
    )
    np.testing.assert_allclose(again, scores, rtol=1e-10)
    if kind == types.MULTICLASS:
      np.testing.assert_allclose(scores.sum(axis=1), 1)
    else:
      np.testing.assert_allclose(
        links.logits_from_scores(task, scores), logits, rtol=1e-9
      )

  @parameterized.parameters(*types.TASK_KINDS)
  def test_extreme_values_stay_finite(self, kind):
    task, logits, labels, weight = example(kind)
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      extreme = 1e4 * np.sign(logits)
      self.assertTrue(
        np.isfinite(links.mean_loss(task, extreme, labels, weight))
      )
      for part in links.derivatives(task, extreme, labels, weight):
        self.assertTrue(np.isfinite(part).all())
      scores = links.scores_from_logits(task, extreme)
      self.assertTrue(np.isfinite(links.logits_from_scores(task, scores)).all())

  def test_log_losses_equal_sklearns(self):
    for kind in (types.BINARY, types.MULTICLASS):
      task, logits, labels, weight = example(kind)
      ok = ~np.isnan(labels[:, 0])
      expected = metrics.log_loss(
        labels[ok, 0],
        links.scores_from_logits(task, logits)[ok],
        sample_weight=weight[ok],
        labels=np.arange(max(2, task.num_outputs)),
      )
      loss = links.mean_loss(task, logits, labels, weight)
      self.assertAlmostEqual(loss, expected, places=12)

  def test_squared_error_equals_sklearns(self):
    task, logits, labels, weight = example(types.REGRESSION)
    ok = ~np.isnan(labels[:, 0])
    expected = metrics.mean_squared_error(
      labels[ok], logits[ok], sample_weight=weight[ok]
    )
    loss = links.mean_loss(task, logits, labels, weight)
    self.assertAlmostEqual(loss, expected, places=12)

  def test_multilabel_weighs_known_labels_alone(self):
    task, logits, labels, weight = example(types.MULTILABEL)
    total, mass = 0.0, 0.0
    for i, row in enumerate(labels):
      for k, y in enumerate(row):
        if not np.isnan(y):
          p = 1 / (1 + np.exp(-logits[i, k]))
          total -= weight[i] * np.log(p if y else 1 - p)
          mass += weight[i]
    loss = links.mean_loss(task, logits, labels, weight)
    self.assertAlmostEqual(loss, total / mass, places=12)

  def test_cox_loss_equals_the_formula_with_ties_and_weights(self):
    task, logits, labels, weight = example(types.SURVIVAL)
    ok = ~np.isnan(labels).any(axis=1)
    expected = breslow(logits[ok, 0], labels[ok, 0], labels[ok, 1], weight[ok])
    loss = links.mean_loss(task, logits, labels, weight)
    self.assertAlmostEqual(loss, expected, places=10)

  def test_cox_gradient_vanishes_where_scikit_survival_converged(self):
    try:
      from sksurv import linear_model, util
    except ImportError:
      self.skipTest('scikit-survival is not installed')
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    time = np.ceil(4 * rng.exponential(size=200) * np.exp(-x[:, 0]))  # tied
    event = rng.random(200) < 0.7
    fitted = linear_model.CoxPHSurvivalAnalysis(ties='breslow', tol=1e-12).fit(
      x, util.Surv.from_arrays(event, time)
    )
    labels = np.stack([time, event], axis=1).astype(np.float64)
    logits = (x @ fitted.coef_)[:, None]
    gradient, _ = links.derivatives(TASKS[types.SURVIVAL], logits, labels)
    np.testing.assert_allclose(x.T @ gradient, 0, atol=1e-8)
    elsewhere, _ = links.derivatives(TASKS[types.SURVIVAL], 2 * logits, labels)
    self.assertGreater(np.abs(x.T @ elsewhere).max(), 0.01)

  @parameterized.parameters(*types.TASK_KINDS)
  def test_derivatives_are_those_of_the_loss(self, kind):
    task, logits, labels, weight = example(kind, n=15)
    gradient, curvature = links.derivatives(task, logits, labels, weight)
    step = 1e-4
    for i in range(len(logits)):
      for k in range(task.num_outputs):
        loss = []
        for sign in (-1, 0, 1):
          moved = logits.copy()
          moved[i, k] += sign * step
          loss.append(links.mean_loss(task, moved, labels, weight))
        slope = (loss[2] - loss[0]) / (2 * step)
        bend = (loss[2] - 2 * loss[1] + loss[0]) / step**2
        self.assertAlmostEqual(gradient[i, k], slope, places=7)
        self.assertAlmostEqual(curvature[i, k], bend, places=5)

  @parameterized.parameters(*types.TASK_KINDS)
  def test_order_scale_of_weights_and_unknown_rows_do_not_matter(self, kind):
    task, logits, labels, weight = example(kind)
    loss = links.mean_loss(task, logits, labels, weight)
    order = np.random.default_rng(1).permutation(len(logits))
    permuted = links.mean_loss(
      task, logits[order], labels[order], weight[order]
    )
    scaled = links.mean_loss(task, logits, labels, 7 * weight)
    # Rows of weight 0 or unknown label, with garbage for logits.
    padded = links.mean_loss(
      task,
      np.concatenate([logits, np.full((2, task.num_outputs), np.nan)]),
      np.concatenate([labels, labels[:1] * 0 + 1, labels[:1] * np.nan]),
      np.concatenate([weight, [0.0, 5.0]]),
    )
    for other in (permuted, scaled, padded):
      self.assertAlmostEqual(other, loss, places=10)
    self.assertNotAlmostEqual(
      links.mean_loss(task, logits, labels), loss, places=6
    )

  @parameterized.parameters(*types.TASK_KINDS)
  def test_no_known_label_is_undefined(self, kind):
    task, logits, labels, _ = example(kind)
    self.assertTrue(np.isnan(links.mean_loss(task, logits, labels * np.nan)))
    for part in links.derivatives(task, logits, labels * np.nan):
      np.testing.assert_array_equal(part, np.zeros_like(logits))
    np.testing.assert_array_equal(
      links.constant_logits(task, labels * np.nan), np.zeros(task.num_outputs)
    )

  def test_survival_without_event_is_undefined(self):
    labels = np.array([[1.0, 0], [2, 0]])
    task = TASKS[types.SURVIVAL]
    self.assertTrue(np.isnan(links.mean_loss(task, np.ones((2, 1)), labels)))

  @parameterized.parameters(*types.TASK_KINDS)
  def test_constant_is_the_best_one(self, kind):
    task, logits, labels, weight = example(kind, n=2000)
    constant = links.constant_logits(task, labels, weight)
    np.testing.assert_allclose(
      constant, links.constant_logits(task, labels, 3 * weight), rtol=1e-12
    )
    base = links.mean_loss(task, np.tile(constant, (2000, 1)), labels, weight)
    for k in range(task.num_outputs):
      for move in (-0.1, 0.1):
        other = np.tile(constant, (2000, 1))
        other[:, k] += move
        worse = links.mean_loss(task, other, labels, weight)
        if kind == types.SURVIVAL:
          self.assertAlmostEqual(worse, base)
        else:
          self.assertGreater(worse, base)

  def test_a_class_that_never_occurs_keeps_a_finite_constant(self):
    task = TASKS[types.MULTICLASS]
    constant = links.constant_logits(task, np.zeros((9, 1)))
    np.testing.assert_allclose(
      np.exp(constant), np.array([9.5, 0.5, 0.5]) / 10.5
    )
    binary = links.constant_logits(TASKS[types.BINARY], np.ones((9, 1)))
    np.testing.assert_allclose(binary, np.log(9.5 / 0.5))


if __name__ == '__main__':
  absltest.main()
