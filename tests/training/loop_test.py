"""Tests of models fed from the host: they are those of the resident cohort."""

import dataclasses
import pathlib
import sys
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.data import config as data_config
from fusion_jax.data import five
from fusion_jax.data import kind as kind_lib
from fusion_jax.fusion import model as models
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import batches, loop, neural
from fusion_jax.training import config as training_config
from tests import tiny
from tests.data import five_test
from tests.encoders import normalised  # noqa: F401

CONFIG = training_config.TrainingConfig(
  epochs=4, least_steps=0, least_patience=0, batch_size=12
)
MODEL = tiny.model_config(types.EHR, ehr='normalised', combiner='concat')
RESIDENT = parallel_config.ParallelConfig(devices=1, feed='resident')
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


def _series():
  """A series arm on the world that has one."""
  cohort = five_test.world(96, modalities=(five.SERIES,))
  modality = cohort.modalities[five.SERIES]
  kind = kind_lib.get(modality.kind)
  fitted = kind.fit(modality, ROWS[:64], data_config.PreprocessConfig())
  part = batches.Part(
    modality.kind,
    derived=kind.derived(fitted, modality.data),
    constants=kind.constants(fitted),
  )
  encoder = models.EncoderConfig(
    modality.kind,
    'transformer(width=8,heads=2)',
    tuple(kind.given(fitted).items()),
  )
  source = batches.Source({five.SERIES: part})
  return {
    'model_config': models.ModelConfig(((five.SERIES, encoder),), 'concat'),
    'task': cohort.task,
    'data': batches.FleetData(cohort, (source, source)),
  }


class LoopTest(parameterized.TestCase):
  @parameterized.named_parameters(
    # Whose batch statistics and dropout are part of the result.
    ('record', MODEL, {}, types.BINARY),
    ('survival', MODEL, {}, types.SURVIVAL),
    ('regression', MODEL, {'accumulate': 2}, types.REGRESSION),
    ('image', 'image', {}, types.BINARY),
    ('joint', 'joint', {'dtype': 'bfloat16'}, types.MULTICLASS),
    ('series', None, {}, types.BINARY),
  )
  @pytest.mark.slow
  def test_every_bit_is_that_of_the_resident_cohort(self, model, changes, kind):
    options = _options(kind) if model else _series()
    wanted = {'image': (types.IMAGE,), 'joint': (types.IMAGE, types.EHR)}
    if model in wanted:
      options['model_config'] = tiny.model_config(
        *wanted[model], image='resnet(widths=(4,8))'
      )
    config = dataclasses.replace(CONFIG, **changes)
    self.assertTrue(config.augment)
    one = _fit(options, RESIDENT, config=config)
    # A segment is a batch here, and all that there are in the other one.
    with mock.patch.object(loop, '_BYTES', 1):
      two = _fit(options, STREAM, config=config)
    for a, b in zip(one, two, strict=True):
      jax.tree.map(np.testing.assert_array_equal, a.variables, b.variables)
      self.assertEqual(a.history, b.history)
      self.assertEqual(a.best_epoch, b.best_epoch)
    asked = {'fitted': one, 'sources': [1, 0], 'rows': [ROWS[::-1], ROWS[:5]]}
    (modality, *_), *_ = options['model_config'].encoders
    for apply, more in (
      (neural.predict_fleet, {}),
      (neural.encode_fleet, {'modality': modality}),
    )[: 2 if model is MODEL else 1]:
      here, there = (
        apply(**options, **asked, **more, parallel=p)
        for p in (RESIDENT, STREAM)
      )
      for a, b in zip(here, there, strict=True):
        np.testing.assert_array_equal(a, b)

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
      one = segment.raw(0, part, k)
      two = batches.raw(whole, 0, jax.tree.map(lambda x, k=k: x[k], plan))
      np.testing.assert_array_equal(one.plan.rows, rows[k])
      jax.tree.map(np.testing.assert_array_equal, one, two)

  def test_without_grain(self):
    with mock.patch.dict(sys.modules, {'grain': None}):
      with self.assertRaisesRegex(
        errors.MissingPackageError, r"'fusion_jax\[stream\]'"
      ):
        _fit(_options(), STREAM)

  def test_a_cohort_that_is_too_large_is_streamed(self):
    options, lines = _options(), []
    auto = parallel_config.ParallelConfig(devices=1, memory_limit=1e-6)
    with mock.patch.object(loop, 'Loop', wraps=loop.Loop) as used:
      found = _fit(options, auto, tell=lines.append)
    used.assert_called_once()
    (line,) = lines
    self.assertIn('(parallel.memory_limit): batches are streamed', line)
    for a, b in zip(found, _fit(options, RESIDENT), strict=True):
      jax.tree.map(np.testing.assert_array_equal, a.variables, b.variables)
    roomy = dataclasses.replace(auto, memory_limit=1.0)
    with mock.patch.object(loop, 'Loop', side_effect=AssertionError):
      _fit(options, roomy, tell=lines.append)
    self.assertLen(lines, 1)

  def test_pmap_has_no_stream(self):
    with self.assertRaisesRegex(errors.UserError, "strategy='jit'"):
      _fit(_options(), dataclasses.replace(STREAM, strategy='pmap'))


if __name__ == '__main__':
  absltest.main()
