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

  def test_widened(self):
    low, high = audit_work.widened(0.6, 0.5, 0.8)
    self.assertAlmostEqual(low, 0.6 - 0.1 * 2**0.5)
    self.assertAlmostEqual(high, 0.6 + 0.2 * 2**0.5)
    # Skewed resamples may leave the estimate outside; it is put back.
    self.assertEqual(audit_work.widened(0.4, 0.5, 0.5)[0], 0.4)
    self.assertTrue(
      all(map(math.isnan, audit_work.widened(0.4, *[math.nan] * 2)))
    )

  def test_folds_that_train_each_other(self):
    w = work(audited.clean())
    self.assertTrue(w.both_ways)
    self.assertFalse(dataclasses.replace(w, splits=w.splits[:1]).both_ways)
    a, b, c = np.array_split(np.arange(audited.N), 3)
    # Later folds test, and do not train, what earlier ones were to predict.
    forward = [
      splits.Split(0, 0, a, a[:9], b),
      splits.Split(0, 1, np.concatenate([a, b]), b[:9], c),
    ]
    self.assertFalse(dataclasses.replace(w, splits=forward).both_ways)

  def test_only_those_folds_widen_an_interval(self):
    data = audited.clean()
    w = work(data)
    logits = data.labels + np.random.default_rng(1).normal(
      scale=3, size=data.labels.shape
    )
    tables = [w.table('x', s, 0, logits[s.test]) for s in w.splits]
    # The same test parts, though no fold trains on the other's.
    apart = [dataclasses.replace(s, train=s.train[:0]) for s in w.splits]
    fixed = dataclasses.replace(w, splits=apart).evaluate(tables)['x']
    found = w.evaluate(tables)['x']
    self.assertEqual(found['estimate'], fixed['estimate'])
    for side in ('low', 'high'):
      self.assertAlmostEqual(
        found[side] - found['estimate'],
        2**0.5 * (fixed[side] - found['estimate']),
      )

  def test_what_cannot_be_learnt_is_seldom_far_from_chance(self):
    data = audited.clean()
    w = dataclasses.replace(
      work(data), evaluation=evaluation_config.EvaluationConfig(replicates=400)
    )
    rng = np.random.default_rng(0)
    outside, fixed = 0, 0
    for _ in range(200):
      labels = rng.permutation(data.labels)
      facts = rng.normal(size=(audited.N, 6))
      null = dataclasses.replace(
        w, cohort=dataclasses.replace(data, labels=labels)
      )
      tables = []
      for s in w.splits:
        slope = facts[s.train].T @ (labels[s.train] - labels[s.train].mean())
        tables.append(null.table('x', s, 0, facts[s.test] @ slope))
      x = null.evaluate(tables)['x']
      far = abs(x['estimate'] - 0.5)
      side = x['low'] if x['estimate'] > 0.5 else x['high']
      reach = abs(x['estimate'] - side)
      outside += far > reach
      fixed += far > reach / 2**0.5
    # 10 of 200 intervals of 95% miss chance, and 20 hardly ever do; of those
    # half as wide in variance 33 do.
    self.assertLess(outside, 20)
    self.assertGreater(fixed, 20)


if __name__ == '__main__':
  absltest.main()
