"""Tests of the rule 'stack'."""

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import linear_model, metrics

from fusion_jax.core import links, types
from fusion_jax.fusion.rules import stack
from tests.fusion.rules import predicted

everyone = predicted.everyone
example = predicted.example
fit = predicted.fit


class StackTest(parameterized.TestCase):
  @parameterized.parameters(types.BINARY, types.MULTICLASS)
  def test_equals_scikit_learns_logistic_regression(self, kind):
    logits, present, labels = example(kind)
    fitted = fit('stack', kind, logits, present, labels)
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
      C=1 / stack.PENALTY, tol=1e-10, max_iter=10000
    ).fit(x[rows], labels[rows, 0])
    expected = reference.predict_proba(x[here.any(axis=1)])
    if kind == types.BINARY:
      expected = expected[:, 1:]
    fused = links.scores_from_logits(
      predicted.TASKS[kind], fitted.apply(logits, present)
    )
    np.testing.assert_allclose(fused[here.any(axis=1)], expected, atol=1e-4)

  def test_regression_recovers_a_linear_combination(self):
    logits, _, _ = example(types.REGRESSION, absent=0)
    labels = 1e4 * (3 * logits['image'] - logits['ehr'] - 9)
    fitted = fit('stack', types.REGRESSION, logits, everyone(logits), labels)
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
    fitted = fit('stack', types.SURVIVAL, logits, everyone(logits), labels)
    x = np.concatenate(
      [
        v / s
        for v, s in zip(logits.values(), fitted.state['scale'], strict=True)
      ],
      axis=1,
    )
    # Its likelihood is summed, ours is per event; its penalty is alpha / 2.
    reference = survival.CoxPHSurvivalAnalysis(
      alpha=stack.PENALTY * labels[:, 1].sum() / len(x), tol=1e-12
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
        fitted = fit('stack', kind, noise, present, labels[few], fold=fold)
        self.assertIn(fitted.state['penalty'], stack.PENALTIES)
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
      'stack',
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
    fitted = fit('stack', types.BINARY, logits, present, labels)
    image, ehr = np.array(fitted.state['coefficients'])[:2, 0]
    self.assertGreater(image, 0)
    self.assertLess(ehr, 0)

  def test_a_class_without_validation_studies_keeps_its_constant(self):
    logits, present, labels = example(types.MULTICLASS)
    labels[labels == 2] = 1
    fitted = fit('stack', types.MULTICLASS, logits, present, labels)
    self.assertFalse(np.array(fitted.state['coefficients'])[:, 2].any())
    p = links.scores_from_logits(
      predicted.TASKS[types.MULTICLASS], fitted.apply(logits, present)
    )
    self.assertLess(p[:, 2].max(), 0.1)


if __name__ == '__main__':
  absltest.main()
