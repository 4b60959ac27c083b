import lifelines.utils
import numpy as np
from absl.testing import absltest, parameterized
from sklearn import linear_model
from sklearn import metrics as sk
from sksurv import metrics as sksurv

from fusion_jax.core import errors, types
from fusion_jax.evaluation import metrics

BINARY = types.Task(types.BINARY, ('y',))
SURVIVAL = types.Task(types.SURVIVAL, ('time', 'event'))
REGRESSION = types.Task(types.REGRESSION, ('y',))
MULTICLASS = types.Task(types.MULTICLASS, ('a', 'b', 'c'))
MULTILABEL = types.Task(types.MULTILABEL, ('u', 'v'))


def _estimates(task, labels, scores, weight=None):
  found = metrics.evaluate(task, labels, scores, weight)
  return {name: value.estimate for name, value in found.items()}


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
      clipped = np.clip(p, 1e-15, 1 - 1e-15)
      self.assertAlmostEqual(
        found['log_loss'], sk.log_loss(y, clipped, **kwargs), places=9
      )

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
      self.assertAlmostEqual(there[name], value, places=9, msg=name)

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
    wanted = metrics.comparable(task)
    kernel = metrics.prepare(task, labels, scores, wanted)
    found = kernel(counts.astype(float))
    for i in range(r):
      rows = np.repeat(np.arange(n), counts[:, i])
      expected = _estimates(task, labels[rows], scores[rows])
      for name, value in zip(wanted, found[:, i], strict=True):
        self.assertAlmostEqual(value, expected[name], places=10, msg=name)


class DirectionTest(absltest.TestCase):
  def test_losses_are_better_when_lower(self):
    self.assertTrue(metrics.higher_is_better('auroc/x'))
    self.assertTrue(metrics.higher_is_better('c_index'))
    self.assertFalse(metrics.higher_is_better('brier'))
    self.assertFalse(metrics.higher_is_better('rmse'))

  def test_primary_metric_comes_first_and_is_comparable(self):
    for task in (BINARY, MULTICLASS, MULTILABEL, REGRESSION, SURVIVAL):
      self.assertEqual(metrics.names(task)[0], metrics.PRIMARY[task.kind])
      self.assertIn(metrics.PRIMARY[task.kind], metrics.comparable(task))
    self.assertNotIn('calibration_slope', metrics.comparable(BINARY))


if __name__ == '__main__':
  absltest.main()
