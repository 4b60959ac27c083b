"""Tests of what arms are said to take."""

import dataclasses
import json
import pathlib
import tempfile
from unittest import mock

import numpy as np
import rich.console
from absl.testing import absltest

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import external, footprints, progress, runner, store
from fusion_jax.core import errors
from fusion_jax.data import config as data_config
from fusion_jax.data import reader, withhold
from fusion_jax.evaluation import config as evaluation_config
from fusion_jax.training import config as training_config
from fusion_jax.training import footprint


def _config(**cohort):
  return config_lib.ExperimentConfig(
    cohort=data_config.CohortConfig(n=120, image_size=16, **cohort),
    splits=data_config.SplitConfig(folds=2),
    training=training_config.TrainingConfig(epochs=1),
    evaluation=evaluation_config.EvaluationConfig(replicates=40),
    # Cheap to compile: a linear model stands for the image.
    run_arms=('ehr', 'ehr_trees', 'image_pca', 'early_raw'),
  )


class FootprintsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    quiet = progress.Progress(rich.console.Console(quiet=True))
    runner.run(_config(), store.Store(cls.folder), quiet)
    cls.found = cls.measure()

  @classmethod
  def measure(cls, cohort=None):
    run = external.open_run(cls.folder)
    return footprints.measure(
      run.config,
      run.models,
      store.Store(run.path),
      cohort or reader.open_cohort(run.config.cohort),
      list(run.summary['arms']),
    )

  def test_what_cannot_be_measured_is_said_before_anything_is_trained(self):
    cohort = reader.open_cohort(_config().cohort)
    half = np.arange(len(cohort)) % 2 == 0
    apart = dataclasses.replace(
      cohort,
      image_mask=cohort.image_mask & half[:, None],
      numeric=np.where(half[:, None], np.nan, cohort.numeric),
      categorical=np.where(half[:, None], None, cohort.categorical),
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
      self.assertGreater(amounts['latency_seconds'], 0, arm)

  def test_operations_and_memory_where_they_are_known(self):
    parameters = {
      arm: x['cost']['parameters']
      for arm, x in external.open_run(self.folder).summary['arms'].items()
    }
    self.assertAlmostEqual(
      self.found['image_pca']['flops'] / parameters['image_pca'], 2, delta=0.3
    )
    self.assertIsNone(self.found['ehr_trees']['flops'])
    self.assertIsNone(self.found['image_pca']['memory_bytes'])
    for arm in ('ehr', 'early_raw'):
      self.assertGreater(self.found[arm]['flops'], parameters[arm] / 2)
      self.assertGreater(self.found[arm]['memory_bytes'], 16 * parameters[arm])

  def test_what_is_known_is_not_measured_again(self):
    with mock.patch.object(
      footprint, 'latency', side_effect=AssertionError('measured again')
    ):
      self.assertEqual(self.measure(), self.found)

  def test_another_model_is_measured(self):
    path = store.Store(self.folder).path / footprints.FILE
    before = path.read_text()
    self.addCleanup(path.write_text, before)
    kept = json.loads(before)
    kept['image_pca']['key'] = 'of another model'
    path.write_text(json.dumps(kept))
    with mock.patch.object(footprint, 'latency', return_value=42.0):
      found = self.measure()
    self.assertEqual(found['image_pca']['latency_seconds'], 42.0)
    self.assertEqual(found['ehr'], self.found['ehr'])

  def test_needs_one_complete_study(self):
    cohort = reader.open_cohort(_config().cohort)
    for modality in ('image', 'ehr'):
      cohort = withhold.withhold(cohort, modality, 0.99)
    complete = cohort.present['image'] & cohort.present['ehr']
    cohort = cohort.subset((~complete).nonzero()[0])
    with self.assertRaisesRegex(errors.UserError, 'all modalities'):
      self.measure(cohort)


class TogetherTest(absltest.TestCase):
  def test_upstream_arms_count(self):
    one = {'flops': 1.0, 'latency_seconds': 2.0, 'memory_bytes': None}
    two = {'flops': 3.0, 'latency_seconds': 4.0, 'memory_bytes': 5.0}
    self.assertEqual(
      footprints.together(one, two),
      {'flops': 4.0, 'latency_seconds': 6.0, 'memory_bytes': 5.0},
    )
    unknown = {**two, 'flops': None}
    self.assertIsNone(footprints.together(one, unknown)['flops'])


if __name__ == '__main__':
  absltest.main()
