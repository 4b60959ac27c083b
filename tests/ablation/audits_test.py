"""Tests of audits as a whole."""

import dataclasses
import pathlib

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.ablation import audit_config, audits
from fusion_jax.core import types
from fusion_jax.data import config as data_config
from fusion_jax.data import splits
from fusion_jax.evaluation import config as evaluation_config
from tests.ablation import audited, runner_test


class AuditsTest(parameterized.TestCase):
  @parameterized.parameters(*types.TASK_KINDS)
  @pytest.mark.slow
  def test_a_clean_cohort_is_silent(self, kind):
    found = audited.audit(audited.clean(kind))
    self.assertEqual(tuple(found), audit_config.NAMES)
    self.assertEqual([k for k, x in found.items() if x['alarm']], [])
    self.assertEqual(audits.warnings(found), [])
    for name in ('missingness', 'row_order', 'subgroup_only', 'brightness'):
      x = found[name]
      self.assertBetween(x['estimate'], x['low'], x['high'])
      self.assertLessEqual(x['low'], x['chance'] + x['margin'], name)
    self.assertIn('index_time', found['time']['reason'])
    self.assertIsNone(found['time']['estimate'])

  def test_folds_that_cannot_be_learnt_are_a_reason(self):
    data = audited.clean()
    labels = np.zeros_like(data.labels)
    labels[:2] = 1.0
    data = dataclasses.replace(data, labels=labels)
    half = np.arange(audited.N // 2)
    found = audits.run(
      data,
      [splits.Split(0, 0, half + audited.N // 2, half, half)],
      config=audit_config.AuditsConfig(
        names=('row_order', 'label_permutation')
      ),
      evaluation=evaluation_config.EvaluationConfig(replicates=100),
      preprocessing=data_config.PreprocessConfig(pixel_components=4),
    )
    for x in found.values():
      self.assertIn('one class only', x['reason'])
      self.assertIsNone(x['estimate'])
      self.assertFalse(x['alarm'])

  def test_a_run_makes_them(self):
    data = audited.clean()
    data = dataclasses.replace(
      data, site=np.where(audited.positive(data), 'a', 'b')
    )
    path = pathlib.Path(self.create_tempdir().full_path) / 'run'
    report, _, _ = runner_test.run(
      path,
      'audits.names=subgroup_only,row_order',
      cohort=data,
      arms='run_arms=ehr_linear',
    )
    found = report.summary['audits']
    self.assertEqual(set(found), {'tuning', 'row_order', 'subgroup_only'})
    self.assertTrue(found['subgroup_only']['alarm'])
    first = report.summary['warnings'][0]
    self.assertEqual(
      first, f'Audit subgroup_only: {found["subgroup_only"]["sentence"]}'
    )

  def test_twice_the_same(self):
    self.assertEqual(
      audited.audit(audited.clean()), audited.audit(audited.clean())
    )

  def test_none(self):
    self.assertEqual(audited.audit(audited.clean(), 'none'), {})


if __name__ == '__main__':
  absltest.main()
