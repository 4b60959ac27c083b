"""Tests of what audits share."""

import dataclasses
import math

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import audit_config, audit_work
from fusion_jax.core import types
from fusion_jax.data import config as data_config
from fusion_jax.data import splits
from fusion_jax.evaluation import config as evaluation_config
from fusion_jax.evaluation import resampling
from tests.ablation import audited


def work(data):
  return audit_work.Work(
    data,
    splits.make_splits(data, data_config.SplitConfig(folds=2)),
    audit_config.AuditsConfig(),
    evaluation_config.EvaluationConfig(replicates=80, seed=4),
    data_config.PreprocessConfig(),
    0,
  )


class WorkTest(parameterized.TestCase):
  def test_resamples_are_those_of_the_summary(self):
    data = audited.clean()
    found = work(data).resamples()
    # Every study is tested in one of the folds.
    expected = resampling.draw(data.patient, replicates=80, seed=4)
    np.testing.assert_array_equal(found.counts, expected.counts)

  @parameterized.parameters(
    (types.BINARY, 'auroc', 0.5),
    (types.MULTICLASS, 'auroc_macro', 0.5),
    (types.MULTILABEL, 'auroc_macro', 0.5),
    (types.SURVIVAL, 'c_index', 0.5),
    (types.REGRESSION, 'r2', 0.0),
  )
  def test_metric_and_chance(self, kind, metric, chance):
    head = work(audited.clean(kind)).head(audit_work.unknown('why'))
    self.assertEqual(head['metric'], metric)
    self.assertEqual(head['chance'], chance)
    self.assertIsNone(head['estimate'])
    self.assertEqual(head['reason'], 'why')

  @parameterized.parameters(1.0, -1.0)
  def test_perfect_logits(self, sign):
    data = audited.clean()
    w = work(data)
    logits = sign * (2 * data.labels - 1)
    tables = [w.table('x', s, 0, logits[s.test]) for s in w.splits]
    found = w.evaluate(tables)['x']
    expected = float(sign > 0)
    self.assertEqual(found['estimate'], expected)
    self.assertEqual((found['low'], found['high']), (expected, expected))

  def test_a_metric_that_is_undefined_everywhere(self):
    data = audited.clean()
    w = work(data)
    one = dataclasses.replace(data, labels=np.ones_like(data.labels))
    w = dataclasses.replace(w, cohort=one)
    tables = [w.table('x', s, 0, np.zeros((len(s.test), 1))) for s in w.splits]
    found = w.evaluate(tables)['x']
    self.assertTrue(math.isnan(found['estimate']))
    self.assertIn('are positive', found['reason'])
    self.assertEqual(w.evaluate([]), {})


if __name__ == '__main__':
  absltest.main()
