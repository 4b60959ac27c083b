"""Tests of what nodes are given."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import nodes
from fusion_jax.parallel import strategy
from tests import tiny
from tests.ablation import classical_learners_test, config_test, plan_test


class ParallelTest(parameterized.TestCase):
  @parameterized.parameters(
    # Eight devices; two folds of as many seeds.
    ('ehr', 1, strategy.DATA),
    ('ehr', 3, strategy.DATA),
    ('ehr', 4, strategy.MEMBERS),
    ('extractor', 2, strategy.MEMBERS),
  )
  def test_sharding_follows_from_the_whole_plan(self, arm, seeds, shard):
    listed = ('ehr', 'image_linear')
    config = config_test.config(f'seeds={seeds}')
    plan = plan_test.make(f'seeds={seeds}', listed=listed)
    with self.subTest('auto'):
      found = nodes.parallel_of(config, plan, arm)
      self.assertEqual(found.shard, shard)
      self.assertEqual(found.devices, config.parallel.devices)
    with self.subTest('as configured'):
      config = config_test.config(f'seeds={seeds}', 'parallel.shard=data')
      found = nodes.parallel_of(config, plan, arm)
      self.assertEqual(found.shard, strategy.DATA)


class ResultsTest(absltest.TestCase):
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
