"""Tests of slopes and intercepts that fit logits to other studies."""

import warnings

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import linear_model, metrics

from fusion_jax.core import errors, links, types
from fusion_jax.evaluation import calibration, recalibration
from fusion_jax.fusion import late, rescale
from tests.fusion.rules import predicted

BINARY = types.Task(types.BINARY, ('y',))
SURVIVAL = types.Task(types.SURVIVAL, ('t', 'e'))
CLASSES = types.Task(types.MULTICLASS, ('a', 'b', 'c'))


def ones(labels):
  return np.ones(len(labels))


class RescaleTest(parameterized.TestCase):
  def example(self, n=400, slope=3.0, intercept=-1.0):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 1))
    y = intercept + slope * x + rng.logistic(size=(n, 1)) > 0
    return x, y.astype(np.float64)

  def test_equals_a_logistic_regression_on_smoothed_labels(self):
    x, y = self.example()
    slope, intercept = rescale.fit(BINARY, x, y, ones(y))
    up, down = y.sum(), (1 - y).sum()
    target = np.where(y > 0, (up + 1) / (up + 2), 1 / (down + 2))[:, 0]
    # Every study once as each class, weighted by its share of it.
    other = linear_model.LogisticRegression(C=np.inf, tol=1e-12, max_iter=9999)
    other.fit(
      np.concatenate([x, x]),
      np.repeat([1, 0], len(x)),
      np.concatenate([target, 1 - target]),
    )
    np.testing.assert_allclose(slope, other.coef_[0], rtol=1e-5)
    np.testing.assert_allclose(intercept, other.intercept_, rtol=1e-5)

  @parameterized.parameters((1e-2, 0.0), (7.0, 300.0))
  def test_unit_and_zero_of_the_logits_do_not_matter(self, unit, zero):
    x, y = self.example()
    slope, intercept = rescale.fit(BINARY, x, y, ones(y))
    moved = rescale.fit(BINARY, unit * x + zero, y, ones(y))
    if slope[0] / unit <= rescale.SLOPES[1]:
      np.testing.assert_allclose(
        moved[0] * (unit * x + zero) + moved[1],
        slope * x + intercept,
        rtol=1e-3,
      )
    else:
      self.assertEqual(moved[0], rescale.SLOPES[1])

  def test_unit_of_the_weights_does_not_matter_and_zero_leaves_out(self):
    x, y = self.example()
    weight = np.random.default_rng(1).uniform(0, 2, len(y))
    weight[:100] = 0
    whole = rescale.fit(BINARY, x, y, weight)
    for other in (
      rescale.fit(BINARY, x, y, 50 * weight),
      rescale.fit(BINARY, x[100:], y[100:], weight[100:]),
      rescale.fit(BINARY, x, np.where(weight[:, None] > 0, y, np.nan), weight),
    ):
      np.testing.assert_allclose(other, whole, rtol=1e-5)
    self.assertGreater(
      np.abs(whole[0] - rescale.fit(BINARY, x, y, ones(y))[0]), 0
    )

  def test_labels_apart(self):
    x, y = self.example()
    other = np.where(np.arange(len(y)) < 200, np.nan, 1 - y[:, 0])
    task = types.Task(types.MULTILABEL, ('a', 'b'))
    slope, intercept = rescale.fit(
      task,
      np.concatenate([x, -x], axis=1),
      np.stack([y[:, 0], other], axis=1),
      ones(y),
    )
    for k, (sign, rows) in enumerate(
      ((1, slice(None)), (-1, slice(200, None)))
    ):
      label = y if k == 0 else 1 - y
      one = rescale.fit(BINARY, sign * x[rows], label[rows], ones(y[rows]))
      np.testing.assert_allclose((slope[k], intercept[k]), np.ravel(one))

  def test_slopes_are_held_within_bounds(self):
    x, y = self.example()
    self.assertEqual(rescale.fit(BINARY, -x, y, ones(y))[0], 0.01)
    self.assertEqual(rescale.fit(BINARY, 1e-4 * x, y, ones(y))[0], 100)
    time = np.exp(-x)
    labels = np.concatenate([time, np.ones_like(time)], axis=1)
    slope, _ = rescale.fit(SURVIVAL, x, labels, ones(y))
    self.assertAlmostEqual(slope[0], 100, places=3)

  def test_survival_and_classes_are_at_the_smallest_loss(self):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(500, 3))
    code = (3 * x + rng.gumbel(size=x.shape)).argmax(axis=1)[:, None]
    time = rng.exponential(size=(500, 1)) * np.exp(-2 * x[:, :1])
    event = (rng.random((500, 1)) < 0.5).astype(float)
    for task, z, labels, about in (
      (CLASSES, x, code.astype(float), 3),
      (SURVIVAL, x[:, :1], np.concatenate([time, event], axis=1), 2),
    ):
      slope, intercept = rescale.fit(task, z, labels, ones(z))
      self.assertTrue((slope == slope[0]).all() and not intercept.any())
      self.assertAlmostEqual(slope[0], about, delta=0.5)
      losses = [
        links.mean_loss(task, slope * f * z, labels) for f in (0.99, 1, 1.01)
      ]
      self.assertEqual(np.argmin(losses), 1)

  @parameterized.parameters(
    (BINARY, [[1.0], [1.0], [np.nan]]),
    (BINARY, [[np.nan]] * 3),
    (CLASSES, [[2.0]] * 3),
    (SURVIVAL, [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]),
  )
  def test_nothing_to_learn_changes_nothing(self, task, labels):
    logits = np.arange(3.0 * task.num_outputs).reshape(3, -1) ** 2
    labels = np.array(labels)
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      slope, intercept = rescale.fit(task, logits, labels, ones(labels))
      empty = rescale.fit(task, logits[:0], labels[:0], np.zeros(0))
    self.assertEqual(slope.tolist(), [1] * task.num_outputs)
    self.assertEqual(intercept.tolist(), [0] * task.num_outputs)
    np.testing.assert_array_equal(empty, (slope, intercept))

  def test_equal_logits_get_the_prevalence(self):
    y = np.array([[1.0], [0], [0], [0]])
    slope, intercept = rescale.fit(BINARY, np.full((4, 1), 5.0), y, ones(y))
    self.assertEqual(slope, [1])
    # Smoothed: one of 3 of the class of one, one of 5 of that of three.
    self.assertAlmostEqual(
      links.scores_from_logits(BINARY, 5 + intercept[None])[0, 0],
      (2 / 3 + 3 / 5) / 4,
      places=5,
    )


class RulesTest(parameterized.TestCase):
  def halves(self, kind, n=4000, absent=0.0):
    """Two models, each of one half of the logit: their mean is too flat."""
    task = predicted.TASKS[kind]
    rng = np.random.default_rng(3)
    logits = {m: 2 * rng.normal(size=(n, task.num_outputs)) for m in 'ab'}
    truth = logits['a'] + logits['b']
    if kind == types.SURVIVAL:
      time = rng.exponential(size=truth.shape) * np.exp(-truth)
      labels = np.concatenate([time, rng.random(time.shape) < 0.8], axis=1)
    elif kind == types.MULTICLASS:
      labels = (truth + rng.gumbel(size=truth.shape)).argmax(1)[:, None]
    else:
      labels = truth - 1 + rng.logistic(size=truth.shape) > 0
    present = {m: rng.random(n) >= absent for m in logits}
    return logits, present, labels.astype(np.float64)

  def both(self, rule, kind, **changes):
    """Test labels and logits by the rule and by its recalibrated form."""
    logits, present, labels = self.halves(kind, **changes)
    half = len(labels) // 2
    valid, test = (
      (
        {m: x[rows] for m, x in logits.items()},
        {m: x[rows] for m, x in present.items()},
        labels[rows],
      )
      for rows in (slice(0, half), slice(half, None))
    )
    rules = [
      predicted.fit(name, kind, *valid)
      for name in (rule, late.recalibrated(rule))
    ]
    return valid, test, rules, [r.apply(*test[:2]) for r in rules]

  @parameterized.product(rule=('mean', 'weighted'))
  def test_a_flat_mean_gets_its_slope_and_prevalence_back(self, rule):
    _, test, rules, (plain, mended) = self.both(rule, types.BINARY)
    y = test[2][:, 0] > 0
    slopes = [
      calibration.slope(y, links.scores_from_logits(BINARY, z)[:, 0])(
        np.ones((len(y), 1))
      )[0]
      for z in (plain, mended)
    ]
    self.assertGreater(slopes[0], 1.6)
    self.assertBetween(slopes[1], 0.9, 1.1)
    brier = [
      np.mean((links.scores_from_logits(BINARY, z)[:, 0] - y) ** 2)
      for z in (plain, mended)
    ]
    self.assertLess(brier[1], brier[0] - 0.01)
    np.testing.assert_allclose(
      links.scores_from_logits(BINARY, mended).mean(), y.mean(), atol=0.02
    )
    self.assertEqual(
      {k: v for k, v in rules[1].state.items() if k in rules[0].state},
      dict(rules[0].state),
    )

  @parameterized.product(
    rule=('mean', 'weighted'),
    kind=(types.BINARY, types.MULTILABEL, types.SURVIVAL),
  )
  def test_order_of_studies_stays(self, rule, kind):
    _, test, _, (plain, mended) = self.both(rule, kind, absent=0.3)
    here = np.any(list(test[1].values()), axis=0)
    for k in range(plain.shape[1]):
      np.testing.assert_array_equal(
        np.argsort(plain[here, k], kind='stable'),
        np.argsort(mended[here, k], kind='stable'),
      )
      if kind != types.SURVIVAL:
        self.assertEqual(
          *(
            metrics.roc_auc_score(test[2][here, k], z[here, k])
            for z in (plain, mended)
          )
        )
      self.assertGreater(np.abs(plain - mended)[here, k].max(), 0.1)

  def test_order_stays_if_validation_says_that_more_is_less(self):
    logits, present, labels = self.halves(types.BINARY)
    fitted = predicted.fit(
      'mean(recalibrated=true)', types.BINARY, logits, present, 1 - labels
    )
    fused = fitted.apply(logits, present)[:, 0]
    plain = (logits['a'] + logits['b'])[:, 0]
    np.testing.assert_array_equal(np.argsort(fused), np.argsort(plain))

  def test_order_of_classes_stays(self):
    _, test, _, (plain, mended) = self.both('mean', types.MULTICLASS)
    np.testing.assert_array_equal(plain.argsort(axis=1), mended.argsort(axis=1))
    losses = [
      links.mean_loss(predicted.TASKS[types.MULTICLASS], z, test[2])
      for z in (plain, mended)
    ]
    self.assertLess(losses[1], losses[0] - 0.01)

  @parameterized.parameters(
    (types.BINARY, recalibration.PLATT),
    (types.MULTILABEL, recalibration.PLATT),
    (types.MULTICLASS, recalibration.TEMPERATURE),
  )
  def test_is_what_the_report_shows_of_the_plain_rule(self, kind, method):
    task = predicted.TASKS[kind]
    valid, _, rules, (plain, mended) = self.both('mean', kind)
    of_valid = links.scores_from_logits(task, rules[0].apply(*valid[:2]))
    shown = recalibration.fit(method, task, valid[2], of_valid)
    np.testing.assert_allclose(
      links.scores_from_logits(task, mended),
      shown(links.scores_from_logits(task, plain)),
      atol=1e-5,
    )

  def test_survival_hazards_get_a_unit(self):
    _, _, rules, (plain, mended) = self.both('mean', types.SURVIVAL)
    # Of a sum of two with SD 2 each, the mean of both standardised.
    (slope,) = rules[1].state['slope']
    self.assertAlmostEqual(slope, 4, delta=0.3)
    self.assertEqual(rules[1].state['intercept'], [0])
    np.testing.assert_allclose(mended, slope * plain)

  def test_not_for_regression(self):
    with self.assertRaisesRegex(errors.UserError, 'does not support regr'):
      predicted.fit(
        'mean(recalibrated=true)',
        types.REGRESSION,
        *predicted.example(types.REGRESSION),
      )


if __name__ == '__main__':
  absltest.main()
