"""Tests of what nodes are given."""

from absl.testing import absltest, parameterized

from fusion_jax.ablation import nodes
from fusion_jax.parallel import strategy
from tests.ablation import config_test, plan_test


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


if __name__ == '__main__':
  absltest.main()
