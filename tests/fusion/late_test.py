"""Tests that every late rule has to pass."""

import json
import warnings

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics

from fusion_jax.core import errors, links, types
from fusion_jax.fusion import late
from tests.fusion.rules import predicted

everyone = predicted.everyone
example = predicted.example
fit = predicted.fit

SPECS = (
  *late.RULES.names(),
  *filter(None, map(late.recalibrated, late.RULES.names())),
)
PAIRS = tuple(
  (rule, kind) for rule in SPECS for kind in late.create(rule).tasks
)


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
    constant = links.constant_logits(predicted.TASKS[kind], labels)
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
      ('vote', types.MULTICLASS),
      *(
        (rule, kind)
        for rule in ('mean', 'median', 'max')
        for kind in types.TASK_KINDS
        if kind != types.SURVIVAL
      ),
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
    (rule, kind) for rule, kind in PAIRS if not rule.startswith('vote')
  )
  def test_fusing_beats_the_better_modality(self, rule, kind):
    task = predicted.TASKS[kind]
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
    rule for rule in SPECS if not late.create(rule).interactions
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


class ErrorsTest(absltest.TestCase):
  def test_the_recalibrated_form(self):
    self.assertEqual(late.recalibrated('mean'), 'mean(recalibrated=true)')
    self.assertIsNone(late.recalibrated('mean(recalibrated=true)'))
    self.assertIsNone(late.recalibrated('stack'))
    rule = late.create('mean(recalibrated=true)')
    self.assertNotIn(types.REGRESSION, rule.tasks)

  def test_unknown_rule(self):
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'stack'"):
      fit('stak', types.BINARY, *example(types.BINARY))

  def test_missing_modality_and_wrong_width(self):
    logits, present, labels = example(types.BINARY)
    fitted = fit('mean', types.BINARY, logits, present, labels)
    with self.assertRaisesRegex(errors.UserError, "'ehr'.*among: image"):
      fitted.apply({'image': logits['image']}, present)
    wide = {**logits, 'ehr': np.zeros((120, 2))}
    with self.assertRaisesRegex(errors.UserError, r"'ehr'.*\(120, 2\)"):
      fitted.apply(wide, present)


if __name__ == '__main__':
  absltest.main()
