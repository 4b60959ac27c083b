"""Tests of what nodes are given."""

import numpy as np
from absl.testing import absltest

from fusion_jax.ablation import nodes
from fusion_jax.evaluation import predictions
from tests import tiny
from tests.ablation import classical_learners_test, config_test


class ResultsTest(absltest.TestCase):
  def test_parts_are_those_of_predictions(self):
    self.assertEqual(nodes.PARTS, predictions.PARTS)

  def test_validation_logits_are_of_models_that_had_not_seen_it(self):
    cohort = tiny.cohort()
    job = classical_learners_test.job_of(cohort, 'ehr_linear', inner_folds=3)
    one = classical_learners_test.learner_of('ehr_linear', cohort.task)
    trained = one.fit([job])
    work = nodes.Nodes(config_test.config(), cohort, [job.split], None, None)
    (arrays,), _ = work.results(one, [job], trained)
    np.testing.assert_array_equal(
      arrays['logits_valid'], trained[0].valid_logits
    )


if __name__ == '__main__':
  absltest.main()
