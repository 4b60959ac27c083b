"""Tests of where a cohort's arrays lie."""

import sys
from unittest import mock

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import memory

GIB = 1 << 30
LIMITED = parallel_config.ParallelConfig(memory_limit=2.0)


class DecidedTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    # What was asked in this process stays.
    memory._limit.cache_clear()
    self.addCleanup(memory._limit.cache_clear)

  def test_what_fits_is_resident_and_needs_no_word(self):
    found, line = memory.decided(LIMITED, 2 * GIB)
    self.assertEqual((found.feed, line), (memory.RESIDENT, ''))

  def test_what_does_not_is_streamed_and_told(self):
    found, line = memory.decided(LIMITED, 3 * GIB)
    self.assertEqual(found.feed, memory.STREAM)
    self.assertEqual(
      line,
      "The cohort's arrays take 3 GiB, more than 2 GiB (parallel.memory_limit):"
      ' batches are streamed from the host.',
    )

  @parameterized.parameters(memory.RESIDENT, memory.STREAM)
  def test_what_is_asked_for_is_done(self, feed):
    config = parallel_config.ParallelConfig(feed=feed, memory_limit=2.0)
    for size in (1, 3 * GIB):
      self.assertEqual(memory.decided(config, size), (config, ''))

  def test_pmap_cannot_stream(self):
    config = parallel_config.ParallelConfig(strategy='pmap', memory_limit=2.0)
    self.assertEqual(memory.decided(config, 1)[0].feed, memory.RESIDENT)
    with self.assertRaisesRegex(
      errors.UserError, "3 GiB.*needs parallel.strategy=jit, not 'pmap'"
    ):
      memory.decided(config, 3 * GIB)

  def test_without_grain(self):
    with mock.patch.dict(sys.modules, {'grain': None}):
      memory.decided(LIMITED, 1)
      with self.assertRaisesRegex(
        errors.MissingPackageError, r"3 GiB.*'fusion_jax\[stream\]'"
      ):
        memory.decided(LIMITED, 3 * GIB)

  def test_a_share_of_the_hosts_free_memory_asked_once(self):
    config = parallel_config.ParallelConfig()
    files = {
      '/proc/meminfo': f'MemFree: 1 kB\nMemAvailable:  {10 << 20} kB\n',
      '/sys/fs/cgroup/memory.max': 'max\n',
    }
    with mock.patch.object(memory, '_read', files.get):
      self.assertEqual(memory.decided(config, 3 * GIB)[1], '')
      found, line = memory.decided(config, 4 * GIB)
      self.assertEqual(found.feed, memory.STREAM)
      self.assertIn('more than 3 GiB (30% of the free memory)', line)
      # What is placed takes of it: that must not count against its next use.
      files['/proc/meminfo'] = 'MemAvailable: 1 kB'
      self.assertEqual(memory.decided(config, 3 * GIB)[1], '')

  def test_what_a_container_is_allowed_counts(self):
    files = {
      '/proc/meminfo': f'MemAvailable:  {10 << 20} kB\n',
      '/sys/fs/cgroup/memory.max': f'{5 * GIB}\n',
    }
    with mock.patch.object(memory, '_read', files.get):
      line = memory.decided(parallel_config.ParallelConfig(), 4 * GIB)[1]
    self.assertIn('more than 1.5 GiB', line)

  def test_where_nobody_knows_everything_is_resident(self):
    with mock.patch.object(memory, '_read', lambda path: ''):
      found, _ = memory.decided(parallel_config.ParallelConfig(), 1 << 60)
    self.assertEqual(found.feed, memory.RESIDENT)

  def test_half_of_an_accelerators_memory(self):
    device = mock.Mock(platform='gpu')
    device.memory_stats.return_value = {'bytes_limit': 8 * GIB}
    with mock.patch.object(memory.jax, 'local_devices', lambda: [device]):
      config = parallel_config.ParallelConfig()
      self.assertEqual(memory.decided(config, 4 * GIB)[1], '')
      line = memory.decided(config, 5 * GIB)[1]
    self.assertIn("more than 4 GiB (50% of the device's memory)", line)


if __name__ == '__main__':
  absltest.main()
