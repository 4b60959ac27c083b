"""Tests of what a model is said to take."""

import functools
from unittest import mock

import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from fusion_jax.training import footprint, neural
from tests import tiny

_EHR = tiny.model_config(types.EHR, combiner='additive')


def _measure(model, *, batch_size=8, size=8, encode=False):
  cohort = tiny.cohort(size=size)
  config = training_config.TrainingConfig(
    epochs=1, least_steps=0, least_patience=0, batch_size=batch_size
  )
  data = tiny.fleet_data(cohort)
  rows = np.arange(20)
  fitted = neural.fit_fleet(
    model_config=model,
    task=cohort.task,
    data=data,
    members=[neural.Member(rows[:12], rows[12:], seed=0)],
    config=config,
    parallel=parallel_config.ParallelConfig(devices=1),
  ).fitted[0]
  return fitted, footprint.measure(
    model_config=model,
    task=cohort.task,
    data=data,
    fitted=fitted,
    config=config,
    encode=encode,
  )


class MeasureTest(absltest.TestCase):
  def test_a_network_of_vectors_takes_two_operations_a_weight(self):
    fitted, found = _measure(_EHR)
    # Embeddings are looked up; all other weights are multiplied and added.
    self.assertGreater(found.flops, 0.5 * fitted.parameters)
    self.assertLess(found.flops, 3 * fitted.parameters)
    self.assertLen(found.predict(), 1)
    # Parameters, their average and two moments at least, 4 bytes each.
    self.assertGreater(found.memory_bytes, 16 * fitted.parameters)

  def test_larger_batches_take_more_memory(self):
    small, large = (_measure(_EHR, batch_size=b)[1] for b in (8, 512))
    self.assertGreater(large.memory_bytes, small.memory_bytes)
    self.assertEqual(large.flops, small.flops)

  def test_features_need_no_head(self):
    fitted, logits = _measure(_EHR)
    _, features = _measure(_EHR, encode=True)
    width = features.predict()[types.EHR].shape[1]
    head = sum(x.size for x in jax.tree.leaves(fitted.params['combiner']))
    self.assertGreaterEqual(logits.flops - features.flops, 2 * (head - 1))
    self.assertEqual(features.memory_bytes, logits.memory_bytes)
    self.assertLess(width, head)


class LatenciesTest(absltest.TestCase):
  def _latencies(self, *seconds):
    """Of calls that are said to take (20,) seconds each."""
    now, told = [], [0.0]
    calls = {k: functools.partial(now.append, k) for k in range(len(seconds))}
    for turn in zip(*seconds, strict=True):
      for taken in turn:
        told += [told[-1], told[-1] + taken]
    clock = mock.patch.object(
      footprint.time, 'perf_counter', side_effect=told[1:]
    )
    with clock:
      return footprint.latencies(calls), now

  def test_median_and_spread(self):
    # One call in four is disturbed, as long as may be.
    calm, disturbed = np.arange(15) / 14, [100.0] * 5
    found, _ = self._latencies([*calm, *disturbed], [2.0] * 20)
    low, median, high = np.quantile([*calm, *disturbed], (0.25, 0.5, 0.75))
    self.assertAlmostEqual(found[0].seconds, median)
    self.assertLess(found[0].seconds, 1)
    np.testing.assert_allclose(found[0].iqr_seconds, (low, high))
    self.assertAlmostEqual(found[1].seconds, 2)
    np.testing.assert_allclose(found[1].iqr_seconds, 2)

  def test_calls_take_turns_after_one_that_is_not_counted(self):
    _, calls = self._latencies([1.0] * 20, [2.0] * 20)
    self.assertEqual(calls, [0, 1] * 21)


if __name__ == '__main__':
  absltest.main()
