"""Tests of ensembles of two models of one modality."""

import json
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest
from scipy import special

from fusion_jax.ablation import ensembles, runner
from fusion_jax.core import types
from fusion_jax.evaluation import predictions
from tests import tiny
from tests.ablation import runner_test

ENSEMBLE = 'controls.conditions=ensemble'


class EnsembleTestCase(runner_test.RunnerTestCase):
  def _run(self, *overrides, arms, cohort=None):
    report, store, _ = runner_test.run(
      self.path, *overrides, cohort=cohort or tiny.cohort(), arms=arms
    )
    self.assertEmpty(report.failures)
    table = predictions.read(store.path / 'predictions.parquet')
    table = table.take(np.flatnonzero(table.part == 'test'))
    return report.summary, table

  def _logits(self, table, fold, arm, condition='intact', seed=0):
    rows = (table.arm == arm) & (table.condition == condition)
    rows &= (table.fold == fold) & (table.seed == seed)
    found = table.take(np.flatnonzero(rows))
    order = np.argsort(found.study_id)
    return special.logit(found.scores[order, 0])


class EnsembleTest(EnsembleTestCase):
  def test_the_next_best_arm_where_models_do_not_differ_by_seed(self):
    summary, table = self._run(
      ENSEMBLE, arms='run_arms=ehr_linear,ehr_trees,early_pca'
    )
    # One arm in every fold, whatever validation picks there.
    arm = summary['best_single']['arm']
    made = table.arm[table.condition == 'ensemble']
    self.assertEqual(set(made), {arm})
    for fold in (0, 1):
      logits = [
        self._logits(table, fold, a) for a in ('ehr_linear', 'ehr_trees')
      ]
      np.testing.assert_allclose(
        self._logits(table, fold, arm, 'ensemble'),
        np.mean(logits, axis=0),
        atol=1e-6,
      )
    found = summary['controls']['early_pca']['ensemble']
    self.assertNotIn('reason', found)
    # No model was trained for this.
    self.assertLen(runner_test.keys(self.path), 6)

  def test_the_model_itself_where_there_is_no_other(self):
    summary, table = self._run(ENSEMBLE, arms='run_arms=ehr_linear,early_pca')
    np.testing.assert_allclose(
      self._logits(table, 0, 'ehr_linear', 'ensemble'),
      self._logits(table, 0, 'ehr_linear'),
      atol=1e-9,
    )
    found = summary['controls']['early_pca']
    self.assertIn('one and the same', found['ensemble']['reason'])
    self.assertIsNone(found['ensemble']['estimate'])
    self.assertIsNone(found['fusion']['beats_ensemble'])

  def test_survival_models_on_a_common_scale(self):
    cohort = tiny.cohort(kind=types.SURVIVAL)
    summary, table = self._run(
      ENSEMBLE, arms='run_arms=ehr_linear,ehr_trees,early_pca', cohort=cohort
    )
    self.assertIn('ensemble', table.condition)
    self.assertIsNotNone(
      summary['controls']['early_pca']['ensemble']['estimate']
    )

  def test_no_single_arm(self):
    summary, table = self._run(ENSEMBLE, arms='run_arms=early_pca')
    self.assertEqual(set(table.condition), {'intact'})
    self.assertEqual(summary['controls'], {})


ARMS = 'run_arms=ehr,early_pca'


@pytest.mark.slow
class TwinTest(EnsembleTestCase):
  def test_a_twin_is_the_model_of_a_second_seed(self):
    self._run(ENSEMBLE, arms=ARMS)
    before = runner_test.keys(self.path)
    self.assertLen(before, 6)
    models = json.loads((self.path / 'models.json').read_text())['arms']
    self.assertLen(models['ehr'], 2)
    with mock.patch.object(
      ensembles, '_twins', side_effect=ensembles._twins
    ) as twins:
      with mock.patch.object(runner._Run, '_run_arm') as train:
        _, table = self._run(arms=ARMS)
    twins.assert_called_once()
    train.assert_not_called()
    single = self._logits(table, 0, 'ehr', 'ensemble')
    summary, table = self._run('seeds=2', arms=ARMS)
    # The twins are the second seed's models; only early_pca's are new.
    self.assertLen(runner_test.keys(self.path) - before, 2)
    for seed in (0, 1):
      logits = [self._logits(table, 0, 'ehr', seed=s) for s in (0, 1)]
      np.testing.assert_allclose(
        self._logits(table, 0, 'ehr', 'ensemble', seed),
        np.mean(logits, axis=0),
        atol=1e-5,
      )
    np.testing.assert_allclose(
      single, self._logits(table, 0, 'ehr', 'ensemble'), atol=1e-6
    )
    self.assertNotIn('reason', summary['controls']['early_pca']['ensemble'])


if __name__ == '__main__':
  absltest.main()
