"""Tests of models fed from the host: they are those of the resident cohort."""

import dataclasses
import pathlib
import sys
from unittest import mock

import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import batches, loop, neural
from fusion_jax.training import config as training_config
from tests import tiny
from tests.encoders import normalised  # noqa: F401

CONFIG = training_config.TrainingConfig(
  epochs=4, least_steps=0, least_patience=0, batch_size=12
)
MODEL = tiny.model_config(types.EHR, ehr='normalised', combiner='concat')
RESIDENT = parallel_config.ParallelConfig(devices=1)
STREAM = dataclasses.replace(RESIDENT, feed='stream')
ROWS = np.arange(96)


class FitError(Exception):
  pass


def _options(kind=types.BINARY):
  cohort = tiny.cohort(kind=kind, absent=True)
  other = tiny.source(cohort)
  table = other.parts[types.EHR]
  doubled = {**table.derived, 'numeric': table.derived['numeric'] * 2}
  table = dataclasses.replace(table, derived=doubled)
  other = batches.Source({**other.parts, types.EHR: table})
  return {
    'model_config': MODEL,
    'task': cohort.task,
    'data': batches.FleetData(cohort, (tiny.source(cohort), other)),
  }


def _fit(options, parallel, *, config=CONFIG, **more):
  members = [
    neural.Member(ROWS[:64], ROWS[64:90], seed=0, source=1),
    neural.Member(ROWS[10:50], ROWS[64:90], seed=1),
  ]
  return neural.fit_fleet(
    **options, members=members, config=config, parallel=parallel, **more
  ).fitted


def _gap(one, two):
  norms = [
    np.sqrt(sum((x**2).sum() for x in jax.tree.leaves(tree)))
    for tree in (
      jax.tree.map(np.subtract, one.variables, two.variables),
      one.variables,
    )
  ]
  return norms[0] / norms[1]


class LoopTest(parameterized.TestCase):
  @parameterized.parameters(types.BINARY, types.SURVIVAL)
  def test_trains_and_predicts_what_the_resident_cohort_does(self, kind):
    options = _options(kind)
    # Rates that are too high amplify the last bit.
    config = dataclasses.replace(CONFIG, learning_rate=1e-4)
    one, two = (_fit(options, p, config=config) for p in (RESIDENT, STREAM))
    for a, b in zip(one, two, strict=True):
      self.assertLess(_gap(a, b), 1e-6)
      np.testing.assert_allclose(a.history, b.history, rtol=1e-5)
      self.assertEqual(a.best_epoch, b.best_epoch)
    asked = {'fitted': one, 'sources': [1, 0], 'rows': [ROWS[::-1], ROWS[:5]]}
    here, there = (
      neural.predict_fleet(**options, **asked, parallel=p)
      for p in (RESIDENT, STREAM)
    )
    for a, b in zip(here, there, strict=True):
      np.testing.assert_allclose(a, b, atol=1e-5)
    here, there = (
      neural.encode_fleet(**options, **asked, parallel=p, modality=types.EHR)
      for p in (RESIDENT, STREAM)
    )
    for a, b in zip(here, there, strict=True):
      np.testing.assert_allclose(a, b, atol=1e-5)

  def test_eight_devices_share_a_batch(self):
    options = _options()
    config = dataclasses.replace(CONFIG, learning_rate=1e-4)
    one = _fit(options, STREAM, config=config)
    eight = _fit(options, dataclasses.replace(STREAM, devices=0), config=config)
    for a, b in zip(one, eight, strict=True):
      self.assertLess(_gap(a, b), 1e-5)

  def test_a_member_that_has_stopped_is_fed_no_more(self):
    config = dataclasses.replace(
      CONFIG, epochs=20, patience=1, learning_rate=0.0, average=0.0
    )
    first, _ = _fit(_options(), STREAM, config=config)
    self.assertLen(first.history, first.best_epoch + 1)

  def test_goes_on_bit_for_bit(self):
    options = _options()
    config = dataclasses.replace(CONFIG, save_epochs=1)
    folder = pathlib.Path(self.create_tempdir().full_path) / 'fit'
    seen = []

    def stop(epoch, *rest):
      del rest
      seen.append(epoch)
      if seen == [1, 2]:
        raise FitError

    with self.assertRaises(FitError):
      _fit(options, STREAM, config=config, on_epoch=stop, folder=folder)
    found = _fit(options, STREAM, config=config, on_epoch=stop, folder=folder)
    self.assertEqual(seen, [1, 2, 3, 4])
    whole = _fit(options, STREAM, config=config)
    for a, b in zip(found, whole, strict=True):
      jax.tree.map(np.testing.assert_array_equal, a.variables, b.variables)

  def test_reads_the_rows_of_a_batch_and_no_others(self):
    cohort = tiny.cohort(64, size=16)
    path = pathlib.Path(self.create_tempdir().full_path) / 'pixels.npy'
    np.save(path, cohort.modalities[types.IMAGE].data.images)
    images = np.load(path, mmap_mode='r')
    mapped = tiny.changed(cohort, images=images)
    resident = batches.make_resident(tiny.fleet_data(mapped))
    pixels = resident.shared['held'][types.IMAGE]['pixels']
    self.assertTrue(np.shares_memory(pixels, images))
    rows = np.array([[5, 60, 7], [0, 1, 2]], np.int32)
    plan = batches.RowPlan(rows=rows, weight=np.ones((2, 3), np.float32))
    strategy = strategies.create_strategy(STREAM, members=1)
    whole = batches.make_resident(tiny.fleet_data(cohort))
    ((segment, part),) = loop.stream(
      resident, [(0, jax.tree.map(lambda x: x[None], plan), 0, 2)], strategy
    )
    held = segment.arrays.shared['held'][types.IMAGE]
    self.assertEqual(held['pixels'].shape[:2], (2, 3))
    part = jax.tree.map(lambda x: x[0], part)
    for k in range(2):
      one = segment.batch(0, part, k)
      two = batches.gather(whole, 0, jax.tree.map(lambda x, k=k: x[k], plan))
      np.testing.assert_array_equal(one.row, rows[k])
      jax.tree.map(np.testing.assert_array_equal, one, two)

  def test_without_grain(self):
    with mock.patch.dict(sys.modules, {'grain': None}):
      with self.assertRaisesRegex(
        errors.MissingPackageError, r"'fusion_jax\[stream\]'"
      ):
        _fit(_options(), STREAM)

  def test_pmap_has_no_stream(self):
    with self.assertRaisesRegex(errors.UserError, "strategy='jit'"):
      _fit(_options(), dataclasses.replace(STREAM, strategy='pmap'))


if __name__ == '__main__':
  absltest.main()
