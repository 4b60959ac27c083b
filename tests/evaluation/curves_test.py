import dataclasses
import json
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import curves, resampling
from fusion_jax.evaluation import folds as folds_lib

NAMES = {
  types.BINARY: ('y',),
  types.MULTICLASS: ('a', 'b', 'c'),
  types.MULTILABEL: ('u', 'v'),
  types.REGRESSION: ('y',),
  types.SURVIVAL: ('time', 'event'),
}


def _fold(kind, number, n=60):
  rng = np.random.default_rng(number)
  z = rng.normal(size=n)
  labels = {
    types.BINARY: lambda: (z > 0)[:, None],
    types.MULTICLASS: lambda: np.digitize(z, [-0.5, 0.5])[:, None],
    types.MULTILABEL: lambda: np.stack([z > 0, z > 0.5], axis=1),
    types.REGRESSION: lambda: z[:, None],
    types.SURVIVAL: lambda: np.stack(
      [rng.exponential(size=n) * np.exp(-z), rng.random(n) < 0.7], axis=1
    ),
  }[kind]().astype(float)
  scores = {}
  for arm in ('x', 'y'):
    q = z + rng.normal(size=n)
    if kind == types.MULTICLASS:
      q = np.exp(np.stack([-q, 0 * q, q], axis=1))
      q /= q.sum(axis=1, keepdims=True)
    elif kind in (types.BINARY, types.MULTILABEL):
      q = 1 / (1 + np.exp(-np.stack([q] * len(NAMES[kind]), axis=1)))
    else:
      q = q[:, None]
    scores[arm] = {0: q}
  survival, horizons = {}, ()
  if kind == types.SURVIVAL:
    horizons = ('0.5', '1')
    survival = {
      arm: {0: np.exp(-np.exp(by_seed[0]) * np.array([0.5, 1.0]))}
      for arm, by_seed in scores.items()
    }
    survival['y'][0] = np.full((n, 2), np.nan)
  return folds_lib.Fold(
    repeat=0,
    fold=number,
    study=np.char.add(f'{number}-', np.arange(n).astype(str)),
    patient=np.char.add(f'{number}-', (np.arange(n) // 2).astype(str)),
    labels=labels,
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores=scores,
    survival=survival,
    horizons=horizons,
  )


def _curves(kind, *, arms=('x', 'y')):
  folds = [_fold(kind, 0), _fold(kind, 1)]
  resamples = resampling.draw(
    np.concatenate([f.patient for f in folds]), replicates=60, seed=0
  )
  task = types.Task(kind, NAMES[kind])
  return curves.curves(task, folds, arms=arms, resamples=resamples)


class CurvesTest(parameterized.TestCase):
  def assert_curve(self, curve, names=('x', 'y'), n=None):
    x, y = names
    lengths = {len(curve[k]) for k in (x, y, 'low', 'high')}
    self.assertLen(lengths, 1)
    if n:
      self.assertEqual(lengths, {n})
    for low, high in zip(curve['low'], curve['high'], strict=True):
      self.assertLessEqual(low, high)

  @parameterized.parameters(types.BINARY, types.MULTICLASS, types.MULTILABEL)
  def test_classification(self, kind):
    found = _curves(kind)
    self.assertEqual(list(found), ['x', 'y', 'treat_all'])
    for label in ('',) if kind == types.BINARY else NAMES[kind]:

      def of(curve, label=label):
        return curve[label] if label else curve

      arm = found['x']
      self.assert_curve(of(arm['roc']), n=101)
      self.assert_curve(of(arm['pr']), n=101)
      self.assert_curve(of(arm['calibration']), n=10)
      for who in ('x', 'treat_all'):
        self.assert_curve(
          of(found[who]['decision']), ('threshold', 'net_benefit'), n=100
        )
      # At threshold 0 everybody is called.
      self.assertEqual(
        of(arm['decision'])['net_benefit'][0],
        of(found['treat_all']['decision'])['net_benefit'][0],
      )
      self.assertEqual(of(arm['roc'])['y'][-1], 1)
    risk = found['x']['risk_coverage']
    if kind == types.MULTILABEL:
      risk = risk['u']
    self.assert_curve(risk, n=100)
    self.assertLess(risk['aurc']['low'], risk['aurc']['high'])

  def test_regression(self):
    found = _curves(types.REGRESSION)
    self.assertEqual(list(found), ['x', 'y'])
    curve = found['x']['calibration']
    self.assert_curve(curve, n=10)
    self.assertTrue((np.diff(curve['x']) > 0).all())

  def test_survival(self):
    found = _curves(types.SURVIVAL)
    by_horizon = found['x']['calibration']
    self.assertEqual(list(by_horizon), ['0.5', '1'])
    self.assert_curve(by_horizon['0.5'], n=10)
    self.assertIn('no model', found['y']['calibration']['1']['reason'])

  def test_calibrated_survival_lies_on_the_diagonal(self):
    rng = np.random.default_rng(0)
    n = 4000
    z = rng.normal(size=n)
    time = rng.exponential(size=n) * np.exp(-z)
    censored = rng.exponential(size=n) * 2
    fold = dataclasses.replace(
      _fold(types.SURVIVAL, 0, n),
      labels=np.stack([np.minimum(time, censored), time <= censored], axis=1),
      scores={'x': {0: z[:, None]}},
      survival={'x': {0: np.exp(-np.exp(z)[:, None] * np.array([0.5, 1.0]))}},
    )
    resamples = resampling.draw(fold.patient, replicates=60, seed=0)
    task = types.Task(types.SURVIVAL, NAMES[types.SURVIVAL])
    found = curves.curves(task, [fold], arms=['x'], resamples=resamples)
    for curve in found['x']['calibration'].values():
      # Their standard errors are about .03.
      np.testing.assert_allclose(curve['x'], curve['y'], atol=0.12)

  def test_absent_arm_has_a_reason(self):
    found = _curves(types.BINARY, arms=('x', 'z'))
    for curve in found['z'].values():
      self.assertIn('no model', curve['reason'])

  def test_deterministic(self):
    self.assertEqual(_curves(types.BINARY), _curves(types.BINARY))


class WriteTest(absltest.TestCase):
  def test_round_trip(self):
    found = _curves(types.BINARY)
    path = pathlib.Path(self.create_tempdir().full_path) / 'curves.json'
    curves.write(found, path)
    self.assertEqual(json.loads(path.read_text()), found)
    self.assertEqual([x.name for x in path.parent.iterdir()], [path.name])
    self.assertLess(path.stat().st_size, 60_000)
    with self.assertRaises(ValueError):
      curves.write({'x': float('nan')}, path)


if __name__ == '__main__':
  absltest.main()
