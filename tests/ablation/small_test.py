"""Tests of runs on small cohorts, tuned by cross-validation."""

import json
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import frozen, store
from fusion_jax.core import config as core_config
from fusion_jax.evaluation import predictions
from tests import tiny
from tests.ablation import runner_test

SMALL = 'small_below=1000'
ARMS = 'run_arms=ehr_linear,ehr_trees,image_linear,early_pca,late_linear'


class SmallTest(runner_test.RunnerTestCase):
  def run_small(self, path, cohort):
    return runner_test.run(path, SMALL, cohort=cohort, arms=ARMS)

  @pytest.mark.slow
  def test_one_run_in_pieces_is_the_same_as_in_one(self):
    cohort = tiny.cohort(absent=True)
    whole = self.path.with_name('whole')
    report, _, _ = self.run_small(whole, cohort)
    self.assertEmpty(report.failures)
    written, count = store.Store.write, 0

    def write(*args, **kwargs):
      nonlocal count
      count += 1
      if count == 5:
        raise KeyboardInterrupt
      written(*args, **kwargs)

    with mock.patch.object(store.Store, 'write', write):
      with self.assertRaises(KeyboardInterrupt):
        self.run_small(self.path, cohort)
    self.run_small(self.path, cohort)
    self.assertEqual(
      runner_test.comparable(self.path), runner_test.comparable(whole)
    )

  @pytest.mark.slow
  def test_frozen_models_predict_test_studies_alike_and_validation_better(self):
    cohort = tiny.cohort(absent=True)
    report, kept, _ = self.run_small(self.path, cohort)
    made = report.summary['arms']['ehr_trees']['made_of']
    self.assertEqual(made['inner_folds'], 5)
    config = core_config.from_dict(
      config_lib.ExperimentConfig, kept.saved_config()
    )
    models = json.loads((self.path / store.MODELS).read_text())
    table = predictions.read(self.path / store.PREDICTIONS)
    work = frozen.Frozen(config, models, kept, cohort)
    number = {study: i for i, study in enumerate(cohort.study)}
    for arm in report.summary['arms']:
      for place, logits in work.logits(arm).items():
        here = (table.arm == arm) & (table.fold == place[1])
        for part in predictions.PARTS:
          rows = here & (table.part == part)
          at = [number[x] for x in table.study_id[rows]]
          gap = np.abs(
            1 / (1 + np.exp(-logits[at, 0])) - table.scores[rows, 0]
          ).max()
          if part == predictions.TEST:
            self.assertLess(gap, 1e-9, arm)
          else:
            # What is stored is of models that had not seen these studies.
            self.assertGreater(gap, 1e-6, arm)


if __name__ == '__main__':
  absltest.main()
