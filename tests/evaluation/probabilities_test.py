import dataclasses
import math

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special
from sklearn import linear_model

from fusion_jax.core import types
from fusion_jax.evaluation import (
  folds,
  probabilities,
  recalibration,
  resampling,
)

BINARY = types.Task(types.BINARY, ('y',))


def _fold(scores, labels, *, fold=0, prefix='', survival=None, horizons=()):
  n = len(labels)
  names = np.array([f'{prefix}{i:05}' for i in range(n)])
  return folds.Fold(
    repeat=0,
    fold=fold,
    study=names,
    patient=names,
    labels=np.asarray(labels, float).reshape(n, -1),
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={a: {0: s.reshape(n, -1)} for a, s in scores.items()},
    survival={}
    if survival is None
    else {a: {0: s} for a, s in survival.items()},
    horizons=horizons,
  )


def _world(n, seed, columns=1):
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(n, columns)) * 1.5
  return x, (rng.random((n, columns)) < special.expit(x)).astype(float)


def _binary(slopes, n=2000, *, valid=True):
  """Arms whose log odds are those of the truth divided by the slope."""
  parts = []
  for seed in (0, 1):
    x, y = _world(n, seed)
    scores = {a: special.expit(x / b) for a, b in slopes.items()}
    parts.append(_fold(scores, y, prefix='tv'[seed]))
  test, validated = parts
  return [test], [validated] if valid else []


def _of(task, test, valid, **changes):
  patients = np.concatenate([f.patient for f in test])
  return probabilities.of(
    task,
    test,
    valid,
    arms=list(test[0].scores),
    resamples=resampling.draw(patients, replicates=199, seed=0),
    **changes,
  )


class BinaryTest(parameterized.TestCase):
  @parameterized.parameters(
    (1.0, False), (0.8, False), (3.9, True), (0.3, True)
  )
  def test_slopes(self, slope, miscalibrated):
    found = _of(BINARY, *_binary({'a': slope}))['a']
    self.assertAlmostEqual(found['slope'], slope, delta=0.12 * slope)
    self.assertEqual(found['miscalibrated'], miscalibrated)
    self.assertAlmostEqual(found['recalibrated']['slope'], 1, delta=0.12)
    self.assertEqual(bool(found['reasons']), miscalibrated)
    self.assertEqual('slope' in found['causes'], miscalibrated)

  def test_slope_is_that_of_a_logistic_regression(self):
    test, valid = _binary({'a': 2.5})
    found = _of(BINARY, test, valid)['a']
    score = test[0].scores['a'][0]
    fitted = linear_model.LogisticRegression(C=1e9, tol=1e-9).fit(
      special.logit(score), test[0].labels[:, 0]
    )
    self.assertAlmostEqual(found['slope'], fitted.coef_[0, 0], places=3)

  def test_a_brier_score_that_recalibration_mends_is_enough(self):
    test, valid = _binary({'a': 1.0})
    # All risks too high, with the right slope.
    test, valid = (
      [
        dataclasses.replace(
          f,
          scores={
            'a': {0: special.expit(special.logit(f.scores['a'][0]) + 1.5)}
          },
        )
        for f in part
      ]
      for part in (test, valid)
    )
    found = _of(BINARY, test, valid)['a']
    self.assertBetween(found['slope'], 0.8, 1.25)
    self.assertGreater(found['brier_excess']['low'], 0)
    self.assertTrue(found['miscalibrated'])
    self.assertIn('and more than chance', found['reasons'][0])
    after = found['recalibrated']
    self.assertAlmostEqual(
      after['brier_as_it_is'] - after['brier'],
      found['brier_excess']['estimate'],
    )

  @parameterized.parameters((0.25, False), (1.5, True))
  def test_what_is_more_than_chance_has_to_matter_too(self, shift, expected):
    moved = [
      [
        dataclasses.replace(
          f,
          scores={
            'a': {0: special.expit(special.logit(f.scores['a'][0]) + shift)}
          },
        )
        for f in part
      ]
      for part in _binary({'a': 1.0}, n=20000)
    ]
    found = _of(BINARY, *moved)['a']
    self.assertGreater(found['brier_excess']['low'], 0)
    self.assertEqual(found['miscalibrated'], expected)
    rate = moved[0][0].labels.mean()
    self.assertAlmostEqual(
      found['recalibrated']['brier_of_constant'], rate * (1 - rate)
    )

  def test_recalibrated_already_is_not_worse_than_itself(self):
    (test, _), (_, valid) = _binary({'a': 5.0}), _binary({'a': 3.9})
    platt = recalibration.fit(
      recalibration.PLATT, BINARY, valid[0].labels, valid[0].scores['a'][0]
    )

    def mapped(fold, near):
      # As another search for the same map would end.
      p = platt(fold.scores['a'][0])
      p = special.expit((1 + near) * special.logit(p))
      return dataclasses.replace(fold, scores={'a': {0: p}})

    lows = []
    for near in (-1e-5, 1e-5):
      found = _of(
        BINARY,
        [mapped(f, near) for f in test],
        [mapped(f, near) for f in valid],
      )['a']
      self.assertFalse(found['miscalibrated'])
      lows.append(found['brier_excess']['low'])
    # Of one sign or the other it would be, were any excess above 0 enough.
    self.assertGreater(max(lows), 0)

  def test_factor_widens_the_interval(self):
    parts = _binary({'a': 1.6}, n=300)
    one, two = (
      _of(BINARY, *parts, factor=f)['a']['brier_excess'] for f in (1.0, 2.0)
    )
    self.assertEqual(one['estimate'], two['estimate'])
    self.assertAlmostEqual(
      two['estimate'] - two['low'], 2 * (one['estimate'] - one['low'])
    )

  def test_without_validation_the_slope_still_tells(self):
    found = _of(BINARY, *_binary({'a': 4.0}, valid=False))['a']
    self.assertTrue(found['miscalibrated'])
    self.assertIsNone(found['brier_excess'])
    self.assertIn('no validation part', found['brier_excess_reason'])

  def test_without_validation_a_good_slope_is_no_proof(self):
    found = _of(BINARY, *_binary({'a': 1.0}, valid=False))['a']
    self.assertIsNone(found['miscalibrated'])
    self.assertEmpty(found['reasons'])
    self.assertIn('no validation part', found['miscalibrated_reason'])

  def test_constant_scores_have_no_slope(self):
    test, valid = _binary({'a': 1.0})
    flat = [
      dataclasses.replace(
        f, scores={'a': {0: np.full_like(f.scores['a'][0], 0.5)}}
      )
      for f in (*test, *valid)
    ]
    found = _of(BINARY, flat[:1], flat[1:])['a']
    self.assertTrue(math.isnan(found['slope']))
    self.assertIn('do not vary', found['slope_reason'])
    self.assertFalse(found['miscalibrated'])


class OtherTasksTest(absltest.TestCase):
  def test_one_label_is_enough(self):
    task = types.Task(types.MULTILABEL, ('u', 'v'))
    parts = []
    for seed in (0, 1):
      x, y = _world(1500, seed, columns=2)
      y[:200, 0] = np.nan
      x[:, 1] /= 4
      parts.append(_fold({'a': special.expit(x)}, y, prefix='tv'[seed]))
    found = _of(task, parts[:1], parts[1:])['a']
    self.assertTrue(found['miscalibrated'])
    self.assertAlmostEqual(found['by']['u']['slope'], 1, delta=0.15)
    self.assertAlmostEqual(found['by']['v']['slope'], 4, delta=0.6)
    self.assertEqual(found['slope'], found['by']['v']['slope'])
    self.assertTrue(all('(v)' in x for x in found['reasons']))

  def test_one_label_without_validation_is_not_known(self):
    task = types.Task(types.MULTILABEL, ('u', 'v'))
    parts = []
    for seed in (0, 1):
      x, y = _world(1500, seed, columns=2)
      parts.append(_fold({'a': special.expit(x)}, y, prefix='tv'[seed]))
    parts[1].labels[:, 1] = 1
    found = _of(task, parts[:1], parts[1:])['a']
    self.assertIsNone(found['miscalibrated'])
    self.assertEndsWith(found['miscalibrated_reason'], '(v)')

  def test_survival_at_a_time_under_censoring(self):
    task = types.Task(types.SURVIVAL, ('time', 'event'))
    parts = []
    for seed in (0, 1):
      rng = np.random.default_rng(seed)
      z = rng.normal(size=6000)
      time = rng.exponential(np.exp(-z))
      censored = rng.exponential(2.0, size=len(z))
      labels = np.stack([np.minimum(time, censored), time <= censored], axis=1)
      right = np.exp(-0.5 * np.exp(z))[:, None]
      # Half the log odds: not extreme enough.
      timid = special.expit(special.logit(right) / 3)
      parts.append(
        _fold(
          {'right': z, 'timid': z},
          labels,
          prefix='tv'[seed],
          survival={'right': right, 'timid': timid},
          horizons=('0.5',),
        )
      )
    found = _of(task, parts[:1], parts[1:])
    self.assertAlmostEqual(found['right']['slope'], 1, delta=0.1)
    self.assertFalse(found['right']['miscalibrated'])
    self.assertAlmostEqual(found['timid']['slope'], 3, delta=0.3)
    self.assertTrue(found['timid']['miscalibrated'])
    self.assertIn('(0.5)', found['timid']['reasons'][0])

  def test_no_probability_of_an_event(self):
    x, y = _world(50, 0)
    for task in (
      types.Task(types.REGRESSION, ('y',)),
      types.Task(types.MULTICLASS, ('a', 'b')),
      types.Task(types.SURVIVAL, ('time', 'event')),
    ):
      labels = np.concatenate([np.abs(x), y], axis=1)
      self.assertEqual(_of(task, [_fold({'a': x}, labels)], []), {'a': None})


if __name__ == '__main__':
  absltest.main()
