"""Tests of fusion_jax.evaluation.power."""

import dataclasses
import math

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from fusion_jax.evaluation import power
from fusion_jax.evaluation import verdict as verdict_lib

MARGIN = 0.02


def exchangeable(se, correlation) -> np.ndarray:
  """(s, s) covariance with the same correlation between all."""
  se = np.asarray(se, float)
  found = np.full((len(se), len(se)), float(correlation))
  np.fill_diagonal(found, 1)
  return found * np.outer(se, se)


def arm(se=(0.012, 0.015), correlation=0.4, factor=1.0, **changed) -> power.Arm:
  """One arm of a family of a few, tested on 500 patients."""
  s = len(se)
  return dataclasses.replace(
    power.Arm(
      covariance=exchangeable(se, correlation),
      se=np.array(se),
      critical_low=np.linspace(2.2, 2.4, s),
      critical_low90=np.linspace(1.9, 2.1, s),
      critical_high=2.5,
      critical_high90=2.2,
      factor=factor,
      patients=500,
    ),
    **changed,
  )


def needed(x: power.Arm, margin=MARGIN, **more) -> power.Needed:
  fields = {f.name: getattr(x, f.name) for f in dataclasses.fields(x)}
  return power.needed(**fields, margin=margin, **more)


def called(x: power.Arm, d: np.ndarray, patients: float) -> str:
  """The verdict on observed differences of one data set."""
  se = x.factor * x.se * math.sqrt(x.patients / patients)
  verdict, _ = verdict_lib.judge(
    d - x.critical_low * se,
    d + x.critical_high * se,
    d - x.critical_low90 * se,
    d + x.critical_high90 * se,
    MARGIN,
  )
  return verdict


def counted(x: power.Arm, true, patients, draws=4000) -> dict[str, float]:
  """Shares of verdicts, one data set after the other."""
  k = math.sqrt(x.patients / patients)
  rng = np.random.default_rng(7)
  z = rng.multivariate_normal(np.zeros(len(x.se)), x.covariance, draws)
  names = [called(x, true + x.factor * k * row, patients) for row in z]
  return {name: names.count(name) / draws for name in set(names)}


class NeededTest(parameterized.TestCase):
  def test_one_single_by_the_textbook(self):
    # (z of the test + z of the power)^2 variances over the margin's square.
    x = arm(se=(0.03,), critical_low=np.array([1.959964]))
    expected = 500 * ((1.959964 + 0.841621) * 0.03 / MARGIN) ** 2
    self.assertAlmostEqual(needed(x).superior / expected, 1, delta=0.02)

  @parameterized.product(
    se=[(0.012,), (0.012, 0.015), (0.01, 0.01, 0.02, 0.03)],
    correlation=[0.0, 0.7],
    factor=[1.0, 1.25],
  )
  def test_brute_force(self, se, correlation, factor):
    x = arm(se, correlation, factor)
    found = needed(x)
    superior = counted(x, np.full(len(se), MARGIN), found.superior)
    self.assertAlmostEqual(superior['superior'], 0.8, delta=0.025)
    if found.equivalent:
      equivalent = counted(x, np.zeros(len(se)), found.equivalent)
      self.assertAlmostEqual(equivalent['equivalent'], 0.8, delta=0.025)
      fewer = counted(x, np.zeros(len(se)), 0.8 * found.equivalent)
      self.assertLess(fewer['equivalent'], 0.77)

  def test_is_the_smallest_number(self):
    x = arm()
    found = needed(x)
    for name, true in (('superior', MARGIN), ('equivalent', 0.0)):
      n = getattr(found, name)
      for patients, enough in ((n, True), (0.99 * n, False)):
        share = getattr(
          power.shares(
            x, difference=[true] * 2, margin=MARGIN, patients=patients
          ),
          name,
        )
        self.assertEqual(share >= 0.8, enough, (name, patients))

  def test_grows_with_the_square_of_the_factor(self):
    plain, wide = needed(arm()), needed(arm(factor=1.3))
    for name in ('superior', 'equivalent'):
      ratio = getattr(wide, name) / getattr(plain, name)
      self.assertAlmostEqual(ratio, 1.69, delta=0.01)

  def test_does_not_depend_on_the_patients_it_was_seen_in(self):
    x = arm()
    larger = dataclasses.replace(
      x, covariance=x.covariance / 4, se=x.se / 2, patients=2000
    )
    self.assertEqual(needed(x), needed(larger))

  def test_more_power_needs_more(self):
    some, more = needed(arm(), power=0.8), needed(arm(), power=0.9)
    self.assertGreater(more.superior, some.superior)
    self.assertGreater(more.equivalent, some.equivalent)

  @parameterized.parameters(
    ({'se': np.array([0.01, np.nan])}, power.UNDEFINED),
    ({'se': np.array([0.01, 0.0])}, power.UNDEFINED),
    ({'covariance': np.full((2, 2), np.nan)}, power.UNDEFINED),
    ({'critical_low': np.array([2.2, np.nan])}, power.NO_BOUND),
    ({'critical_high': math.inf}, power.NO_BOUND),
  )
  def test_undefined(self, changed, reason):
    found = needed(arm(**changed))
    self.assertEqual(found, power.Needed(None, None, reason, reason))

  def test_without_a_margin(self):
    found = needed(arm(), margin=None)
    self.assertEqual(found.superior_reason, power.NO_MARGIN)

  def test_too_many_draws_are_inferior_at_any_size(self):
    found = needed(arm(critical_high=0.5))
    self.assertIsNone(found.equivalent)
    self.assertRegex(found.equivalent_reason, r'\d+% of studies of any size')
    self.assertIsNotNone(found.superior)

  def test_covariance_of_no_full_rank(self):
    x = arm(se=(0.012, 0.012), correlation=1.0)
    one = arm(se=(0.012,), critical_low=x.critical_low[-1:])
    ratio = needed(x).superior / needed(one).superior
    self.assertAlmostEqual(ratio, 1, delta=0.02)


class LeastTest(absltest.TestCase):
  def test_smallest_of_each(self):
    needs = {
      'a': power.Needed(900, None, '', 'x'),
      'b': power.Needed(700, 400),
      'c': power.Needed(700, 300),
    }
    self.assertEqual(power.least(needs), (('b', 700), ('c', 300)))

  def test_none(self):
    needs = {'a': power.Needed(None, None, 'x', 'x')}
    self.assertEqual(power.least(needs), (None, None))


class SharesTest(parameterized.TestCase):
  @parameterized.parameters(
    ((0.03, 0.05), 700), ((0.0, 0.02), 2500), ((-0.03, 0.01), 900)
  )
  def test_one_after_the_other(self, true, patients):
    x = arm(factor=1.2)
    found = power.shares(x, difference=true, margin=MARGIN, patients=patients)
    expected = counted(x, np.array(true), patients)
    shares = dataclasses.asdict(found)
    shares['inconclusive'] = 1 - sum(shares.values())
    for name, share in shares.items():
      self.assertAlmostEqual(
        share, expected.get(name, 0), delta=0.025, msg=name
      )

  def test_a_factor_that_only_widens_the_bounds(self):
    x = arm(factor=1.4)
    wide, calm = (
      power.shares(
        x, difference=[0.03, 0.03], margin=MARGIN, patients=3000, spread=spread
      )
      for spread in (None, 1.0)
    )
    self.assertGreater(calm.superior, wide.superior)

  def test_undefined(self):
    with self.assertRaisesRegex(ValueError, 'no standard error'):
      power.shares(
        arm(se=(0.01, 0.0)), difference=[0, 0], margin=MARGIN, patients=99
      )


class TiedLeanTest(parameterized.TestCase):
  # The mean of the largest of k standard normal numbers.
  @parameterized.parameters((2, 0.56419, -0.005), (4, 1.02938, -0.0095))
  def test_tied_singles(self, k, largest, measured):
    # Differences share the fusion arm's error, hence their correlation; what
    # the singles have of their own is se * sqrt(1 - correlation).
    se, correlation = 0.012, 0.42
    found = power.tied_lean(np.zeros(k), exchangeable([se] * k, correlation))
    exact = -se * math.sqrt(1 - correlation) * largest
    self.assertAlmostEqual(found, exact, delta=2e-4)
    self.assertAlmostEqual(found, measured, delta=5e-4)

  def test_two_singles_by_clark(self):
    # Clark (1961): the mean of the smaller of two correlated normals.
    d, se, correlation = np.array([0.02, 0.01]), np.array([0.02, 0.01]), 0.3
    theta = math.sqrt(se @ se - 2 * correlation * se[0] * se[1])
    x = (d[0] - d[1]) / theta
    density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    mean = d[0] * special.ndtr(-x) + d[1] * special.ndtr(x) - theta * density
    found = power.tied_lean(d, exchangeable(se, correlation))
    self.assertAlmostEqual(found, mean - 0.01, delta=2e-4)

  def test_far_apart_or_one(self):
    far = power.tied_lean([0.2, 0.0], exchangeable([0.01, 0.01], 0.0))
    self.assertAlmostEqual(far, 0, delta=1e-9)
    self.assertEqual(power.tied_lean([0.2], [[0.01]]), 0)

  def test_factor(self):
    covariance = exchangeable([0.01, 0.02], 0.2)
    plain = power.tied_lean([0, 0], covariance)
    self.assertAlmostEqual(
      power.tied_lean([0, 0], covariance, 1.5) / plain, 1.5
    )

  def test_undefined(self):
    covariance = exchangeable([0.01, 0.02], 0.2)
    self.assertTrue(math.isnan(power.tied_lean([0, np.nan], covariance)))


class ChoiceLeanTest(parameterized.TestCase):
  def test_independent_arms_that_are_equal(self):
    covariance = np.eye(4).reshape(4, 1, 4, 1) * 0.01**2
    found = power.choice_lean(np.zeros((4, 1)), covariance)
    self.assertAlmostEqual(found, 0.01 * 1.02938, delta=2e-4)

  def test_one_arm_far_ahead_or_all_alike(self):
    covariance = np.eye(3).reshape(3, 1, 3, 1) * 0.01**2
    ahead = power.choice_lean(np.array([[0.3], [0], [0]]), covariance)
    self.assertAlmostEqual(ahead, 0, delta=1e-9)
    same = np.ones((3, 1, 3, 1)) * 0.01**2
    alike = power.choice_lean(np.zeros((3, 1)), same)
    self.assertAlmostEqual(alike, 0, delta=1e-9)

  def test_one_draw_after_the_other(self):
    f, s = 3, 2
    root = np.random.default_rng(1).normal(size=(f * s, f * s)) * 0.005
    covariance = root @ root.T
    d = np.array([[0.01, 0.02], [0.015, 0.0], [0.0, 0.01]])
    found = power.choice_lean(d, covariance.reshape(f, s, f, s), 1.2)
    rng = np.random.default_rng(2)
    z = rng.multivariate_normal(np.zeros(f * s), 1.44 * covariance, 60_000)
    gains = (d + z.reshape(-1, f, s)).min(axis=2)
    means = gains.mean(axis=0)
    expected = np.mean([g.max() - means[g.argmax()] for g in gains])
    self.assertGreater(expected, 0.002)
    self.assertAlmostEqual(found, expected, delta=2e-4)

  def test_an_undefined_arm_is_left_out(self):
    covariance = np.eye(3).reshape(3, 1, 3, 1) * 0.01**2
    two = power.choice_lean(np.zeros((2, 1)), covariance[:2, :, :2])
    covariance[2] = covariance[:, :, 2] = np.nan
    found = power.choice_lean(np.array([[0], [0], [np.nan]]), covariance)
    self.assertAlmostEqual(found, two)
    none = power.choice_lean(np.full((3, 1), np.nan), covariance)
    self.assertTrue(math.isnan(none))


if __name__ == '__main__':
  absltest.main()
