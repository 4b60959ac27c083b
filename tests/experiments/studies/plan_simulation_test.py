"""Tests of experiments.studies.plan_simulation."""

import dataclasses

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from scipy import stats

from experiments.studies import plan_simulation
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import design as design_lib
from fusion_jax.evaluation import planning
from tests.launch import launched

DESIGN = design_lib.Binormal(
  singles=('image', 'ehr'),
  fusions=('joint', 'late'),
  auroc_single=(0.80, 0.78),
  prevalence=0.3,
)
# As a study would have, but for fewer replicates.
CONFIG = config_lib.EvaluationConfig(replicates=499)


class FoldsTest(absltest.TestCase):
  def test_every_patient_is_tested_once_with_both_classes_in_each_part(self):
    design = dataclasses.replace(
      DESIGN, folds=4, studies_per_patient=1.5, icc=0.3
    )
    folds = plan_simulation.folds_of(
      design, np.random.default_rng(0), gains=[0.05, 0], patients=200
    )
    patients = [set(f.patient) for f in folds]
    self.assertLen(set.union(*patients), 200)
    self.assertEqual(sum(map(len, patients)), 200)
    for fold in folds:
      sick = set(fold.patient[fold.labels[:, 0] == 1])
      self.assertLen(sick, 15)
    found = plan_simulation.verdicts(design, folds, margin=0.02, config=CONFIG)
    self.assertEqual(set(found), {'joint', 'late'})


class PowerTest(parameterized.TestCase):
  def test_a_large_gain_is_seen_and_none_is_not(self):
    found = planning.plan(DESIGN, gains=(0.08, 0.0), margin=0.05)
    large = dataclasses.replace(found.superior, patients=2500)
    none = dataclasses.replace(large, gain=0.0)
    common = {'margin': 0.05, 'runs': 4, 'config': CONFIG}
    count, expected = plan_simulation.power_of(DESIGN, large, **common)
    self.assertEqual(count, 4)
    self.assertGreater(expected, 0.99)
    count, expected = plan_simulation.power_of(DESIGN, none, **common)
    self.assertEqual(count, 0)
    self.assertLess(expected, 0.025)

  @parameterized.named_parameters(
    ('one_part', {}, 0.05, 0.04),
    ('clusters', {'studies_per_patient': 1.5, 'icc': 0.5}, 0.05, 0.04),
    ('folds', {'folds': 5}, 0.06, 0.05),
    (
      'four_tied',
      {'singles': tuple('abcd'), 'auroc_single': (0.8,) * 4},
      0.05,
      0.05,
    ),
  )
  @pytest.mark.slow
  def test_planned_power_is_that_of_the_real_verdict(
    self, changed, gain, margin
  ):
    design = dataclasses.replace(DESIGN, **changed)
    plan = planning.plan(design, gains=(gain, 0.0), margin=margin)
    runs = 200
    for need in (plan.superior, plan.equivalent):
      count, expected = plan_simulation.power_of(
        design, need, margin=margin, runs=runs, config=CONFIG
      )
      if design.folds == 1:
        self.assertAlmostEqual(expected, 0.8, delta=0.01)
      # The exact 99.9% interval of a binomial count, and one run to spare for
      # bounds from 499 replicates.
      low, high = stats.binom.interval(0.999, runs, expected)
      self.assertBetween(count, low - 1, high + 1, need.verdict)


class LaunchedTest(launched.LaunchedTestCase):
  module = 'experiments.studies.plan_simulation'
  flags = ('--auroc_single=.80,.78', '--prevalence=.2', '--gain=.1')

  def test_a_sentence_for_each_verdict(self):
    done = self.run_launcher(*self.flags, '--margin=.08', '--simulations=3')
    self.assertEqual(done.returncode, 0, done.stderr)
    lines = ' '.join(done.stdout.split())
    self.assertRegex(lines, r"simulated: \d of 3 studies .* 'fusion1' superior")
    self.assertRegex(lines, r"simulated: \d of 3 .* 'fusion1' equivalent")
    self.assertIn('expected 0.800', lines)

  def test_bad_input_is_one_line(self):
    for flags, message in (
      ([*self.flags, '--simulations=0'], '--simulations=0'),
      (['--gain=.1'], 'Give --auroc_single'),
      (['--simulatoins=3'], "Did you mean '--simulations'"),
    ):
      done = self.run_launcher(*flags)
      self.assertEqual(done.returncode, 2, done.stderr)
      (line,) = done.stderr.strip().splitlines()
      self.assertIn(message, line)


if __name__ == '__main__':
  absltest.main()
