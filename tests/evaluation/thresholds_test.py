import dataclasses

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics as sk

from fusion_jax.core import types
from fusion_jax.evaluation import folds, metrics, thresholds

BINARY = types.Task(types.BINARY, ('y',))
MULTILABEL = types.Task(types.MULTILABEL, ('u', 'v'))


def _data(seed, *, n=60, ties=False):
  rng = np.random.default_rng(seed)
  y = rng.random(n) < 0.4
  p = 1 / (1 + np.exp(-(y + rng.normal(size=n))))
  return y, np.round(p, 1) if ties else p, rng.exponential(size=n)


def _fold(labels, scores, *, number=0, arm='a', seed=0):
  n = len(labels)
  return folds.Fold(
    repeat=0,
    fold=number,
    study=np.arange(n).astype(str),
    patient=np.arange(n).astype(str),
    labels=labels,
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={arm: {seed: scores}},
  )


class ChooseTest(parameterized.TestCase):
  @parameterized.product(
    seed=[0, 1, 2, 3], ties=[False, True], rule=thresholds.RULES
  )
  def test_equals_the_definition(self, seed, ties, rule):
    y, p, w = _data(seed, ties=ties)
    found, reason = thresholds.choose(rule, y, p, w)
    self.assertEqual(reason, '')
    candidates = [*np.unique(p), np.inf]
    sensitivity = [
      sk.recall_score(y, p >= t, sample_weight=w) for t in candidates
    ]
    specificity = [
      sk.recall_score(y, p >= t, sample_weight=w, pos_label=0)
      for t in candidates
    ]
    if rule == thresholds.YOUDEN:
      gain = np.add(sensitivity, specificity)
      expected = candidates[np.flatnonzero(gain >= gain.max() - 1e-9)[0]]
    elif rule == thresholds.SPECIFICITY_90:
      expected = candidates[
        np.flatnonzero(np.array(specificity) >= 0.9 - 1e-9)[0]
      ]
    else:
      expected = candidates[
        np.flatnonzero(np.array(sensitivity) >= 0.9 - 1e-9)[-1]
      ]
    self.assertEqual(found, expected)

  @parameterized.parameters(*thresholds.RULES)
  def test_weight_is_repetition(self, rule):
    y, p, _ = _data(5, ties=True)
    count = np.random.default_rng(0).poisson(1, size=len(y))
    rows = np.repeat(np.arange(len(y)), count)
    self.assertEqual(
      thresholds.choose(rule, y, p, count.astype(float)),
      thresholds.choose(rule, y[rows], p[rows]),
    )

  def test_constant_scores(self):
    y, p = np.array([True, False, True]), np.full(3, 0.3)
    self.assertEqual(thresholds.choose(thresholds.YOUDEN, y, p)[0], 0.3)
    self.assertEqual(thresholds.choose(thresholds.SENSITIVITY_90, y, p)[0], 0.3)
    high, _ = thresholds.choose(thresholds.SPECIFICITY_90, y, p)
    self.assertGreater(high, 0.3)
    self.assertAlmostEqual(high, 0.3)

  def test_one_class(self):
    ones, p = np.ones(3, bool), np.array([0.1, 0.2, 0.3])
    for rule, y, reason in (
      (thresholds.YOUDEN, ones, 'all 3 validation studies are positive'),
      (thresholds.YOUDEN, ~ones, 'none of 3 validation studies is positive'),
      (thresholds.SPECIFICITY_90, ones, 'all 3'),
      (thresholds.SENSITIVITY_90, ~ones, 'none of 3'),
    ):
      found, why = thresholds.choose(rule, y, p)
      self.assertTrue(np.isnan(found))
      self.assertIn(reason, why)
    self.assertEqual(
      thresholds.choose(thresholds.SENSITIVITY_90, ones, p), (0.1, '')
    )
    found, why = thresholds.choose(thresholds.YOUDEN, ones[:0], p[:0])
    self.assertTrue(np.isnan(found))
    self.assertIn('known label', why)


class AttachTest(parameterized.TestCase):
  def _parts(self, seed=0):
    y, p, _ = _data(seed)
    valid = _fold(y[:30, None].astype(float), p[:30, None])
    return _fold(y[30:, None].astype(float), p[30:, None]), valid

  def test_test_rows_never_change_a_threshold(self):
    test, valid = self._parts()
    (found,) = thresholds.attach(BINARY, [test], [valid])
    rng = np.random.default_rng(9)
    changed = dataclasses.replace(
      test,
      labels=1 - test.labels,
      scores={'a': {0: rng.random(test.labels.shape)}},
    )
    (other,) = thresholds.attach(BINARY, [changed], [valid])
    (less,) = thresholds.attach(BINARY, [test.take(np.arange(2))], [valid])
    for rule, values in found.thresholds['a'][0].values.items():
      for again in (other, less):
        np.testing.assert_array_equal(
          again.thresholds['a'][0].values[rule], values
        )
    moved = dataclasses.replace(
      valid, scores={'a': {0: valid.scores['a'][0] / 2}}
    )
    (halved,) = thresholds.attach(BINARY, [test], [moved])
    np.testing.assert_allclose(
      halved.thresholds['a'][0].values['youden'],
      found.thresholds['a'][0].values['youden'] / 2,
    )

  def test_metrics_use_them(self):
    test, valid = self._parts()
    (fold,) = thresholds.attach(BINARY, [test], [valid])
    t = fold.thresholds['a'][0].values['youden'][0]
    found = metrics.evaluate(
      BINARY, fold.labels, fold.scores['a'][0], **fold.of_model('a', 0)
    )
    y, called = fold.labels[:, 0], fold.scores['a'][0][:, 0] >= t
    self.assertAlmostEqual(found['f1'].estimate, sk.f1_score(y, called))
    self.assertEqual(found['f1'].reason, '')
    t = fold.thresholds['a'][0].values['specificity_90'][0]
    self.assertAlmostEqual(
      found['sensitivity_at_specificity_90'].estimate,
      sk.recall_score(y, fold.scores['a'][0][:, 0] >= t),
    )

  def test_no_validation_part_falls_back_and_says_so(self):
    test, _ = self._parts()
    (fold,) = thresholds.attach(BINARY, [test], [])
    found = metrics.evaluate(
      BINARY, fold.labels, fold.scores['a'][0], **fold.of_model('a', 0)
    )
    y, called = fold.labels[:, 0], fold.scores['a'][0][:, 0] >= 0.5
    self.assertAlmostEqual(
      found['accuracy'].estimate, sk.accuracy_score(y, called)
    )
    self.assertIn('no validation', found['accuracy'].reason)
    fixed = found['specificity_at_sensitivity_90']
    self.assertTrue(np.isnan(fixed.estimate))
    self.assertIn('no validation', fixed.reason)
    (entry,) = thresholds.describe(BINARY, [fold], 'a')
    self.assertEqual(entry['youden'], 0.5)
    self.assertIsNone(entry['specificity_90'])
    self.assertIn('no validation', entry['reason'])
    (line,) = thresholds.notes([fold])
    self.assertIn('repeat/fold 0/0: there are no validation', line)

  def test_labels_have_their_own(self):
    rng = np.random.default_rng(0)
    labels = (rng.random((40, 2)) < 0.5).astype(float)
    labels[:, 1] = 1
    labels[0, 0] = np.nan
    scores = rng.random((40, 2))
    fold = _fold(labels, scores)
    (fold,) = thresholds.attach(MULTILABEL, [fold], [fold])
    (entry,) = thresholds.describe(MULTILABEL, [fold], 'a')
    expected, _ = thresholds.choose(
      thresholds.YOUDEN, labels[1:, 0] > 0, scores[1:, 0]
    )
    self.assertEqual(entry['youden'], {'u': expected, 'v': 0.5})
    self.assertIn('all 40', entry['reason'])
    self.assertLen(thresholds.notes([fold]), 1)

  def test_other_tasks_and_models_without_validation(self):
    test, valid = self._parts()
    task = types.Task(types.REGRESSION, ('y',))
    self.assertEmpty(thresholds.attach(task, [test], [valid])[0].thresholds)
    other = dataclasses.replace(valid, scores={'a': {1: valid.scores['a'][0]}})
    (fold,) = thresholds.attach(BINARY, [test], [other])
    self.assertIn('no validation', fold.thresholds['a'][0].reasons['youden'][0])
    self.assertEmpty(
      thresholds.notes(thresholds.attach(BINARY, [test], [valid]))
    )


if __name__ == '__main__':
  absltest.main()
