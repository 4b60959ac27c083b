"""Tests of what arms are said to take."""

import dataclasses
import pathlib
import tempfile
from unittest import mock

import jax
import numpy as np
import pytest
import rich.console
from absl.testing import absltest, parameterized

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import (
  external,
  families,
  footprints,
  progress,
  runner,
  store,
)
from fusion_jax.core import errors
from fusion_jax.data import config as data_config
from fusion_jax.data import pixels, reader, withhold
from fusion_jax.evaluation import config as evaluation_config
from fusion_jax.training import config as training_config
from fusion_jax.training import footprint
from tests import tiny

KNOWN = families.review(families.USUAL)

# Of one channel, with a histogram of 3 bins.
_PIXELS, _COMPONENTS = 8 * 8, 4
_INPUTS = _COMPONENTS + 3
_PROJECTION = 2 * _PIXELS * _COMPONENTS
# Of the encoder, and an elastic net on each half's features.
_FEATURES = 64


def _config(**cohort):
  # Cheap to train: elastic nets are fused.
  arms = {
    arm: f'{arm}(image=image_pca,ehr=ehr_linear)'
    for arm in ('late_mean', 'late_stack')
  }
  return config_lib.ExperimentConfig(
    cohort=data_config.CohortConfig(n=120, image_size=16, **cohort),
    splits=data_config.SplitConfig(folds=2),
    preprocess=data_config.PreprocessConfig(
      pixel_size=8, pixel_components=_COMPONENTS, histogram_bins=3
    ),
    training=training_config.TrainingConfig(
      epochs=1, least_steps=0, least_patience=0
    ),
    evaluation=evaluation_config.EvaluationConfig(replicates=40),
    small_below=0,
    arms=arms,
    run_arms=(
      'ehr',
      'ehr_trees',
      'image_linear',
      'early_raw',
      'early_pca',
      'early_features',
      'early_trees',
      'late_mean',
      'late_stack',
    ),
  )


# Cheap to compile.
_MEASURED = ('ehr', 'ehr_trees', 'image_pca', 'early_raw')


def _no_latency(calls):
  return {name: footprint.Latency(0.0, (0.0, 0.0)) for name in calls}


@pytest.mark.slow
class FootprintsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    quiet = progress.Progress(rich.console.Console(quiet=True))
    runner.run(_config(), store.Store(cls.folder), quiet)
    cls.file = store.Store(cls.folder).path / footprints.FILE
    cls.found = cls.measure(arms=_MEASURED)
    # A network is said to take 10 operations, its training 7 bytes.
    cls.networks = []
    told = footprint.Footprint(10.0, 7.0, lambda: cls.networks.append(0))
    cls.calls = {}

    def latencies(calls):
      cls.calls.update(calls)
      return _no_latency(calls)

    with (
      mock.patch.object(footprint, 'measure', return_value=told),
      mock.patch.object(footprint, 'latencies', latencies),
      mock.patch.object(footprints, 'FILE', 'counted.json'),
    ):
      cls.counted = cls.measure()

  @classmethod
  def measure(cls, cohort=None, arms=()):
    run = external.open_run(cls.folder)
    return footprints.measure(
      run.config,
      run.models,
      store.Store(run.path),
      cohort or reader.open_cohort(run.config.cohort),
      list(arms or run.summary['arms']),
    )

  def test_what_cannot_be_measured_is_said_before_anything_is_trained(self):
    cohort = reader.open_cohort(_config().cohort)
    half = np.arange(len(cohort)) % 2 == 0
    apart = tiny.changed(
      cohort,
      image_mask=tiny.image_mask(cohort) & half[:, None],
      numeric=np.where(half[:, None], np.nan, tiny.numeric(cohort)),
      categorical=np.where(half[:, None], None, tiny.categorical(cohort)),
    )
    folder = pathlib.Path(self.create_tempdir().full_path) / 'run'
    quiet = progress.Progress(rich.console.Console(quiet=True))
    with mock.patch.object(reader, 'open_cohort', return_value=apart):
      with self.assertRaisesRegex(errors.UserError, 'no study with all'):
        runner.run(
          dataclasses.replace(_config(), footprint=True),
          store.Store(folder),
          quiet,
        )
    self.assertFalse(folder.exists())

  def test_every_arm_has_a_latency(self):
    for arm, amounts in self.found.items():
      low, high = amounts['latency_iqr_seconds']
      self.assertGreater(low, 0, arm)
      self.assertBetween(amounts['latency_seconds'], low, high, arm)

  def test_operations_counted_by_hand(self):
    columns = self.counted['ehr_linear']['flops'] / 2
    self.assertGreater(columns, 1)
    extractor = 2 * 10  # both halves
    image_pca = _PROJECTION + 2 * _INPUTS
    expected = {
      'ehr': 10,
      'image_pca': image_pca,
      # One input more: whether there is an image.
      'early_pca': _PROJECTION + 2 * (_INPUTS + 1 + columns),
      'early_raw': _PROJECTION + 10,
      'image_linear': extractor + 2 * 2 * _FEATURES,
      'early_features': extractor + 2 * 10,
      # Both sides, and two for each number of the rule.
      'late_mean': image_pca + 2 * columns + 2 * 6,
      'late_stack': image_pca + 2 * columns + 2 * 9,
    }
    for arm, flops in expected.items():
      self.assertEqual(self.counted[arm]['flops'], flops, arm)
    for arm in ('ehr_trees', 'early_trees'):
      self.assertIsNone(self.counted[arm]['flops'])
      self.assertIn('trees', self.counted[arm]['flops_reason'])

  def test_parameters_counted_by_hand(self):
    found = {
      arm: x['cost']['parameters']
      for arm, x in external.open_run(self.folder).summary['arms'].items()
    }
    reduction = _PIXELS * (1 + _COMPONENTS) + 2 + 2 * _INPUTS
    self.assertEqual(found['image_pca'], reduction + _INPUTS + 1)
    self.assertEqual(
      found['early_pca'], found['image_pca'] + found['ehr_linear']
    )
    self.assertGreater(found['early_raw'], reduction)
    self.assertEqual(
      found['late_mean'], found['image_pca'] + found['ehr_linear'] + 6
    )
    # Two encoders are behind all arms on features.
    encoders = found['image_linear'] - 2 * (_FEATURES + 1)
    self.assertGreater(found['early_features'], encoders)
    self.assertGreater(found['early_trees'], encoders)

  def test_the_compiler_counts_what_networks_take(self):
    parameters = external.open_run(self.folder).summary['arms']
    for arm in ('ehr', 'early_raw'):
      weights = parameters[arm]['cost']['parameters']
      self.assertGreater(self.found[arm]['flops'], weights / 2)
      self.assertGreater(self.found[arm]['memory_bytes'], 4 * weights)

  def test_memory_of_the_largest_that_is_trained_by_steps(self):
    for arm in ('ehr', 'image_linear', 'early_trees', 'early_features'):
      self.assertEqual(self.counted[arm]['memory_bytes'], 7.0)
    for arm in ('image_pca', 'ehr_trees', 'late_mean'):
      self.assertIsNone(self.counted[arm]['memory_bytes'])
      self.assertIn('steps', self.counted[arm]['memory_bytes_reason'])

  @parameterized.parameters(
    ('ehr', 0, 1),
    ('ehr_linear', 0, 0),
    ('image_pca', 1, 0),
    ('early_pca', 1, 0),
    ('early_raw', 1, 1),
    ('image_linear', 0, 2),
    ('early_trees', 0, 2),
    ('early_features', 0, 4),
    ('late_mean', 1, 0),
  )
  def test_what_is_timed(self, arm, projections, networks):
    self.networks.clear()
    with mock.patch.object(
      pixels, 'transform', side_effect=pixels.transform
    ) as transform:
      self.calls[arm]()
    self.assertEqual(transform.call_count, projections)
    self.assertLen(self.networks, networks)

  def test_what_is_known_is_not_measured_again(self):
    with mock.patch.object(
      footprint, 'latencies', side_effect=_no_latency
    ) as latencies:
      self.assertEqual(self.measure(arms=_MEASURED), self.found)
    latencies.assert_called_once_with({})

  def _again(self, timed):
    """Measures; only `timed` arms may be."""
    before = self.file.read_text()
    self.addCleanup(self.file.write_text, before)

    def latencies(calls):
      self.assertCountEqual(calls, timed)
      return {name: footprint.Latency(42.0, (41.0, 43.0)) for name in calls}

    with mock.patch.object(footprint, 'latencies', latencies):
      return self.measure(arms=_MEASURED)

  def test_another_model_is_measured(self):
    kept = store.Store(self.folder).read_json(footprints.FILE)
    self.addCleanup(self.file.write_text, self.file.read_text())
    kept['image_pca']['causes']['models'] = ['of another model']
    store.Store(self.folder).write_json(footprints.FILE, kept)
    found = self._again(['image_pca'])
    self.assertEqual(found['image_pca']['latency_seconds'], 42.0)
    self.assertEqual(found['image_pca']['latency_iqr_seconds'], [41, 43])
    self.assertEqual(found['ehr'], self.found['ehr'])

  @parameterized.parameters('platform', 'processor', 'processors', 'device')
  def test_another_machine_is_measured(self, fact):
    here = {**footprints.machine(), fact: 'another'}
    with (
      mock.patch.object(footprints, 'machine', return_value=here),
      mock.patch.object(
        footprint, 'measure', return_value=footprint.Footprint(1.0, 1.0, int)
      ),
    ):
      found = self._again(_MEASURED)
    self.assertEqual(found['ehr']['latency_seconds'], 42.0)

  def test_the_summary_says_where(self):
    run = external.open_run(self.folder).summary['run']
    self.assertEqual(run['device'], jax.local_devices()[0].device_kind)
    self.assertEqual(run['processor'], footprints.machine()['processor'])

  def test_needs_one_complete_study(self):
    cohort = reader.open_cohort(_config().cohort)
    for modality in ('image', 'ehr'):
      cohort = withhold.withhold(cohort, modality, 0.99)
    complete = cohort.present['image'] & cohort.present['ehr']
    cohort = cohort.subset((~complete).nonzero()[0])
    with self.assertRaisesRegex(errors.UserError, 'all modalities'):
      self.measure(cohort)


class MachineTest(absltest.TestCase):
  def test_the_processor_is_named_where_the_system_tells(self):
    told = self.create_tempfile(content='vendor: x\nmodel name\t: Fast 3 GHz\n')
    with mock.patch.object(
      footprints, '_PROCESSORS', pathlib.Path(told.full_path)
    ):
      self.assertEqual(footprints.machine()['processor'], 'Fast 3 GHz')
    missing = pathlib.Path(told.full_path + '-missing')
    with (
      mock.patch.object(footprints, '_PROCESSORS', missing),
      mock.patch.object(footprints.platform, 'processor', return_value=''),
    ):
      self.assertEqual(footprints.machine()['processor'], 'unknown')

  def test_no_host_is_named(self):
    with mock.patch.object(
      footprints.platform, 'node', side_effect=AssertionError
    ):
      self.assertEqual(
        set(footprints.machine()),
        {'platform', 'processor', 'processors', 'device'},
      )


class TogetherTest(absltest.TestCase):
  def test_what_two_sides_build_on_is_taken_once(self):
    upstream = {'x': (), 'a': ('x',), 'b': ('x',), 'late': ('a', 'b')}
    arms = {name: mock.Mock(upstream=x) for name, x in upstream.items()}
    self.assertEqual(footprints._path(arms, 'late'), ['x', 'a', 'b', 'late'])

  def test_parts_add_up(self):
    one = footprints.Part(int, 1.0, None, memory_reason='no steps')
    two = footprints.Part(int, 3.0, 5.0)
    self.assertEqual(
      footprints.together([one, two]), {'flops': 4.0, 'memory_bytes': 5.0}
    )

  def test_the_first_unknown_part_says_why(self):
    one = footprints.Part(int, 1.0, None, memory_reason='no steps')
    two = footprints.Part(int, None, None, 'trees', 'no memory')
    self.assertEqual(
      footprints.together([one, two]),
      {
        'flops': None,
        'flops_reason': 'trees',
        'memory_bytes': None,
        'memory_bytes_reason': 'no steps',
      },
    )


if __name__ == '__main__':
  absltest.main()
