import dataclasses

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import isotonic, linear_model

from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import metrics, recalibration, reliability

BINARY = types.Task(types.BINARY, ('y',))
MULTILABEL = types.Task(types.MULTILABEL, ('u', 'v'))
MULTICLASS = types.Task(types.MULTICLASS, ('a', 'b', 'c'))


def _expit(x):
  return 1 / (1 + np.exp(-x))


def _fold(labels, scores):
  n = len(labels)
  return folds_lib.Fold(
    repeat=0,
    fold=0,
    study=np.arange(n).astype(str),
    patient=np.arange(n).astype(str),
    labels=labels,
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={'a': {0: scores}},
  )


class FitTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.x = rng.normal(size=3000)
    self.y = (rng.random(3000) < _expit(self.x)).astype(float)[:, None]
    # Three times too sure.
    self.scores = _expit(3 * self.x)[:, None]

  def test_temperature_is_found(self):
    found = recalibration.fit('temperature', BINARY, self.y, self.scores)
    logit = found(np.array([[0.9]]))[0, 0]
    t = np.log(9) / np.log(logit / (1 - logit))
    self.assertAlmostEqual(t, 3, delta=0.3)

  def test_platt_is_logistic_regression(self):
    weight = np.random.default_rng(1).exponential(size=3000)
    x = np.log(self.scores / (1 - self.scores))
    model = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=999)
    model.fit(x, self.y[:, 0], sample_weight=weight)
    found = recalibration.fit('platt', BINARY, self.y, self.scores, weight)
    # The labels' smoothing is 1 / (number + 2).
    np.testing.assert_allclose(
      found(self.scores)[:, 0], model.predict_proba(x)[:, 1], atol=5e-3
    )

  def test_isotonic_is_that_of_scikit_learn(self):
    found = recalibration.fit('isotonic', BINARY, self.y, self.scores)
    expected = isotonic.isotonic_regression(
      self.y[np.argsort(self.scores[:, 0]), 0]
    )
    np.testing.assert_allclose(np.sort(found(self.scores)[:, 0]), expected)

  @parameterized.parameters(*recalibration.METHODS)
  def test_calibrates(self, method):
    half = slice(0, 1500), slice(1500, 3000)
    apply = recalibration.fit(
      method, BINARY, self.y[half[0]], self.scores[half[0]]
    )
    found = apply(self.scores[half[1]])
    y, ones = self.y[half[1], 0] > 0, np.ones((1500, 1))
    before = reliability.ece(y, self.scores[half[1], 0])(ones)
    after = reliability.ece(y, found[:, 0])(ones)
    self.assertLess(after[0], before[0] / 2)
    # It never turns the order round.
    order = np.argsort(self.scores[half[1], 0])
    self.assertTrue((np.diff(found[order, 0]) >= -1e-12).all())

  @parameterized.parameters(*recalibration.METHODS)
  def test_one_class_is_left_alone(self, method):
    for task, label in ((BINARY, 1.0), (MULTICLASS, 2.0)):
      scores = np.full((3, task.num_outputs), 1 / task.num_outputs)
      apply = recalibration.fit(method, task, np.full((3, 1), label), scores)
      np.testing.assert_allclose(apply(scores), scores)

  @parameterized.parameters(*recalibration.METHODS)
  def test_classes_sum_to_one(self, method):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(900, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    codes = (rng.random((900, 1)) > p.cumsum(axis=1)).sum(axis=1)[:, None]
    sure = p**3 / (p**3).sum(axis=1, keepdims=True)
    apply = recalibration.fit(method, MULTICLASS, codes.astype(float), sure)
    found = apply(sure)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    self.assertLess(np.abs(found - p).mean(), np.abs(sure - p).mean() / 2)

  @parameterized.parameters(*recalibration.METHODS)
  def test_separated_and_constant_validation_scores(self, method):
    y = np.array([[0.0], [0.0], [1.0]])
    for scores in (np.array([[0.1], [0.2], [0.9]]), np.full((3, 1), 0.4)):
      found = recalibration.fit(method, BINARY, y, scores)(scores)
      self.assertTrue(((found >= 0) & (found <= 1)).all())


class ReportTest(absltest.TestCase):
  def _parts(self, n=200):
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    y = (rng.random(n) < _expit(x)).astype(float)[:, None]
    scores = _expit(3 * x)[:, None]
    half = n // 2
    return _fold(y[:half], scores[:half]), _fold(y[half:], scores[half:])

  def test_before_and_after(self):
    test, valid = self._parts(2000)
    found = recalibration.report(BINARY, [test], [valid], arms=['a'])['a']
    plain = metrics.evaluate(BINARY, test.labels, test.scores['a'][0])
    for name in ('brier', 'log_loss', 'ece'):
      self.assertAlmostEqual(found[name], plain[name].estimate)
      for method in recalibration.METHODS:
        after = found['recalibrated'][method]
        self.assertEqual(after['models'], 1)
        if (method, name) != ('isotonic', 'log_loss'):
          self.assertLess(after[name], found[name])
    self.assertNotIn('reason', found)

  def test_test_labels_do_not_change_the_map(self):
    test, valid = self._parts()
    changed = dataclasses.replace(test, labels=1 - test.labels)
    for part in (test, changed):
      found = recalibration.report(BINARY, [part], [valid], arms=['a'])['a']
      apply = recalibration.fit(
        'platt', BINARY, valid.labels, valid.scores['a'][0]
      )
      expected = np.mean((apply(part.scores['a'][0]) - part.labels) ** 2)
      self.assertAlmostEqual(found['recalibrated']['platt']['brier'], expected)

  def test_without_validation_or_models(self):
    test, _ = self._parts()
    found = recalibration.report(BINARY, [test], [], arms=['a', 'b'])
    after = found['a']['recalibrated']['platt']
    self.assertIsNone(after['brier'])
    self.assertIn('no validation', after['reason'])
    self.assertIsNone(found['b']['ece'])
    self.assertIn('no model', found['b']['reason'])

  def test_three_studies(self):
    test, valid = self._parts(6)
    found = recalibration.report(BINARY, [test], [valid], arms=['a'])['a']
    self.assertIsNone(found['ece_debiased'])
    self.assertIn('fewer than two', found['reason'])
    self.assertIsNotNone(found['brier'])

  def test_means_over_labels_and_other_tasks(self):
    test, valid = self._parts()
    both = [
      dataclasses.replace(
        f,
        labels=np.concatenate([f.labels, f.labels], axis=1),
        scores={'a': {0: np.concatenate([f.scores['a'][0]] * 2, axis=1)}},
      )
      for f in (test, valid)
    ]
    one = recalibration.report(BINARY, [test], [valid], arms=['a'])['a']
    two = recalibration.report(MULTILABEL, both[:1], both[1:], arms=['a'])['a']
    self.assertAlmostEqual(one['ece'], two['ece'])
    self.assertAlmostEqual(
      one['recalibrated']['isotonic']['ece'],
      two['recalibrated']['isotonic']['ece'],
    )
    task = types.Task(types.REGRESSION, ('y',))
    self.assertEmpty(recalibration.report(task, [test], [valid], arms=['a']))


class WeightsTest(absltest.TestCase):
  def test_their_unit_does_not_matter(self):
    rng = np.random.default_rng(0)
    scores = rng.random((200, 1))
    labels = (rng.random((200, 1)) < scores).astype(float)
    weight = rng.exponential(size=200)
    found = []
    for unit in (1.0, 1e-4, 1e4):
      fold = dataclasses.replace(_fold(labels, scores), weight=unit * weight)
      values = recalibration.report(BINARY, [fold], [fold], arms=['a'])['a']
      self.assertNotIn('reason', values)
      after = values.pop('recalibrated')
      found.append([*values.values(), after['platt']['log_loss']])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-6)

  def test_equal_weights_are_studies(self):
    rng = np.random.default_rng(0)
    scores, labels = rng.random((50, 1)), rng.integers(0, 2, (50, 1))
    fold = _fold(labels.astype(float), scores)
    found = recalibration.report(BINARY, [fold], [], arms=['a'])['a']
    kernel = reliability.decompose(labels[:, 0] > 0, scores[:, 0])
    values = dict(
      zip(
        reliability.DECOMPOSITION, kernel(np.ones((50, 1)))[:, 0], strict=True
      )
    )
    self.assertAlmostEqual(found['ece_debiased'], values['ece_debiased'])


if __name__ == '__main__':
  absltest.main()
