"""Tests of late rules as learners; classical_learners_test.py runs them too."""

import dataclasses

import numpy as np
from absl.testing import absltest

from fusion_jax.ablation import arm, families, rule_learner, views
from fusion_jax.fusion import late
from tests import tiny
from tests.ablation import learner_test

KNOWN = families.review(families.USUAL)


class RuleTest(absltest.TestCase):
  def test_a_term_is_there_where_any_of_its_modalities_is(self):
    cohort = tiny.cohort(absent=True)
    both = {
      m: arm.Input('image', of='joint', view=views.LOGITS)
      for m in ('image', 'ehr')
    }
    rule = dataclasses.replace(KNOWN['late_mean'], inputs=both)
    rows = np.arange(len(cohort))
    found = rule_learner.Rule(rule, cohort.task).present(cohort, rows)
    self.assertEqual(list(found), ['image'])
    np.testing.assert_array_equal(
      found['image'], np.any([*cohort.present.values()], axis=0)
    )

  def test_it_needs_no_rows_to_train_on(self):
    cohort = tiny.cohort()
    job = learner_test.job(cohort)
    cohort.labels[job.split.train] = 0
    rule_learner.Rule(KNOWN['late_mean'], cohort.task).check(job)

  def test_all_that_trees_hold_is_counted(self):
    rule = dataclasses.replace(KNOWN['late_mean'], rule='stack_trees')
    cohort = tiny.cohort()
    model = late.LateRule(
      'stack_trees',
      cohort.task,
      ('image', 'ehr'),
      (0.0,),
      {'trees': [[[0, 0.5, 1.0, [1, 0.2, 0.1, 0.3]]], [[0.7]]], 'unit': 1.0},
    )
    self.assertEqual(rule_learner.Rule(rule, cohort.task).size(model), 9)


if __name__ == '__main__':
  absltest.main()
