"""Tests of gains over the best single arm, from replicates."""

import math

import numpy as np
from absl.testing import absltest

from fusion_jax.evaluation import bounds, comparison


def _compare(values, replicates, *, singles=2, factor=1.0, **changes):
  """Arms are s0, s1, ..., f0, f1, ...; one fold unless values are (g, a)."""
  values, replicates = np.asarray(values, float), np.asarray(replicates)
  if values.ndim == 1:
    values, replicates = values[None], replicates[None]
  names = [f's{i}' for i in range(singles)]
  arms = [*names, *(f'f{i}' for i in range(values.shape[1] - singles))]
  settings = dict(
    arms=arms,
    fusions=arms[singles:],
    singles=names,
    values=values,
    families=comparison.resampled(arms, replicates, values, factor),
    margin=0.02,
  )
  return comparison.compare(**{**settings, **changes}).gains


def _normal(values, sds, *, r=999, seed=0):
  """(a, r) replicates around `values` with independent errors."""
  rng = np.random.default_rng(seed)
  noise = rng.normal(size=(len(values), r)) * np.asarray(sds)[:, None]
  return np.asarray(values)[:, None] + noise


class CompareTest(absltest.TestCase):
  def test_the_best_single_is_the_same_for_every_arm(self):
    values = [0.70, 0.65, 0.80, 0.705, 0.70, 0.60]
    gains = _compare(values, _normal(values, [0, 0, 0.01, 0.002, 0.05, 0.01]))
    self.assertEqual([g.single for g in gains], ['s0'] * 4)
    self.assertEqual(
      [g.verdict for g in gains],
      ['superior', 'equivalent', 'inconclusive', 'inferior'],
    )
    for g in gains:
      self.assertLessEqual(g.low, g.low90)
      self.assertLess(g.low90, g.difference)
      self.assertLess(g.difference, g.high90)
      self.assertLessEqual(g.high90, g.high)
      self.assertGreaterEqual(g.p_adjusted, g.p)
      self.assertEqual(g.low > 0, g.p_adjusted <= bounds.ALPHA)
      self.assertEqual(g.difference, min(x.difference for x in g.against))
      self.assertEqual(g.low, min(x.low for x in g.against))
      self.assertEqual(g.high, min(x.high for x in g.against))
      self.assertEqual(g.p_adjusted, max(x.p_adjusted for x in g.against))

  def test_means_over_folds_come_before_the_minimum(self):
    values = np.array([[0.7, 0.6, 0.8], [0.6, 0.75, 0.8]])
    replicates = np.stack([_normal(v, [0.01] * 3) for v in values])
    (gain,) = _compare(values, replicates)
    self.assertEqual(gain.single, 's1')
    self.assertAlmostEqual(gain.difference, 0.125)
    np.testing.assert_allclose(gain.fold_differences, [0.2, 0.05])

  def test_an_arm_that_lacks_a_fold_is_at_best_inconclusive(self):
    values = np.array([[0.7, 0.6, 0.9, 0.3], [0.7, 0.6, np.nan, np.nan]])
    replicates = np.stack([_normal(v, [0.01] * 4) for v in values])
    better, worse = _compare(values, replicates)
    self.assertAlmostEqual(better.difference, 0.2)
    self.assertGreater(better.low, 0)
    self.assertEqual(better.verdict, 'inconclusive')
    self.assertIn("'f0' has no result in a fold", better.reason)
    self.assertEqual(worse.verdict, 'inferior')

  def test_a_single_that_lacks_a_fold_holds_all_back(self):
    values = np.array([[0.7, 0.6, 0.9], [0.7, np.nan, 0.9]])
    replicates = np.stack([_normal(v, [0.01] * 3) for v in values])
    (gain,) = _compare(values, replicates)
    self.assertEqual(gain.verdict, 'inconclusive')
    self.assertIn("'s1' has no result in a fold", gain.reason)
    # Folds where both are defined.
    self.assertAlmostEqual(gain.against[1].difference, 0.3)

  def test_a_fold_that_is_undefined_for_all_is_no_gap(self):
    values = np.array([[0.7, 0.6, 0.9], [np.nan] * 3])
    replicates = np.stack([_normal(v, [0.01] * 3) for v in values])
    self.assertEqual(_compare(values, replicates)[0].verdict, 'superior')

  def test_missing_single_caps_the_verdict(self):
    values = [0.7, 0.6, 0.9, 0.4]
    replicates = _normal(values, [0.01] * 4)
    better, worse = _compare(values, replicates, missing='no image arm')
    self.assertEqual(
      (better.verdict, better.reason), ('inconclusive', 'no image arm')
    )
    self.assertEqual(worse.verdict, 'inferior')

  def test_factor_can_turn_a_verdict_and_fragile_names_the_other(self):
    values = [0.70, 0.60, 0.722]
    replicates = _normal(values, [0, 0, 0.01], r=9999)
    one = _compare(values, replicates, sensitivity=0.1)[0]
    self.assertEqual((one.verdict, one.fragile), ('superior', ''))
    close = _compare(values, replicates, factor=1.05, sensitivity=0.1)[0]
    self.assertEqual(
      (close.verdict, close.fragile), ('superior', 'inconclusive')
    )
    wide = _compare(values, replicates, factor=1.25, sensitivity=0.1)[0]
    self.assertEqual((wide.verdict, wide.fragile), ('inconclusive', ''))
    self.assertAlmostEqual(wide.se, 1.25 * one.se)

  def test_nothing_to_compare(self):
    values = [0.7, 0.6, 0.8]
    replicates = _normal(values, [0.01] * 3)
    self.assertEmpty(_compare(values, replicates, fusions=[]))
    self.assertEmpty(_compare(values, replicates, singles=0, fusions=['f0']))

  def test_identical_to_the_best_single_is_equivalent(self):
    values = [0.7, 0.6, 0.7]
    replicates = _normal(values, [0.01] * 3)
    replicates[2] = replicates[0]
    (gain,) = _compare(values, replicates)
    self.assertEqual(gain.verdict, 'equivalent')
    self.assertEqual((gain.low, gain.p_adjusted), (0, 1))

  def test_constant_difference_is_no_evidence(self):
    values = [0.5, 0.5, 1.0]
    (gain,) = _compare(values, _normal(values, [0, 0, 0]))
    self.assertEqual(gain.verdict, 'inconclusive')
    self.assertTrue(math.isnan(gain.low))
    self.assertIn('does not vary', gain.reason)


class PickedOnValidationTest(absltest.TestCase):
  def test_what_is_picked_can_be_weaker(self):
    values = np.array([[0.84, 0.80, 0.805]])
    replicates = _normal(values[0], [0.004] * 3)[None]
    arms = ['image', 'ehr', 'joint']
    common = dict(
      arms=arms,
      fusions=['joint'],
      values=values,
      margin=0.02,
      families=comparison.resampled(arms, replicates, values, 1.0),
    )
    (gain,) = comparison.compare(**common, singles=['image', 'ehr']).gains
    self.assertEqual(gain.verdict, 'inferior')
    (picked,) = comparison.picked_on_validation(
      **common, references=['ehr'], gains=[gain]
    )
    self.assertAlmostEqual(picked.difference, 0.005)
    self.assertEqual(picked.verdict, 'equivalent')

  def test_superior_only_if_every_single_is_beaten(self):
    values = np.array([[0.80, 0.70, 0.80]])
    replicates = _normal(values[0], [0.004] * 3)[None]
    arms = ['image', 'ehr', 'joint']
    common = dict(
      arms=arms,
      fusions=['joint'],
      values=values,
      margin=0.02,
      families=comparison.resampled(arms, replicates, values, 1.0),
    )
    gains = comparison.compare(**common, singles=['image', 'ehr']).gains
    (picked,) = comparison.picked_on_validation(
      **common, references=['ehr'], gains=gains
    )
    self.assertGreater(picked.low, 0)
    self.assertEqual(picked.verdict, 'inconclusive')
    self.assertIn('every single modality', picked.reason)

  def test_nothing_was_picked(self):
    self.assertEmpty(
      comparison.picked_on_validation(
        arms=['a'],
        fusions=['a'],
        references=[None],
        values=np.zeros((1, 1)),
        margin=0.02,
        families=None,
        gains=[],
      )
    )


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


if __name__ == '__main__':
  absltest.main()
