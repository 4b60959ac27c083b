import json
import warnings

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import linear_model, metrics

from fusion_jax.core import errors, links, types
from fusion_jax.fusion import late

TASKS = {
  types.BINARY: types.Task(types.BINARY, ('y',)),
  types.MULTICLASS: types.Task(types.MULTICLASS, ('a', 'b', 'c')),
  types.MULTILABEL: types.Task(types.MULTILABEL, ('a', 'b')),
  types.REGRESSION: types.Task(types.REGRESSION, ('y',)),
  types.SURVIVAL: types.Task(types.SURVIVAL, ('t', 'e')),
}
PAIRS = tuple((rule, kind) for rule in late.RULES for kind in late.TASKS[rule])
BINARY = TASKS[types.BINARY]


def example(kind, n=120, seed=0, absent=0.2):
  """Logits of two modalities, presence, labels; some absent, some unknown."""
  rng = np.random.default_rng(seed)
  task = TASKS[kind]
  s = task.num_outputs
  truth = rng.normal(size=(n, s))
  logits = {
    'image': truth + rng.normal(size=(n, s)),
    'ehr': 0.6 * (truth + 1.2 * rng.normal(size=(n, s))) + 0.2,
  }
  present = {name: rng.random(n) >= absent for name in logits}
  if kind == types.MULTICLASS:
    labels = (2 * truth + rng.gumbel(size=(n, s))).argmax(axis=1)[:, None]
  elif kind == types.REGRESSION:
    labels = 10 + 3 * truth + rng.normal(size=(n, 1))
    logits = {name: 10 + 2 * value for name, value in logits.items()}
  elif kind == types.SURVIVAL:
    time = rng.exponential(size=n) * np.exp(-truth[:, 0])
    labels = np.stack([time, rng.random(n) < 0.7], axis=1)
  else:
    labels = 2 * truth + rng.logistic(size=(n, s)) > 0
  labels = labels.astype(np.float64)
  labels[rng.random(labels.shape) < 0.1] = np.nan
  return logits, present, labels


def fit(rule, kind, logits, present, labels, weight=None, fold=None):
  return late.fit_late(
    rule,
    task=TASKS[kind],
    valid_logits=logits,
    valid_present=present,
    valid_labels=labels,
    valid_weight=weight,
    valid_fold=fold,
  )


def everyone(logits):
  return {name: np.ones(len(x), bool) for name, x in logits.items()}


class AllRulesTest(parameterized.TestCase):
  @parameterized.parameters(*PAIRS)
  def test_garbage_of_an_absent_modality_changes_nothing(self, rule, kind):
    logits, present, labels = example(kind)
    clean = fit(rule, kind, logits, present, labels)
    dirty = {}
    for name, value in logits.items():
      dirty[name] = np.where(present[name][:, None], value, np.nan)
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      other = fit(rule, kind, dirty, present, labels)
      self.assertEqual(other.to_json(), clean.to_json())
      fused = other.apply(dirty, present)
    np.testing.assert_array_equal(fused, clean.apply(logits, present))
    self.assertTrue(np.isfinite(fused).all())

  @parameterized.parameters(*PAIRS)
  def test_a_study_with_nothing_gets_the_constant(self, rule, kind):
    logits, present, labels = example(kind)
    fitted = fit(rule, kind, logits, present, labels)
    nobody = {name: np.zeros(120, bool) for name in logits}
    constant = links.constant_logits(TASKS[kind], labels)
    np.testing.assert_allclose(
      fitted.apply(logits, nobody), np.tile(constant, (120, 1))
    )

  @parameterized.parameters(*PAIRS)
  def test_through_json(self, rule, kind):
    logits, present, labels = example(kind)
    fitted = fit(rule, kind, logits, present, labels)
    text = json.dumps(fitted.to_json(), allow_nan=False)
    again = late.LateRule.from_json(json.loads(text))
    self.assertEqual(again, fitted)
    np.testing.assert_array_equal(
      again.apply(logits, present), fitted.apply(logits, present)
    )

  @parameterized.parameters(*PAIRS)
  def test_each_study_alone_and_in_any_order(self, rule, kind):
    logits, present, labels = example(kind)
    fitted = fit(rule, kind, logits, present, labels)
    fused = fitted.apply(logits, present)
    some = np.array([5, 3, 90])
    np.testing.assert_allclose(
      fitted.apply(
        {k: v[some] for k, v in logits.items()},
        {k: v[some] for k, v in present.items()},
      ),
      fused[some],
      rtol=1e-12,
    )

  @parameterized.parameters(*PAIRS)
  def test_order_and_scale_of_weights_do_not_matter_weights_do(
    self, rule, kind
  ):
    logits, present, labels = example(kind)
    rng = np.random.default_rng(1)
    weight = rng.uniform(0.2, 2, 120) ** 4
    fused = fit(rule, kind, logits, present, labels, weight).apply(
      logits, present
    )
    order = rng.permutation(120)
    moved = fit(
      rule,
      kind,
      {k: v[order] for k, v in logits.items()},
      {k: v[order] for k, v in present.items()},
      labels[order],
      8 * weight[order],
    ).apply(logits, present)
    np.testing.assert_allclose(moved, fused, rtol=1e-4, atol=1e-5)
    one = fit(rule, kind, logits, present, labels).apply(logits, present)
    if (rule, kind) not in (
      # These estimate nothing but the constant.
      (late.MEAN, types.BINARY),
      (late.MEAN, types.MULTICLASS),
      (late.MEAN, types.MULTILABEL),
      (late.MEAN, types.REGRESSION),
      (late.VOTE, types.MULTICLASS),
    ):
      here = present['image'] | present['ehr']
      self.assertGreater(np.abs(one - fused)[here].max(), 1e-4)

  @parameterized.parameters(*PAIRS)
  def test_survives_a_validation_part_that_says_little(self, rule, kind):
    logits, present, labels = example(kind)
    nobody = {**present, 'ehr': np.zeros(120, bool)}
    same = labels * 0 + 1
    for here, y in (
      (nobody, labels),
      (present, labels * np.nan),
      (present, same),
    ):
      with warnings.catch_warnings():
        warnings.simplefilter('error')
        fused = fit(rule, kind, logits, here, y).apply(logits, present)
      self.assertTrue(np.isfinite(fused).all())

  @parameterized.parameters(
    (rule, kind) for rule, kind in PAIRS if rule != late.VOTE
  )
  def test_fusing_beats_the_better_modality(self, rule, kind):
    task = TASKS[kind]
    rng = np.random.default_rng(5)
    logits, present, labels = example(kind, n=2000, absent=0)
    truth = rng.normal(size=logits['image'].shape)
    # Two views of equal worth and unit noise, on the scale of the logit.
    logits = {k: truth + rng.normal(size=truth.shape) for k in logits}
    if kind == types.MULTICLASS:
      labels = (3 * truth + rng.gumbel(size=truth.shape)).argmax(1)[:, None]
    elif kind == types.REGRESSION:
      labels = truth
    elif kind == types.SURVIVAL:
      time = rng.exponential(size=truth.shape) * np.exp(-truth)
      labels = np.concatenate([time, np.ones_like(time)], axis=1)
    else:
      labels = 3 * truth + rng.logistic(size=truth.shape) > 0
    labels = labels.astype(np.float64)
    train, test = slice(0, 1000), slice(1000, 2000)
    fused = fit(
      rule,
      kind,
      {k: v[train] for k, v in logits.items()},
      {k: v[train] for k, v in present.items()},
      labels[train],
    ).apply(
      {k: v[test] for k, v in logits.items()},
      {k: v[test] for k, v in present.items()},
    )
    loss = links.mean_loss(task, fused, labels[test])
    for value in logits.values():
      self.assertLess(loss, links.mean_loss(task, value[test], labels[test]))

  @parameterized.parameters(
    late.MEAN, late.WEIGHTED, late.STACK, *late.RECALIBRATED.values()
  )
  def test_stays_additive_on_exclusive_or(self, rule):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4000, 1))
    labels = (a * b > 0).astype(np.float64)
    logits = {'image': 3 * a, 'ehr': 2 * b}
    fitted = fit(rule, types.BINARY, logits, everyone(logits), labels)
    fused = fitted.apply(logits, everyone(logits))
    self.assertLess(abs(metrics.roc_auc_score(labels, fused) - 0.5), 0.05)
    # Additive: no interaction term in the fused logit.
    corners = {
      'image': np.array([[0.0], [1], [0], [1]]),
      'ehr': np.array([[0.0], [0], [1], [1]]),
    }
    f = fitted.apply(corners, everyone(corners))[:, 0]
    self.assertAlmostEqual(f[3] - f[2] - f[1] + f[0], 0, places=9)


class MeanTest(parameterized.TestCase):
  @parameterized.parameters(
    (types.BINARY, 'logit'),
    (types.MULTILABEL, 'logit'),
    (types.REGRESSION, 'value'),
    (types.MULTICLASS, 'log probability'),
  )
  def test_averages_what_it_says(self, kind, what):
    logits, present, labels = example(kind)
    fused = fit(late.MEAN, kind, logits, present, labels).apply(logits, present)
    values = dict(logits)
    if what == 'log probability':
      values = {
        k: np.log(links.scores_from_logits(TASKS[kind], v))
        for k, v in logits.items()
      }
    both = present['image'] & present['ehr']
    np.testing.assert_allclose(
      fused[both], (values['image'][both] + values['ehr'][both]) / 2
    )
    one = present['image'] & ~present['ehr']
    self.assertTrue(one.any())
    np.testing.assert_allclose(fused[one], values['image'][one])

  def test_log_hazards_are_standardised_on_validation(self):
    logits, present, labels = example(types.SURVIVAL)
    fused = fit(late.MEAN, types.SURVIVAL, logits, present, labels).apply(
      logits, present
    )
    standard = {
      k: (v - v[present[k]].mean()) / v[present[k]].std()
      for k, v in logits.items()
    }
    both = present['image'] & present['ehr']
    np.testing.assert_allclose(
      fused[both], (standard['image'][both] + standard['ehr'][both]) / 2
    )
    # So the unit of one model's log hazard does not matter.
    louder = {**logits, 'ehr': 50 * logits['ehr'] + 7}
    again = fit(late.MEAN, types.SURVIVAL, louder, present, labels)
    np.testing.assert_allclose(again.apply(louder, present), fused)


class WeightedTest(absltest.TestCase):
  def test_weights_are_the_shares_of_skill(self):
    logits, present, labels = example(types.BINARY)
    fitted = fit(late.WEIGHTED, types.BINARY, logits, present, labels)
    skills = []
    for name, value in logits.items():
      rows = present[name] & ~np.isnan(labels[:, 0])
      y = labels[rows, 0]
      rate = (y.sum() + 0.5) / (len(y) + 1)
      loss = metrics.log_loss(y, 1 / (1 + np.exp(-value[rows, 0])))
      base = metrics.log_loss(y, np.full(len(y), rate))
      skills.append(1 - loss / base)
    self.assertGreater(min(skills), 0)
    weights = np.array(skills) / sum(skills)
    np.testing.assert_allclose(fitted.state['weights'], weights)
    both = present['image'] & present['ehr']
    np.testing.assert_allclose(
      fitted.apply(logits, present)[both],
      weights[0] * logits['image'][both] + weights[1] * logits['ehr'][both],
    )
    alone = present['ehr'] & ~present['image']
    np.testing.assert_allclose(
      fitted.apply(logits, present)[alone], logits['ehr'][alone]
    )

  def test_a_modality_without_skill_counts_only_alone(self):
    logits, present, labels = example(types.BINARY)
    logits['ehr'] = -5 * logits['image']
    fitted = fit(late.WEIGHTED, types.BINARY, logits, present, labels)
    self.assertEqual(fitted.state['weights'], [1.0, 0.0])
    fused = fitted.apply(logits, present)
    here = present['image']
    np.testing.assert_allclose(fused[here], logits['image'][here])
    alone = present['ehr'] & ~here
    np.testing.assert_allclose(fused[alone], logits['ehr'][alone])

  def test_equal_weights_without_any_skill(self):
    logits, present, labels = example(types.BINARY)
    logits = {k: -5 * v for k, v in logits.items()}
    fitted = fit(late.WEIGHTED, types.BINARY, logits, present, labels)
    self.assertEqual(fitted.state['weights'], [1.0, 1.0])
    both = present['image'] & present['ehr']
    np.testing.assert_allclose(
      fitted.apply(logits, present)[both],
      (logits['image'] + logits['ehr'])[both] / 2,
    )


class VoteTest(parameterized.TestCase):
  def test_thresholds_maximise_youdens_index(self):
    logits, present, labels = example(types.BINARY)
    fitted = fit(late.VOTE, types.BINARY, logits, present, labels)
    for m, name in enumerate(fitted.modalities):
      rows = present[name] & ~np.isnan(labels[:, 0])
      y, z = labels[rows, 0], logits[name][rows, 0]
      false, true, _ = metrics.roc_curve(y, z, drop_intermediate=False)
      cut = fitted.state['thresholds'][m][0]
      index = (z[y == 1] > cut).mean() - (z[y == 0] > cut).mean()
      self.assertAlmostEqual(index, np.max(true - false), places=12)

  def test_counts_votes_and_never_how_sure_they_were(self):
    logits, present, labels = example(types.BINARY)
    fitted = fit(late.VOTE, types.BINARY, logits, present, labels)
    image, ehr = np.array(fitted.state['thresholds'])[:, 0]
    cases = {
      'image': np.array([[image + 1], [image + 99], [image - 1], [image + 9]]),
      'ehr': np.array([[ehr - 99], [ehr - 1], [ehr - 1], [ehr + 1]]),
    }
    share = links.scores_from_logits(
      BINARY, fitted.apply(cases, everyone(cases))
    )
    np.testing.assert_allclose(share[:, 0], [0.5, 0.5, 0, 1], atol=1e-9)
    alone = {**everyone(cases), 'ehr': np.zeros(4, bool)}
    share = links.scores_from_logits(BINARY, fitted.apply(cases, alone))
    np.testing.assert_allclose(share[:, 0], [1, 1, 0, 1], atol=1e-9)

  def test_a_class_gets_the_share_of_modalities_that_choose_it(self):
    logits, present, labels = example(types.MULTICLASS)
    fitted = fit(late.VOTE, types.MULTICLASS, logits, present, labels)
    cases = {
      'image': np.array([[9.0, 1, 2], [0, 1, 0]]),
      'ehr': np.array([[9.0, 10, 2], [0, 1, 0]]),
    }
    share = links.scores_from_logits(
      TASKS[types.MULTICLASS], fitted.apply(cases, everyone(cases))
    )
    np.testing.assert_allclose(share, [[0.5, 0.5, 0], [0, 1, 0]], atol=1e-9)

  @parameterized.parameters(types.REGRESSION, types.SURVIVAL)
  def test_says_that_it_is_not_for_other_tasks(self, kind):
    self.assertNotIn(kind, late.TASKS[late.VOTE])
    with self.assertRaisesRegex(
      errors.UserError, f"'vote' does not support {kind} tasks.*binary"
    ):
      fit(late.VOTE, kind, *example(kind))


class StackTest(parameterized.TestCase):
  @parameterized.parameters(types.BINARY, types.MULTICLASS)
  def test_equals_scikit_learns_logistic_regression(self, kind):
    logits, present, labels = example(kind)
    fitted = fit(late.STACK, kind, logits, present, labels)
    columns = []
    for value, scale in zip(
      logits.values(), fitted.state['scale'], strict=True
    ):
      if kind == types.MULTICLASS:
        value = value - value.mean(axis=1, keepdims=True)
      columns.append(value / scale)
    here = np.stack(list(present.values()), axis=1)
    x = np.concatenate(
      [np.where(h[:, None], c, 0) for c, h in zip(columns, here.T, strict=True)]
      + [here],
      axis=1,
    )
    rows = here.any(axis=1) & ~np.isnan(labels[:, 0])
    reference = linear_model.LogisticRegression(
      C=1 / late.PENALTY, tol=1e-10, max_iter=10000
    ).fit(x[rows], labels[rows, 0])
    expected = reference.predict_proba(x[here.any(axis=1)])
    if kind == types.BINARY:
      expected = expected[:, 1:]
    fused = links.scores_from_logits(TASKS[kind], fitted.apply(logits, present))
    np.testing.assert_allclose(fused[here.any(axis=1)], expected, atol=1e-4)

  def test_regression_recovers_a_linear_combination(self):
    logits, _, _ = example(types.REGRESSION, absent=0)
    labels = 1e4 * (3 * logits['image'] - logits['ehr'] - 9)
    fitted = fit(late.STACK, types.REGRESSION, logits, everyone(logits), labels)
    fused = fitted.apply(logits, everyone(logits))
    self.assertGreater(metrics.r2_score(labels, fused), 0.999)

  def test_survival_equals_a_ridge_cox_model(self):
    try:
      from sksurv import linear_model as survival
      from sksurv import util
    except ImportError:
      self.skipTest('scikit-survival is not installed')
    logits, _, labels = example(types.SURVIVAL, absent=0)
    keep = ~np.isnan(labels).any(axis=1)
    logits = {k: v[keep] for k, v in logits.items()}
    labels = labels[keep]
    fitted = fit(late.STACK, types.SURVIVAL, logits, everyone(logits), labels)
    x = np.concatenate(
      [
        v / s
        for v, s in zip(logits.values(), fitted.state['scale'], strict=True)
      ],
      axis=1,
    )
    # Its likelihood is summed, ours is per event; its penalty is alpha / 2.
    reference = survival.CoxPHSurvivalAnalysis(
      alpha=late.PENALTY * labels[:, 1].sum() / len(x), tol=1e-12
    ).fit(x, util.Surv.from_arrays(labels[:, 1] > 0, labels[:, 0]))
    np.testing.assert_allclose(
      np.array(fitted.state['coefficients'])[:2, 0],
      reference.coef_,
      rtol=1e-3,
    )
    self.assertAlmostEqual(
      fitted.apply(logits, everyone(logits)).mean(), 0, places=9
    )

  @parameterized.parameters(*types.TASK_KINDS)
  def test_cross_validation_shrinks_noise(self, kind):
    logits, present, labels = example(kind)
    few = np.arange(len(labels)) < 40
    present = {m: x[few] for m, x in present.items()}
    size = {False: 0.0, True: 0.0}
    for seed in range(4):
      rng = np.random.default_rng(seed)
      noise = {m: rng.normal(size=x[few].shape) for m, x in logits.items()}
      for tuned in size:
        fold = np.arange(40) % 5 if tuned else None
        fitted = fit(late.STACK, kind, noise, present, labels[few], fold=fold)
        self.assertIn(fitted.state['penalty'], late.PENALTIES)
        size[tuned] += np.square(fitted.state['coefficients']).sum()
    self.assertLess(size[True], 0.9 * size[False])

  def test_regression_stays_near_where_both_inputs_are(self):
    rng = np.random.default_rng(0)
    truth = 66 + 3 * rng.normal(size=24)
    logits = {
      m: (66 + (truth - 66) / 3 + 0.3 * rng.normal(size=24))[:, None]
      for m in ('image', 'ehr')
    }
    present = everyone(logits)
    present['ehr'] = np.arange(24) > 3
    fitted = fit(
      late.STACK,
      types.REGRESSION,
      logits,
      present,
      truth[:, None] + rng.normal(size=(24, 1)),
      fold=np.arange(24) % 5,
    )
    same = {m: np.full((1, 1), 66.0) for m in logits}
    for here in ({}, {'ehr': np.zeros(1, bool)}):
      value = fitted.apply(same, {**everyone(same), **here})
      self.assertAlmostEqual(float(value[0, 0]), 66.0, delta=1.5)

  def test_unlearns_a_modality_that_points_the_wrong_way(self):
    logits, present, labels = example(types.BINARY)
    logits['ehr'] = -logits['ehr']
    fitted = fit(late.STACK, types.BINARY, logits, present, labels)
    image, ehr = np.array(fitted.state['coefficients'])[:2, 0]
    self.assertGreater(image, 0)
    self.assertLess(ehr, 0)

  def test_a_class_without_validation_studies_keeps_its_constant(self):
    logits, present, labels = example(types.MULTICLASS)
    labels[labels == 2] = 1
    fitted = fit(late.STACK, types.MULTICLASS, logits, present, labels)
    self.assertFalse(np.array(fitted.state['coefficients'])[:, 2].any())
    p = links.scores_from_logits(
      TASKS[types.MULTICLASS], fitted.apply(logits, present)
    )
    self.assertLess(p[:, 2].max(), 0.1)


class ErrorsTest(absltest.TestCase):
  def test_unknown_rule(self):
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'stack'"):
      fit('stak', types.BINARY, *example(types.BINARY))

  def test_missing_modality_and_wrong_width(self):
    logits, present, labels = example(types.BINARY)
    fitted = fit(late.MEAN, types.BINARY, logits, present, labels)
    with self.assertRaisesRegex(errors.UserError, "'ehr'.*among: image"):
      fitted.apply({'image': logits['image']}, present)
    wide = {**logits, 'ehr': np.zeros((120, 2))}
    with self.assertRaisesRegex(errors.UserError, r"'ehr'.*\(120, 2\)"):
      fitted.apply(wide, present)


if __name__ == '__main__':
  absltest.main()
