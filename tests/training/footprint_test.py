"""Tests of what a model is said to take."""

import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from fusion_jax.training import footprint, neural
from tests import tiny

_EHR = models.ModelConfig((types.EHR,), combiner='additive')


def _measure(model, *, batch_size=8, size=8):
  cohort = tiny.cohort(size=size)
  config = training_config.TrainingConfig(epochs=1, batch_size=batch_size)
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
  )


class MeasureTest(absltest.TestCase):
  def test_a_network_of_vectors_takes_two_operations_a_weight(self):
    fitted, found = _measure(_EHR)
    # Embeddings are looked up; all other weights are multiplied and added.
    self.assertGreater(found.flops, 0.5 * fitted.parameters)
    self.assertLess(found.flops, 3 * fitted.parameters)
    self.assertGreater(found.latency_seconds, 0)
    # Parameters, their average and two moments at least, 4 bytes each.
    self.assertGreater(found.memory_bytes, 16 * fitted.parameters)

  def test_larger_batches_take_more_memory(self):
    small, large = (_measure(_EHR, batch_size=b)[1] for b in (8, 512))
    self.assertGreater(large.memory_bytes, small.memory_bytes)
    self.assertEqual(large.flops, small.flops)


class LatencyTest(absltest.TestCase):
  def test_calls_once_more_than_it_counts(self):
    calls = []
    self.assertGreaterEqual(footprint.latency(lambda: calls.append(0)), 0)
    self.assertLen(calls, 21)


if __name__ == '__main__':
  absltest.main()
