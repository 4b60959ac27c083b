import math

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from fusion_jax.core import types
from fusion_jax.evaluation import comparison, estimates, folds, resampling

BINARY = types.Task(types.BINARY, ('y',))


def _compare(values, replicates, **changes):
  """Arms are image, ehr, f0, f1, ...; one fold unless values are (g, a)."""
  values, replicates = np.asarray(values), np.asarray(replicates)
  if values.ndim == 1:
    values, replicates = values[None], replicates[None]
  arms = ['image', 'ehr', *(f'f{i}' for i in range(values.shape[1] - 2))]
  settings = dict(
    arms=arms,
    fusions=arms[2:],
    singles=arms[:2],
    references=['image'],
    values=values,
    replicates=replicates,
    margin=0.02,
    patients=100,
  )
  return comparison.compare(**{**settings, **changes})


def _normal(values, sds, *, r=999, seed=0):
  """(a, r) replicates around `values` with independent errors."""
  rng = np.random.default_rng(seed)
  noise = rng.normal(size=(len(values), r)) * np.asarray(sds)[:, None]
  return np.asarray(values)[:, None] + noise


class VerdictTest(absltest.TestCase):
  def test_in_order(self):
    values = [0.70, 0.65, 0.80, 0.705, 0.70, 0.60]
    found = _compare(values, _normal(values, [0, 0, 0.01, 0.002, 0.05, 0.01]))
    self.assertEqual(
      [c.verdict for c in found],
      ['superior', 'equivalent', 'inconclusive', 'inferior'],
    )
    for c in found:
      self.assertLessEqual(c.low, c.low90)
      self.assertLess(c.low90, c.difference)
      self.assertLess(c.difference, c.high90)
      self.assertLessEqual(c.high90, c.high)
      self.assertGreaterEqual(c.p_adjusted, c.p)
      self.assertEqual(c.low > 0, c.p_adjusted <= comparison.ALPHA)

  def test_superior_must_hold_against_every_single_arm(self):
    values = [0.70, 0.80, 0.80]
    (found,) = _compare(values, _normal(values, [0, 0, 0.01]))
    self.assertGreater(found.low, 0)
    self.assertEqual(found.verdict, 'inconclusive')
    self.assertEqual(found.reason, 'not shown to be better than ehr')

  def test_tiny_certain_gain_is_superior_tiny_certain_loss_inferior(self):
    values = [0.70, 0.60, 0.71, 0.69]
    found = _compare(values, _normal(values, [0, 0, 0.001, 0.001]))
    self.assertEqual([c.verdict for c in found], ['superior', 'inferior'])

  def test_arm_that_failed_in_a_fold_is_at_best_inconclusive(self):
    values = np.array([[0.7, 0.6, 0.9], [0.7, 0.6, np.nan]])
    replicates = np.stack([_normal(v, [0, 0, 0.01]) for v in values])
    (found,) = _compare(
      values,
      replicates,
      references=['image', 'image'],
    )
    self.assertAlmostEqual(found.difference, 0.2)
    self.assertGreater(found.low, 0)
    self.assertEqual(found.verdict, 'inconclusive')
    self.assertIn('no result in 1 fold', found.reason)

  def test_reference_differs_by_fold(self):
    values = np.array([[0.7, 0.6, 0.8], [0.6, 0.75, 0.8]])
    replicates = np.stack([_normal(v, [0.01] * 3) for v in values])
    (found,) = _compare(
      values,
      replicates,
      references=['image', 'ehr'],
    )
    np.testing.assert_allclose(found.fold_differences, [0.1, 0.05])
    self.assertAlmostEqual(found.difference, 0.075)
    self.assertAlmostEqual(found.against[0].difference, 0.15)
    self.assertAlmostEqual(found.against[1].difference, 0.125)

  def test_no_reference(self):
    values = [0.7, 0.6, 0.9]
    (found,) = _compare(
      values, _normal(values, [0, 0, 0.01]), references=[None]
    )
    self.assertEqual(found.verdict, 'inconclusive')
    self.assertTrue(math.isnan(found.difference))
    self.assertIn('no fold has a reference', found.reason)
    self.assertGreater(found.against[0].low, 0)


class DegenerateTest(absltest.TestCase):
  def test_no_fusion_or_no_single_arm(self):
    values = [0.7, 0.6, 0.8]
    replicates = _normal(values, [0.01] * 3)
    self.assertEmpty(_compare(values, replicates, fusions=[]))
    self.assertEmpty(_compare(values, replicates, singles=[]))

  def test_identical_predictions_are_equivalent(self):
    values = [0.7, 0.6, 0.7, 0.8]
    replicates = _normal(values, [0.01] * 4)
    replicates[2] = replicates[0]
    found = _compare(values, replicates)
    self.assertEqual(found[0].verdict, 'equivalent')
    self.assertEqual((found[0].low, found[0].high), (0, 0))
    self.assertEqual((found[0].p, found[0].p_adjusted), (1, 1))
    self.assertIsNone(found[0].patients_needed)
    self.assertEqual(found[1].verdict, 'superior')

  def test_only_identical_predictions(self):
    replicates = _normal([0.7], [0.01])[[0, 0, 0]]
    (found,) = _compare([0.7, 0.7, 0.7], replicates)
    self.assertEqual(found.verdict, 'equivalent')

  def test_constant_difference_is_no_evidence(self):
    values = [0.5, 0.5, 1.0]
    (found,) = _compare(values, _normal(values, [0, 0, 0]))
    self.assertEqual(found.verdict, 'inconclusive')
    self.assertTrue(math.isnan(found.low))
    self.assertIn('does not vary', found.reason)

  def test_too_few_defined_replicates(self):
    values = [0.5, 0.5, 0.8]
    replicates = _normal(values, [0.1] * 3)
    replicates[:, :600] = np.nan
    (found,) = _compare(values, replicates)
    self.assertEqual(found.verdict, 'inconclusive')
    self.assertIn('only 399 of 999 resamples', found.reason)
    low, high, reason = comparison.interval(replicates[0])
    self.assertTrue(math.isnan(low) and math.isnan(high))
    self.assertIn('only 399 of 999', reason)


class MaxTTest(parameterized.TestCase):
  def test_one_arm_has_the_order_statistics_of_its_replicates(self):
    r = 999
    replicates = np.random.default_rng(0).permutation(r)[None] / r
    d = np.array([0.3])
    found = comparison.max_t(d, replicates)
    ascending = np.sort(replicates[0])
    # 25 = .025 * (r + 1) replicates lie beyond each bound.
    self.assertAlmostEqual(found.low[0], 2 * 0.3 - ascending[-25])
    self.assertAlmostEqual(found.high[0], 2 * 0.3 - ascending[24])
    self.assertAlmostEqual(found.p[0], found.p_adjusted[0])

  def test_more_arms_widen_the_bounds(self):
    rng = np.random.default_rng(0)
    replicates = rng.normal(size=(10, 4999))
    one = comparison.max_t(np.zeros(1), replicates[:1])
    ten = comparison.max_t(np.zeros(10), replicates)
    self.assertAlmostEqual(one.critical, stats.norm.isf(0.025), delta=0.1)
    expected = stats.norm.ppf(0.975**0.1)
    self.assertAlmostEqual(ten.critical, expected, delta=0.1)

  def test_correlated_arms_cost_nothing(self):
    replicates = np.random.default_rng(0).normal(size=(1, 1999))
    one = comparison.max_t(np.zeros(1), replicates)
    same = comparison.max_t(np.zeros(5), replicates[[0] * 5])
    self.assertEqual(one.critical, same.critical)

  def test_patients_needed_for_the_margin(self):
    values = [0.70, 0.6, 0.72]
    (found,) = _compare(values, _normal(values, [0, 0, 0.02], r=4999))
    expected = 100 * ((1.96 + 0.8416) * 0.02 / 0.02) ** 2
    self.assertAlmostEqual(found.patients_needed, expected, delta=60)

  def test_patients_needed_ignores_the_observed_difference(self):
    noise = _normal([0, 0, 0], [0, 0, 0.02])
    needed = [
      _compare(v, noise + np.array(v)[:, None])[0].patients_needed
      for v in ([0.7, 0.6, 0.7], [0.7, 0.6, 0.9])
    ]
    self.assertAlmostEqual(needed[0], needed[1], delta=1)


class ReferenceTest(absltest.TestCase):
  def test_best_on_validation(self):
    valid = {'image': 0.7, 'ehr': 0.8}
    choose = comparison.choose_reference
    self.assertEqual(choose(valid, ['image', 'ehr'], True), 'ehr')
    self.assertEqual(choose(valid, ['image', 'ehr'], False), 'image')

  def test_ties_and_undefined(self):
    choose = comparison.choose_reference
    tied = {'ehr': 0.7, 'image': 0.7}
    self.assertEqual(choose(tied, ['image', 'ehr'], True), 'image')
    undefined = {'image': math.nan, 'ehr': 0.5}
    self.assertEqual(choose(undefined, ['image', 'ehr'], True), 'ehr')
    self.assertIsNone(choose({'image': math.nan}, ['image'], True))


class FamilyWiseErrorTest(absltest.TestCase):
  """No arm is better than another: how often is one called superior?"""

  RUNS = 300
  PATIENTS = 120
  FUSIONS = 7

  def _superior(self, seed):
    rng = np.random.default_rng(seed)
    arms = ['image', 'ehr', *(f'f{i}' for i in range(self.FUSIONS))]
    n = 2 * self.PATIENTS
    patient = np.repeat(np.arange(self.PATIENTS), 2)

    def part(fold, rows, scores, y):
      return folds.Fold(
        repeat=0,
        fold=fold,
        study=rows.astype(str),
        patient=patient[rows].astype(str),
        labels=y[rows, None],
        weight=np.ones(len(rows)),
        complete=np.ones(len(rows), bool),
        scores={a: {0: scores[i, rows, None]} for i, a in enumerate(arms)},
      )

    # Studies of a patient share label and noise; fusion arms share noise.
    y = (rng.random(self.PATIENTS) < 0.4).astype(float)[patient]
    own = rng.normal(size=(len(arms), self.PATIENTS))[:, patient]
    shared = rng.normal(size=(self.PATIENTS))[patient]
    single = np.array([True, True] + [False] * self.FUSIONS)[:, None]
    noise = np.where(single, np.sqrt(2) * own, shared + own)
    scores = y + noise + 0.5 * rng.normal(size=(len(arms), n))
    fold = patient % 3
    test = [part(k, np.flatnonzero(fold == k), scores, y) for k in range(3)]
    valid = [
      part(k, np.flatnonzero(fold == (k + 1) % 3), scores, y) for k in range(3)
    ]
    metric = ['auroc']

    def of(parts):
      return estimates.estimate(BINARY, parts, arms=arms, wanted=metric)

    chosen = [
      comparison.choose_reference(
        dict(zip(arms, values, strict=True)), arms[:2], True
      )
      for values in of(valid).values['auroc']
    ]
    replicates = resampling.replicate(
      BINARY,
      test,
      arms=arms,
      wanted=metric,
      metric='auroc',
      resamples=resampling.draw(patient.astype(str), replicates=199, seed=seed),
    )
    found = comparison.compare(
      arms=arms,
      fusions=arms[2:],
      singles=arms[:2],
      references=chosen,
      values=of(test).values['auroc'],
      replicates=replicates.by_fold,
      margin=0.02,
      patients=self.PATIENTS,
    )
    return any(c.verdict == comparison.SUPERIOR for c in found), any(
      c.low > 0 for c in found
    )

  def test_rate_of_superior_on_null(self):
    superior, positive = np.mean(
      [self._superior(seed) for seed in range(self.RUNS)], axis=0
    )
    for rate, limit in ((superior, 0.05), (positive, 0.065)):
      count = round(rate * self.RUNS)
      lowest = stats.beta.ppf(0.05, count, self.RUNS - count + 1)
      self.assertFalse(lowest > 0.05, f'{rate:.3f}')
      self.assertLessEqual(rate, limit)


if __name__ == '__main__':
  absltest.main()
