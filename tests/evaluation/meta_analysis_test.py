"""Tests of fusion_jax.evaluation.meta_analysis."""

import dataclasses
import json
import math
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.evaluation import meta_analysis

REFERENCE = json.loads(
  (pathlib.Path(__file__).parent / 'reference/metafor.json').read_text()
)
SETS = REFERENCE['sets']


class MetaforTest(parameterized.TestCase):
  """Against values that reference/metafor.R has stored."""

  def test_reference_names_its_versions(self):
    self.assertRegex(REFERENCE['metafor'], r'^\d+\.\d+')
    self.assertRegex(REFERENCE['R'], r'^\d+\.\d+')
    self.assertGreaterEqual(len(SETS), 10)

  @parameterized.product(
    name=list(SETS), method=meta_analysis.ESTIMATORS, modified=[False, True]
  )
  def test_pool(self, name, method, modified):
    data = SETS[name]
    # metafor has a prediction interval of any number of studies.
    found = dataclasses.asdict(
      meta_analysis.pool(
        data['effects'],
        data['variances'],
        method,
        modified=modified,
        fewest_for_prediction=2,
      )
    )
    self.assertEqual(found['k'], len(data['effects']))
    stored = data[f'{method}_modified' if modified else method]
    for key, expected in stored.items():
      self.assertAlmostEqual(found[key], expected, delta=1e-6, msg=key)
    # tau2 is small, so that a relative bound says more.
    self.assertAlmostEqual(
      found['tau2'], stored['tau2'], delta=1e-9 + 1e-6 * found['tau2']
    )

  def test_sets_lie_on_both_sides_of_the_modification(self):
    scales = [
      meta_analysis.pool(s['effects'], s['variances']).scale
      for s in SETS.values()
    ]
    self.assertLess(min(scales), 0.01)
    self.assertGreater(max(scales), 1 - 1e-9)

  @parameterized.parameters(*SETS)
  def test_egger(self, name):
    data = SETS[name]
    found = meta_analysis.egger(data['effects'], np.sqrt(data['variances']))
    if data['egger'] is None:
      self.assertIn('10 or more', found.reason)
      self.assertTrue(math.isnan(found.p))
      return
    self.assertEqual(found.reason, '')
    self.assertEqual(found.df, data['egger']['df'])
    for key in ('t', 'p', 'limit'):
      self.assertAlmostEqual(
        getattr(found, key), data['egger'][key], delta=1e-6, msg=key
      )


# What `combine_effects` of statsmodels 0.15.0 says of five effects with
# use_t=True, by its method_re 'dl' and 'iterated' (Paule and Mandel): tau2,
# mean and its Hartung-Knapp error (unmodified), and the ends of its interval.
STATSMODELS = {
  'dl': (
    0.00013792723263506102,
    0.03241377780526534,
    0.008056647327747796,
    0.01004494,
    0.05478262,
  ),
  'pm': (
    0.0001071936982152729,
    0.03247108412341679,
    0.007999338028597924,
    0.01026136,
    0.05468081,
  ),
}


class StatsmodelsTest(parameterized.TestCase):
  @parameterized.parameters(*STATSMODELS)
  def test_pool(self, method):
    effects = np.array([0.05, 0.01, 0.03, 0.02, 0.06])
    errors_of = np.array([0.01, 0.02, 0.015, 0.01, 0.03])
    found = meta_analysis.pool(effects, errors_of**2, method, modified=False)
    np.testing.assert_allclose(
      [found.tau2, found.estimate, found.se], STATSMODELS[method][:3], rtol=1e-9
    )
    np.testing.assert_allclose(
      [found.low, found.high], STATSMODELS[method][3:], atol=1e-8
    )
    self.assertAlmostEqual(found.q, 6.75247524752476, places=12)


class PoolTest(parameterized.TestCase):
  def test_reml_finds_the_top_of_the_likelihood(self):
    rng = np.random.default_rng(3)
    for _ in range(20):
      k = int(rng.integers(2, 12))
      v = rng.uniform(1e-4, 4e-3, k)
      y = rng.normal(0, np.sqrt(v + rng.choice([0, 1e-3, 1e-2])))

      def loss(t, y=y, v=v):
        w = 1 / (v + t)
        q = w @ (y - w @ y / w.sum()) ** 2
        return (-np.log(w).sum() + np.log(w.sum()) + q) / 2

      found = loss(meta_analysis.tau2(y, v))
      others = [loss(t) for t in np.linspace(0, 4 * y.var() + 1e-3, 2000)]
      self.assertLessEqual(found, min(others) + 1e-9)

  def test_paule_mandel_makes_q_its_expectation(self):
    y, v = SETS['spread']['effects'], SETS['spread']['variances']
    t = meta_analysis.tau2(y, v, 'pm')
    w = 1 / (np.array(v) + t)
    q = w @ (y - w @ y / w.sum()) ** 2
    self.assertAlmostEqual(q, len(y) - 1, places=9)

  def test_equal_effects(self):
    """Without the modification three studies that agree leave no doubt."""
    effects, variances = [0.1, 0.1, 0.1], [0.01, 0.02, 0.03]
    plain = meta_analysis.pool(effects, variances, modified=False)
    self.assertEqual(plain.tau2, 0)
    self.assertAlmostEqual(plain.low, 0.1)
    self.assertAlmostEqual(plain.q_p, 1)
    # With it the variance is 1 / (100 + 50 + 100 / 3), t on two degrees.
    found = meta_analysis.pool(effects, variances)
    self.assertAlmostEqual(found.scale, 0)
    self.assertAlmostEqual(found.se, math.sqrt(6 / 1100))
    t = math.sqrt(2 * 0.95**2 / (1 - 0.95**2))
    self.assertAlmostEqual(found.high, 0.1 + t * math.sqrt(6 / 1100))

  def test_the_modification_by_hand(self):
    """Two studies of variance v and distance d: DL gives q = d^2 / 2v <= 1."""
    v, d = 0.04, 0.1
    for modified, scale in ((False, d**2 / (2 * v)), (True, 1)):
      found = meta_analysis.pool([0, d], [v, v], 'dl', modified=modified)
      self.assertEqual(found.tau2, 0)
      self.assertAlmostEqual(found.estimate, d / 2)
      self.assertAlmostEqual(found.scale, d**2 / (2 * v))
      self.assertAlmostEqual(found.se, math.sqrt(scale * v / 2))
      # The t distribution on one degree is Cauchy's.
      reach = math.tan(math.pi * 0.475) * found.se
      self.assertAlmostEqual(found.low, d / 2 - reach)
      p = 1 - 2 / math.pi * math.atan(d / 2 / found.se)
      self.assertAlmostEqual(found.p, p)

  def test_the_modified_interval_is_never_narrower(self):
    rng = np.random.default_rng(5)
    narrower = 0
    for _ in range(40):
      k = int(rng.integers(2, 9))
      v = rng.uniform(1e-4, 4e-3, k)
      y = rng.normal(0, np.sqrt(v))
      found = meta_analysis.pool(y, v)
      plain = meta_analysis.pool(y, v, modified=False)
      self.assertGreaterEqual(found.se, plain.se)
      self.assertEqual(found.se == plain.se, found.scale >= 1)
      normal = 1 / np.sqrt((1 / (v + found.tau2)).sum())
      self.assertGreaterEqual(found.se, normal * (1 - 1e-12))
      narrower += plain.se < normal
    self.assertGreater(narrower, 10)

  @parameterized.parameters(2, 4, 5, 6)
  def test_a_prediction_interval_needs_five_studies(self, k):
    found = meta_analysis.pool(np.arange(k), np.ones(k))
    self.assertEqual(math.isnan(found.prediction_low), k < 5)
    self.assertEqual(math.isnan(found.prediction_high), k < 5)
    self.assertEqual(found.prediction_reason != '', k < 5)
    if k < 5:
      self.assertIn(f'{k} studies', found.prediction_reason)
    self.assertLess(found.low, found.high)

  @parameterized.parameters(
    ([0.1], [0.01], '1 studies cannot be pooled'),
    ([0.1, 0.2], [0.01, 0.0], 'sampling variance of 0'),
    ([0.1, math.nan], [0.01, 0.1], 'finite'),
    ([0.1, 0.2], [0.01], 'one of each'),
  )
  def test_bad_input(self, effects, variances, message):
    with self.assertRaisesRegex(errors.UserError, message):
      meta_analysis.pool(effects, variances)

  def test_unknown_estimator(self):
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'reml'"):
      meta_analysis.tau2([0.1, 0.2], [0.1, 0.1], 'rmel')

  @parameterized.parameters(9, 10)
  def test_egger_needs_ten_studies(self, k):
    rng = np.random.default_rng(0)
    found = meta_analysis.egger(rng.normal(size=k), rng.uniform(1, 2, k))
    self.assertEqual(found.reason == '', k >= 10)

  def test_egger_degenerate(self):
    equal = meta_analysis.egger(np.arange(10), np.ones(10))
    self.assertIn('same standard error', equal.reason)
    line = meta_analysis.egger(np.zeros(10), np.arange(1, 11))
    self.assertIn('on a line', line.reason)


if __name__ == '__main__':
  absltest.main()
