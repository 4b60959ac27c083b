"""Tests of late rules as learners; classical_learners_test.py runs them too."""

import dataclasses

import numpy as np
from absl.testing import absltest

from fusion_jax.ablation import arm, families, rule_learner, views
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


if __name__ == '__main__':
  absltest.main()
