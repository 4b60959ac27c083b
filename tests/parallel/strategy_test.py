import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import strategy as strategies

Config = parallel_config.ParallelConfig


class CreateTest(parameterized.TestCase):
  def test_auto_cuts_members_where_there_are_enough(self):
    for members, shard in ((8, 'members'), (9, 'members'), (7, 'data')):
      strategy = strategies.create_strategy(Config(), members=members)
      self.assertEqual(strategy.shard, shard)
      self.assertLen(strategy.devices, 8)
      self.assertEqual(strategy.fleet, 'map')
    one = strategies.create_strategy(Config(devices=1), members=1)
    self.assertEqual((one.member_multiple, one.batch_multiple), (1, 1))

  def test_only_pmap_over_data_reduces_by_itself(self):
    for kind in strategies.STRATEGIES:
      for shard in ('data', 'members'):
        strategy = strategies.create_strategy(
          Config(strategy=kind, shard=shard), members=8
        )
        alone = kind == 'pmap' and shard == 'data'
        self.assertEqual(strategy.axis_name, 'data' if alone else None)

  @parameterized.parameters(
    ({'strategy': 'pmpa'}, "Did you mean 'pmap'"),
    ({'shard': 'member'}, "Did you mean 'members'"),
    ({'fleet': 'scan'}, 'Known parallel.fleet values: auto, map, vmap'),
    ({'devices': 9}, 'has 8 devices'),
    ({'devices': -1}, 'give 1 to 8'),
    ({'feed': 'steam'}, "Did you mean 'stream'"),
    ({'memory_limit': -1.0}, 'parallel.memory_limit=-1.0: expected GiB'),
    ({'memory_limit': float('nan')}, 'parallel.memory_limit=nan'),
    ({'fsdp': 3}, 'a divisor of the 8 devices'),
    ({'fsdp': 0}, 'a divisor of the 8 devices'),
    ({'fsdp': 2, 'strategy': 'pmap'}, 'needs parallel.strategy=jit'),
    ({'fsdp': 2, 'shard': 'members'}, 'parallel.shard=data'),
    ({'rules': ('a:b',)}, 'is no rule such as'),
  )
  def test_bad_values_are_one_line(self, fields, message):
    with self.assertRaisesRegex(errors.UserError, message):
      strategies.create_strategy(Config(**fields), members=1)


class CompileTest(parameterized.TestCase):
  @parameterized.product(
    kind=strategies.STRATEGIES,
    shard=('data', 'members'),
    fleet=('map', 'vmap'),
  )
  def test_programs_give_the_same_everywhere(self, kind, shard, fleet):
    members = {'scale': np.arange(1.0, 9.0, dtype=np.float32)}
    shared = np.linspace(-1, 1, 20, dtype=np.float32)
    rows = np.random.default_rng(0).integers(0, 20, (8, 3, 16))

    def run(kind, shard, devices, per_study):
      strategy = strategies.create_strategy(
        Config(strategy=kind, shard=shard, devices=devices, fleet=fleet),
        members=8,
      )

      def program(members, shared, plan):
        def one(member, rows):
          values = member['scale'] * shared[rows]  # (s, b)
          if per_study:
            return values
          total = values.sum()
          axis = strategy.axis_name
          return jax.lax.psum(total, axis) if axis else total

        return strategy.map_members(one)(members, plan)

      placed = strategy.place_shared(shared)
      compiled = strategy.compile(
        program, members, placed, rows, per_study=per_study
      )
      return np.asarray(compiled(members, placed, rows))

    for per_study in (True, False):
      np.testing.assert_allclose(
        run(kind, shard, 0, per_study),
        run('jit', 'data', 1, per_study),
        rtol=1e-5,
        atol=1e-5,
      )

  def test_large_arrays_of_members_are_cut(self):
    strategy = strategies.create_strategy(
      Config(devices=4, fsdp=2, rules=('kernel:largest',)), members=8
    )
    self.assertEqual(strategy.shard, 'data')
    self.assertEqual(strategy.batch_multiple, 4)
    members = {
      'kernel': np.ones((3, 16, 32), np.float32),
      'table': np.ones((3, 16, 32), np.float32),
      'scale': np.arange(3.0, dtype=np.float32),
    }
    rows = np.ones((3, 1, 8), np.float32)

    def program(members, shared, plan):
      def one(member, rows):
        return jax.tree.map(lambda x: x * rows.sum() * shared, member)

      return strategy.map_members(one)(members, plan)

    run = strategy.compile(program, members, 0.5, rows, donate=True)
    found = strategy.place_members(members)
    for _ in range(2):
      found = run(found, 0.5, rows)
      parts = {
        name: x.addressable_shards[0].data.shape for name, x in found.items()
      }
      self.assertEqual(
        parts, {'kernel': (3, 16, 16), 'table': (3, 16, 32), 'scale': (3,)}
      )
    for name, x in members.items():
      np.testing.assert_allclose(found[name], x * 16)
    one = strategy.place_members(
      {'kernel': members['kernel'][0]}, stacked=False
    )
    self.assertEqual(one['kernel'].addressable_shards[0].data.shape, (16, 16))

  def test_results_can_be_fed_back(self):
    members = jnp.arange(16.0)
    for kind in strategies.STRATEGIES:
      strategy = strategies.create_strategy(
        Config(strategy=kind, shard='members'), members=16
      )
      program = strategy.map_members(lambda m, p: m + p.sum())
      plan = np.ones((16, 1, 2), np.float32)
      run = strategy.compile(
        lambda m, s, p, program=program: program(m, p), members, 0.0, plan
      )
      np.testing.assert_array_equal(
        run(run(members, 0.0, plan), 0.0, plan), members + 4.0
      )


if __name__ == '__main__':
  absltest.main()
