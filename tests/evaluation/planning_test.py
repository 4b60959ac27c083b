"""Tests of fusion_jax.evaluation.planning."""

import dataclasses
import json
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.evaluation import planning, power, registration

MARGIN = 0.02


@dataclasses.dataclass(frozen=True)
class Known:
  """Arms whose differences vary as said, whatever they gain."""

  scale: float = 1.0
  behind: tuple[float, ...] = (0.0, 0.0)
  se: tuple[float, ...] = (0.03, 0.04)
  singles = ('image', 'ehr')
  fusions = ('joint', 'late')
  metric = 'auroc'
  folds = 1
  reference = registration.BEST_SINGLE

  def arms(self, gains, patients):
    se = np.array(self.se)
    one = power.Arm(
      covariance=np.outer(se, se) * [[1, 0.5], [0.5, 1]],
      se=se,
      critical_low=np.array([2.2, 2.2]),
      critical_low90=np.array([1.9, 1.9]),
      critical_high=2.4,
      critical_high90=2.1,
      factor=1.2,
      patients=200,
    )
    other = dataclasses.replace(
      one, covariance=self.scale * one.covariance, se=self.scale**0.5 * one.se
    )
    return [one, other]

  def studies(self, patients):
    return 1.5 * patients

  def fewest(self, patients):
    return patients / 4

  def notes(self, need):
    return ['a note']


def plan(known=Known(), gains=(MARGIN, 0.0), margin=MARGIN, **more):
  known = dataclasses.replace(known, behind=np.array(known.behind))
  return planning.plan(known, gains=gains, margin=margin, **more)


class PlanTest(parameterized.TestCase):
  def test_tied_singles_need_what_the_summary_says(self):
    known = Known()
    arm, _ = known.arms((), 1)
    fields = {f.name: getattr(arm, f.name) for f in dataclasses.fields(arm)}
    expected = power.needed(**fields, margin=MARGIN)
    found = plan(known)
    self.assertAlmostEqual(found.superior.patients, expected.superior, delta=1)
    self.assertAlmostEqual(
      found.equivalent.patients, expected.equivalent, delta=1
    )

  def test_power_is_reached_there_and_not_before(self):
    found = plan(Known(behind=(0.0, 0.015)), gains=(0.03, 0.0), target=0.9)
    for need in (found.superior, found.equivalent):
      for patients, enough in (
        (need.patients, True),
        (need.patients - 2, False),
      ):
        share = power.shares(
          need.bounds,
          difference=need.gain + np.array([0.0, 0.015]),
          margin=MARGIN,
          patients=patients,
        )
        self.assertEqual(getattr(share, need.verdict) >= 0.9, enough, need)

  def test_a_weaker_single_is_easier_to_beat(self):
    tied, apart = plan(), plan(Known(behind=(0.0, 0.05)))
    self.assertLess(apart.superior.patients, tied.superior.patients)

  def test_the_arm_with_the_smallest_need(self):
    found = plan(Known(scale=0.5), gains=(MARGIN, MARGIN))
    self.assertEqual(found.superior.arm, 'late')
    self.assertEqual(found.equivalent.arm, 'late')
    self.assertEqual(
      [(n.arm, n.verdict) for n in found.needs],
      [
        (arm, verdict)
        for verdict in ('superior', 'equivalent')
        for arm in ('joint', 'late')
      ],
    )
    ratio = found.needs[0].patients / found.superior.patients
    self.assertAlmostEqual(ratio, 2, delta=0.02)

  def test_equivalent_is_planned_without_a_gain(self):
    found = plan()
    self.assertEqual({n.gain for n in found.needs[1:]}, {0.0})

  def test_curve(self):
    found = plan()
    sizes = [p.patients for p in found.curve]
    self.assertEqual(sizes, sorted(set(sizes)))
    for name in ('superior', 'equivalent'):
      values = [getattr(p, name) for p in found.curve]
      self.assertEqual(values, sorted(values))
      need = getattr(found, name)
      (at,) = [p for p in found.curve if p.patients == need.patients]
      self.assertGreaterEqual(getattr(at, name), 0.8)

  def test_without_margin(self):
    found = plan(margin=None)
    self.assertIsNone(found.equivalent)
    self.assertIsNotNone(found.superior)
    self.assertEqual(found.needs[-1].reason, power.NO_MARGIN)
    self.assertTrue(all(p.equivalent is None for p in found.curve))

  def test_without_variance(self):
    found = plan(Known(se=(0.0, 0.04)))
    self.assertIsNone(found.superior)
    self.assertEqual(found.curve, ())
    self.assertEqual({n.reason for n in found.needs}, {power.UNDEFINED})

  def test_never_enough(self):
    found = plan(Known(), gains=(1e-7, 0.0))
    self.assertIsNone(found.superior)
    self.assertIn('not even 100,000,000 patients', found.needs[0].reason)

  @parameterized.parameters(
    ({'gains': (0.1,)}, 'gain has 1 value for 2 fusion arms'),
    ({'gains': (0.0, -0.1)}, 'gain=0,-0.1: expected at least one number above'),
    ({'gains': (float('nan'), 0.1)}, 'gain=nan'),
    ({'margin': 0.0}, 'margin=0: expected a positive number'),
    ({'target': 1.0}, 'power=1: expected a number between 0 and 1'),
  )
  def test_bad(self, given, message):
    with self.assertRaisesRegex(errors.UserError, message):
      plan(**given)


class ToDictTest(absltest.TestCase):
  def test_sizes(self):
    known = dataclasses.replace(Known(), behind=np.zeros(2))
    found = plan()
    shown = planning.to_dict(found, known, MARGIN)
    json.dumps(shown, allow_nan=False)
    n = found.superior.patients
    self.assertEqual(shown['superior']['studies'], round(1.5 * n))
    self.assertEqual(shown['superior']['smaller_class'], round(n / 4))
    self.assertEqual(shown['factor'], 1.2)
    self.assertEqual(shown['notes'], ['a note'])

  def test_undefined_is_null_with_its_reason(self):
    known = dataclasses.replace(Known(se=(0.0, 0.04)), behind=np.zeros(2))
    shown = planning.to_dict(plan(known), known, MARGIN)
    json.dumps(shown, allow_nan=False)
    self.assertIsNone(shown['standard_errors_to_bounds'])
    self.assertIsNone(shown['needs'][0]['patients'])
    self.assertEqual(shown['needs'][0]['reason'], power.UNDEFINED)


class RegisteredTest(absltest.TestCase):
  def test_is_read_as_it_was_meant(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'r.toml'
    path.write_text(planning.registered(Known(), MARGIN, 'a\nb'), 'utf-8')
    found = registration.load(path)
    self.assertEqual(found.metric, 'auroc')
    self.assertEqual(found.margin, MARGIN)
    self.assertEqual(found.estimand, registration.MIN_SINGLE)
    self.assertEqual(found.arms, ('image', 'ehr', 'joint', 'late'))
    self.assertEqual(found.reference, registration.BEST_SINGLE)


if __name__ == '__main__':
  absltest.main()
