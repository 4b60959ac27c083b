import lifelines.utils
import numpy as np
from absl.testing import absltest, parameterized
from sklearn import linear_model
from sklearn import metrics as sk
from sksurv import metrics as sksurv
from sksurv import util

from fusion_jax.core import errors, types
from fusion_jax.evaluation import folds, metrics, reliability

BINARY = types.Task(types.BINARY, ('y',))
SURVIVAL = types.Task(types.SURVIVAL, ('time', 'event'))
REGRESSION = types.Task(types.REGRESSION, ('y',))
MULTICLASS = types.Task(types.MULTICLASS, ('a', 'b', 'c'))
MULTILABEL = types.Task(types.MULTILABEL, ('u', 'v'))


def _estimates(task, labels, scores, weight=None):
  found = metrics.evaluate(task, labels, scores, weight)
  return {name: value.estimate for name, value in found.items()}


def _points(task, values):
  """The same thresholds for all labels."""
  return folds.OperatingPoints(
    {rule: np.full(task.num_outputs, t) for rule, t in values.items()},
    {rule: ('',) * task.num_outputs for rule in values},
  )


POINTS = {'youden': 0.4, 'specificity_90': 0.7, 'sensitivity_90': 0.2}


def _binary(seed, *, n=80, ties=False):
  rng = np.random.default_rng(seed)
  y = (rng.random(n) < 0.4).astype(float)
  p = 1 / (1 + np.exp(-(y + rng.normal(size=n))))
  if ties:
    p = np.round(p, 1)
  return y, p, rng.exponential(size=n)


class BinaryTest(parameterized.TestCase):
  @parameterized.product(ties=[False, True], weighted=[False, True])
  def test_equals_scikit_learn(self, ties, weighted):
    for seed in range(5):
      y, p, w = _binary(seed, ties=ties)
      w = w if weighted else None
      found = _estimates(BINARY, y[:, None], p[:, None], w)
      kwargs = {'sample_weight': w}
      expected = {
        'auroc': sk.roc_auc_score(y, p, **kwargs),
        'auprc': sk.average_precision_score(y, p, **kwargs),
        'brier': sk.brier_score_loss(y, p, **kwargs),
        'accuracy': sk.accuracy_score(y, p >= 0.5, **kwargs),
        'sensitivity': sk.recall_score(y, p >= 0.5, **kwargs),
        'specificity': sk.recall_score(y, p >= 0.5, pos_label=0, **kwargs),
      }
      for name, value in expected.items():
        self.assertAlmostEqual(found[name], value, places=12, msg=name)
      self.assertAlmostEqual(
        found['ece'],
        reliability.ece(y > 0, p)(
          (np.ones(len(y)) if w is None else w)[:, None]
        )[0],
      )
      clipped = np.clip(p, 1e-15, 1 - 1e-15)
      self.assertAlmostEqual(
        found['log_loss'], sk.log_loss(y, clipped, **kwargs), places=9
      )

  @parameterized.parameters(False, True)
  def test_calls_at_given_thresholds_equal_scikit_learn(self, ties):
    y, p, w = _binary(3, ties=ties)
    points = _points(BINARY, POINTS)
    found = metrics.evaluate(BINARY, y[:, None], p[:, None], w, points=points)
    called = p >= 0.4
    kwargs = {'sample_weight': w}
    expected = {
      'accuracy': sk.accuracy_score(y, called, **kwargs),
      'balanced_accuracy': sk.balanced_accuracy_score(y, called, **kwargs),
      'sensitivity': sk.recall_score(y, called, **kwargs),
      'specificity': sk.recall_score(y, called, pos_label=0, **kwargs),
      'ppv': sk.precision_score(y, called, **kwargs),
      'npv': sk.precision_score(y, called, pos_label=0, **kwargs),
      'f1': sk.f1_score(y, called, **kwargs),
      'sensitivity_at_specificity_90': sk.recall_score(y, p >= 0.7, **kwargs),
      'specificity_at_sensitivity_90': sk.recall_score(
        y, p >= 0.2, pos_label=0, **kwargs
      ),
    }
    for name, value in expected.items():
      self.assertAlmostEqual(found[name].estimate, value, places=12, msg=name)
      self.assertEqual(found[name].reason, '')

  def test_without_points_calls_are_at_one_half_and_say_so(self):
    y, p, _ = _binary(0)
    found = metrics.evaluate(BINARY, y[:, None], p[:, None])
    self.assertIn('at probability 0.5', found['f1'].reason)
    fixed = found['sensitivity_at_specificity_90']
    self.assertTrue(np.isnan(fixed.estimate))
    self.assertIn('no threshold', fixed.reason)
    self.assertEqual(found['auroc'].reason, '')

  def test_calibration_equals_logistic_regression(self):
    y, p, w = _binary(0, n=400)
    x = np.log(p / (1 - p))[:, None]
    model = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(x, y, sample_weight=w)
    found = _estimates(BINARY, y[:, None], p[:, None], w)
    self.assertAlmostEqual(
      found['calibration_slope'], model.coef_[0, 0], places=5
    )
    shifted = 1 / (1 + np.exp(-(x[:, 0] + found['calibration_intercept'])))
    self.assertAlmostEqual(w @ shifted, w @ y, places=8)

  def test_perfectly_calibrated_logits_have_slope_one(self):
    p = np.repeat([0.2, 0.6], 10)
    y = np.array([1] * 2 + [0] * 8 + [1] * 6 + [0] * 4, float)
    found = _estimates(BINARY, y[:, None], p[:, None])
    self.assertAlmostEqual(found['calibration_slope'], 1)
    self.assertAlmostEqual(found['calibration_intercept'], 0)

  @parameterized.parameters(
    (0.0, 'none of 4 studies is positive'), (1.0, 'all 4 studies are positive')
  )
  def test_one_class_is_nan_with_a_reason(self, label, reason):
    scores = np.array([[0.1], [0.2], [0.3], [0.4]])
    found = metrics.evaluate(BINARY, np.full((4, 1), label), scores)
    self.assertTrue(np.isnan(found['auroc'].estimate))
    self.assertEqual(found['auroc'].reason, reason)
    self.assertTrue(np.isnan(found['calibration_slope'].estimate))
    self.assertEqual(found['calibration_slope'].reason, reason)
    self.assertFalse(np.isnan(found['brier'].estimate))
    absent = 'sensitivity' if label == 0 else 'specificity'
    self.assertTrue(np.isnan(found[absent].estimate))
    self.assertEqual(found[absent].reason, reason)

  def test_constant_and_separating_scores_have_no_slope(self):
    y = np.array([[0.0], [0.0], [1.0], [1.0]])
    constant = metrics.evaluate(BINARY, y, np.full((4, 1), 0.3))
    self.assertEqual(constant['auroc'].estimate, 0.5)
    slope = constant['calibration_slope']
    self.assertTrue(np.isnan(slope.estimate))
    self.assertEqual(slope.reason, 'the scores do not vary')
    self.assertFalse(np.isnan(constant['calibration_intercept'].estimate))
    perfect = metrics.evaluate(
      BINARY, y, np.array([[0.1], [0.2], [0.6], [0.7]])
    )
    self.assertEqual(perfect['auroc'].estimate, 1.0)
    self.assertIn('separate', perfect['calibration_slope'].reason)

  def test_unknown_labels_and_weightless_studies_count_for_nothing(self):
    y, p, w = _binary(1)
    extra = np.concatenate([y, [np.nan, 1.0]])
    scores = np.concatenate([p, [0.9, 0.01]])
    weight = np.concatenate([w, [1.0, 0.0]])
    here = _estimates(BINARY, y[:, None], p[:, None], w)
    there = _estimates(BINARY, extra[:, None], scores[:, None], weight)
    for name, value in here.items():
      np.testing.assert_allclose(there[name], value, rtol=1e-9, err_msg=name)

  def test_no_known_label(self):
    found = metrics.evaluate(BINARY, np.full((3, 1), np.nan), np.ones((3, 1)))
    for value in found.values():
      self.assertTrue(np.isnan(value.estimate))
      self.assertEqual(value.reason, 'no study with a known label')

  def test_unknown_metric_is_a_user_error(self):
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'auroc'"):
      metrics.evaluate(
        BINARY, np.ones((2, 1)), np.ones((2, 1)), None, ['auroq']
      )


class MulticlassTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.labels = rng.integers(0, 3, 90).astype(float)[:, None]
    logits = rng.normal(size=(90, 3)) + np.eye(3)[self.labels[:, 0].astype(int)]
    self.scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    self.weight = rng.exponential(size=90)

  def test_equals_scikit_learn(self):
    y = self.labels[:, 0].astype(int)
    w = self.weight
    found = _estimates(MULTICLASS, self.labels, self.scores, w)
    for i, name in enumerate(MULTICLASS.names):
      area = sk.roc_auc_score(y == i, self.scores[:, i], sample_weight=w)
      self.assertAlmostEqual(found[f'auroc/{name}'], area, places=12)
    macro = sk.roc_auc_score(
      y, self.scores, multi_class='ovr', average='macro', sample_weight=w
    )
    self.assertAlmostEqual(found['auroc_macro'], macro, places=12)
    self.assertAlmostEqual(
      found['log_loss'], sk.log_loss(y, self.scores, sample_weight=w), places=9
    )
    self.assertAlmostEqual(
      found['accuracy'],
      sk.accuracy_score(y, self.scores.argmax(axis=1), sample_weight=w),
    )
    self.assertAlmostEqual(
      found['brier'],
      sk.brier_score_loss(y, self.scores, sample_weight=w, labels=[0, 1, 2]),
    )

  def test_more_of_it_equals_scikit_learn(self):
    y, w = self.labels[:, 0].astype(int), self.weight
    found = _estimates(MULTICLASS, self.labels, self.scores, w)
    hot = np.eye(3)[y]
    called = self.scores.argmax(axis=1)
    kwargs = {'sample_weight': w}
    expected = {
      'auroc_micro': sk.roc_auc_score(
        y, self.scores, multi_class='ovr', average='micro', **kwargs
      ),
      'auprc_macro': sk.average_precision_score(hot, self.scores, **kwargs),
      'balanced_accuracy': sk.balanced_accuracy_score(y, called, **kwargs),
      'f1_macro': sk.f1_score(y, called, average='macro', **kwargs),
    }
    one = sk.f1_score(y, called, average=None, **kwargs)
    expected |= {f'f1/{k}': one[i] for i, k in enumerate(MULTICLASS.names)}
    for name, value in expected.items():
      self.assertAlmostEqual(found[name], value, places=12, msg=name)

  def test_absent_class_is_left_out_of_the_macro_mean_and_said(self):
    kept = self.labels[:, 0] != 2
    found = metrics.evaluate(MULTICLASS, self.labels[kept], self.scores[kept])
    self.assertTrue(np.isnan(found['auroc/c'].estimate))
    self.assertAlmostEqual(
      found['auroc_macro'].estimate,
      (found['auroc/a'].estimate + found['auroc/b'].estimate) / 2,
    )
    self.assertIn('defined for 2 of 3', found['auroc_macro'].reason)


class MultilabelTest(absltest.TestCase):
  def test_unknown_entries_are_masked_per_label(self):
    rng = np.random.default_rng(0)
    labels = (rng.random((100, 2)) < 0.5).astype(float)
    scores = rng.random((100, 2))
    known = rng.random((100, 2)) < 0.7
    masked = np.where(known, labels, np.nan)
    found = _estimates(MULTILABEL, masked, scores)
    areas = []
    for i, name in enumerate(MULTILABEL.names):
      rows = known[:, i]
      areas.append(sk.roc_auc_score(labels[rows, i], scores[rows, i]))
      self.assertAlmostEqual(found[f'auroc/{name}'], areas[-1], places=12)
    self.assertAlmostEqual(found['auroc_macro'], np.mean(areas), places=12)
    brier = ((scores - labels) ** 2)[known].mean()
    self.assertAlmostEqual(found['brier'], brier, places=12)

  def test_calls_and_micro_equal_scikit_learn(self):
    rng = np.random.default_rng(1)
    labels = (rng.random((100, 2)) < 0.4).astype(float)
    scores = np.round(rng.random((100, 2)), 1)
    w = rng.exponential(size=100)
    found = metrics.evaluate(
      MULTILABEL, labels, scores, w, points=_points(MULTILABEL, POINTS)
    )
    called = scores >= 0.4
    kwargs = {'sample_weight': w}
    expected = {
      'auroc_micro': sk.roc_auc_score(
        labels, scores, average='micro', **kwargs
      ),
      'auprc_micro': sk.average_precision_score(
        labels, scores, average='micro', **kwargs
      ),
      'auprc_macro': sk.average_precision_score(labels, scores, **kwargs),
      'accuracy': np.average((called == labels).mean(axis=1), weights=w),
      'f1_macro': sk.f1_score(labels, called, average='macro', **kwargs),
      'f1_micro': sk.f1_score(labels, called, average='micro', **kwargs),
      'sensitivity_macro': sk.recall_score(
        labels, called, average='macro', **kwargs
      ),
      'specificity_macro': sk.recall_score(
        1 - labels, ~called, average='macro', **kwargs
      ),
      'f1/v': sk.f1_score(labels[:, 1], called[:, 1], **kwargs),
    }
    for name, value in expected.items():
      self.assertAlmostEqual(found[name].estimate, value, places=12, msg=name)
      self.assertEqual(found[name].reason, '')


class RegressionTest(absltest.TestCase):
  def test_equals_scikit_learn(self):
    rng = np.random.default_rng(0)
    y = 1e4 + rng.normal(size=60)
    s = y + rng.normal(size=60)
    w = rng.exponential(size=60)
    found = _estimates(REGRESSION, y[:, None], s[:, None], w)
    kwargs = {'sample_weight': w}
    self.assertAlmostEqual(found['r2'], sk.r2_score(y, s, **kwargs), places=7)
    self.assertAlmostEqual(found['mae'], sk.mean_absolute_error(y, s, **kwargs))
    self.assertAlmostEqual(
      found['rmse'], sk.root_mean_squared_error(y, s, **kwargs)
    )

  def test_constant_labels_have_no_r2(self):
    found = metrics.evaluate(REGRESSION, np.full((3, 1), 7.1), np.ones((3, 1)))
    self.assertTrue(np.isnan(found['r2'].estimate))
    self.assertEqual(found['r2'].reason, 'the labels do not vary')
    self.assertAlmostEqual(found['rmse'].estimate, 6.1)


class SurvivalTest(parameterized.TestCase):
  @parameterized.product(n=[7, 60, 700], ties=[False, True])
  def test_equals_lifelines_and_scikit_survival(self, n, ties):
    rng = np.random.default_rng(n)
    risk = rng.normal(size=n)
    time = rng.exponential(size=n) * np.exp(-risk)
    event = rng.random(n) < 0.6
    if ties:
      time, risk = np.ceil(5 * time), np.round(risk, 1)
    labels = np.stack([time, event], axis=1)
    found = _estimates(SURVIVAL, labels, risk[:, None])['c_index']
    self.assertAlmostEqual(
      found, sksurv.concordance_index_censored(event, time, risk)[0], places=12
    )
    self.assertAlmostEqual(
      found, lifelines.utils.concordance_index(time, -risk, event), places=12
    )

  def test_uno_and_horizons(self):
    rng = np.random.default_rng(0)
    risk = rng.normal(size=200)
    time = rng.exponential(size=200) * np.exp(-risk)
    event = rng.random(200) < 0.7
    alive = np.exp(-np.exp(risk)[:, None] * np.array([0.5, 1.0]))
    labels = np.stack([time, event], axis=1).astype(float)
    labels[0] = np.nan
    names = ('0.5', '1')
    found = metrics.evaluate(
      SURVIVAL, labels, risk[:, None], survival_at=alive, horizons=names
    )
    self.assertEqual(tuple(found), metrics.names(SURVIVAL, names))
    y = util.Surv.from_arrays(event[1:], time[1:])
    tau = np.sort(time[1:])[-20]
    expected = sksurv.concordance_index_ipcw(y, y, risk[1:], tau)[0]
    self.assertAlmostEqual(found['c_index_uno'].estimate, expected, places=9)
    areas, _ = sksurv.cumulative_dynamic_auc(y, y, risk[1:], [0.5, 1])
    _, briers = sksurv.brier_score(y, y, alive[1:], [0.5, 1])
    for i, t in enumerate(names):
      self.assertAlmostEqual(found[f'auroc@{t}'].estimate, areas[i], places=9)
      self.assertAlmostEqual(found[f'brier@{t}'].estimate, briers[i], places=9)
    self.assertAlmostEqual(
      found['integrated_brier'].estimate,
      sksurv.integrated_brier_score(y, y, alive[1:], [0.5, 1]),
      places=9,
    )
    self.assertTrue(all(not v.reason for v in found.values()))

  def test_no_survival_and_nobody_followed(self):
    labels = np.array([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]])
    risk = np.array([[0.3], [0.2], [0.1]])
    for at in (None, np.full((3, 2), np.nan)):
      found = metrics.evaluate(
        SURVIVAL, labels, risk, survival_at=at, horizons=('1', '3')
      )
      for name in ('brier@1', 'integrated_brier'):
        self.assertTrue(np.isnan(found[name].estimate))
        self.assertEqual(found[name].reason, 'no survival was predicted')
      self.assertEqual(found['auroc@1'].estimate, 1)
      self.assertIn('followed beyond 3', found['auroc@3'].reason)
    found = metrics.evaluate(
      SURVIVAL,
      labels,
      risk,
      survival_at=np.full((3, 2), 0.5),
      horizons=('0.5', '3'),
    )
    self.assertIn('no study has the event', found['auroc@0.5'].reason)
    self.assertIn('followed beyond 3', found['brier@3'].reason)
    self.assertIn('followed beyond 3', found['integrated_brier'].reason)

  def test_no_comparable_pair(self):
    labels = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 1.0]])
    found = metrics.evaluate(SURVIVAL, labels, np.ones((3, 1)))['c_index']
    self.assertTrue(np.isnan(found.estimate))
    self.assertEqual(found.reason, 'no comparable pair of studies')


class WeightsTest(parameterized.TestCase):
  """A whole-number weight is the same as repeating the study."""

  @parameterized.parameters(
    (BINARY,), (MULTICLASS,), (MULTILABEL,), (REGRESSION,), (SURVIVAL,)
  )
  def test_replicates_equal_repeated_rows(self, task):
    rng = np.random.default_rng(1)
    n, r = 400, 6
    shape = (n, task.num_outputs)
    scores = np.round(rng.random(shape), 2)
    if task.kind == types.MULTICLASS:
      scores = rng.dirichlet(np.ones(3), size=n)
      labels = rng.integers(0, 3, (n, 1)).astype(float)
    elif task.kind == types.SURVIVAL:
      labels = np.stack(
        [rng.integers(1, 90, n), rng.random(n) < 0.7], axis=1
      ).astype(float)
    elif task.kind == types.REGRESSION:
      labels = rng.normal(size=(n, 1))
    else:
      labels = (rng.random((n, task.num_labels)) < scores).astype(float)
    counts = rng.poisson(1, size=(n, r))
    more, alive = {}, None
    if task.kind in (types.BINARY, types.MULTILABEL):
      more['points'] = _points(task, POINTS)
    if task.kind == types.SURVIVAL:
      more['horizons'] = ('20', '40')
      alive = rng.random((n, 2))
    wanted = [
      name
      for name in metrics.names(task, more.get('horizons', ()))
      if not name.startswith('calibration')
    ]
    kernel = metrics.prepare(
      task, labels, scores, wanted, survival_at=alive, **more
    )
    found = kernel(counts.astype(float))
    for i in range(r):
      rows = np.repeat(np.arange(n), counts[:, i])
      at = None if alive is None else alive[rows]
      expected = metrics.evaluate(
        task, labels[rows], scores[rows], survival_at=at, **more
      )
      for name, value in zip(wanted, found[:, i], strict=True):
        np.testing.assert_allclose(
          value, expected[name].estimate, rtol=1e-9, err_msg=name
        )


class DirectionTest(absltest.TestCase):
  def test_losses_are_better_when_lower(self):
    self.assertTrue(metrics.higher_is_better('auroc/x'))
    self.assertTrue(metrics.higher_is_better('c_index'))
    self.assertFalse(metrics.higher_is_better('brier'))
    self.assertFalse(metrics.higher_is_better('rmse'))
    self.assertFalse(metrics.higher_is_better('brier@365'))
    self.assertTrue(metrics.higher_is_better('auroc@365'))

  def test_primary_metric_comes_first_and_is_comparable(self):
    for task in (BINARY, MULTICLASS, MULTILABEL, REGRESSION, SURVIVAL):
      self.assertEqual(metrics.names(task)[0], metrics.PRIMARY[task.kind])
      self.assertIn(metrics.PRIMARY[task.kind], metrics.comparable(task))
    for name in ('calibration_slope', 'ppv', 'npv', 'ece'):
      self.assertNotIn(name, metrics.comparable(BINARY))

  def test_scores_never_decide_whether_a_comparable_metric_is_defined(self):
    rng = np.random.default_rng(0)
    y, w = rng.random((12, 1)) < 0.3, rng.poisson(0.5, size=(12, 200)) * 1.0
    points = _points(BINARY, POINTS)
    wanted = metrics.comparable(BINARY)
    found = [
      np.isnan(
        metrics.prepare(BINARY, y.astype(float), s, wanted, points=points)(w)
      )
      for s in (rng.random((12, 1)), np.full((12, 1), 0.1), np.ones((12, 1)))
    ]
    self.assertTrue(found[0].any())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


if __name__ == '__main__':
  absltest.main()
