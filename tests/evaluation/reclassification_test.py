"""Tests of who is called otherwise."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import (
  folds,
  predictions,
  reclassification,
  resampling,
  thresholds,
)
from tests.report import samples


def arranged(**options):
  table = samples.table(types.BINARY, **options)
  test = thresholds.attach(
    table.task,
    folds.arrange(table),
    folds.arrange(table, predictions.VALID),
  )
  drawn = resampling.draw(
    np.concatenate([f.patient for f in test]), replicates=199, seed=0
  )
  return table.task, test, drawn


class ReclassificationTest(parameterized.TestCase):
  @parameterized.parameters(1, 2)
  def test_counts_sum_to_the_studies_of_each_outcome(self, repeats):
    task, test, drawn = arranged(repeats=repeats)
    found = reclassification.against(task, test, 'joint', 'ehr', drawn)
    y = np.concatenate([f.labels[:, 0] for f in test if f.repeat == 0])
    for outcome, n in (('event', y.sum()), ('no_event', (y == 0).sum())):
      counts = dict(found['counts'][outcome])
      studies = counts.pop('studies')
      self.assertAlmostEqual(studies, n, places=3)
      self.assertAlmostEqual(sum(counts.values()), n, places=3)

  def test_counts_are_those_of_the_calls(self):
    task, test, drawn = arranged()
    found = reclassification.against(task, test, 'joint', 'ehr', drawn)
    up = down = events = 0
    for fold in test:
      called = {}
      for arm in ('joint', 'ehr'):
        level = fold.thresholds[arm][0].values[thresholds.YOUDEN][0]
        called[arm] = fold.scores[arm][0][:, 0] >= level
      y = fold.labels[:, 0] == 1
      events += y.sum()
      up += (y & called['joint'] & ~called['ehr']).sum()
      down += (y & ~called['joint'] & called['ehr']).sum()
    self.assertEqual(found['counts']['event']['up'], up)
    self.assertEqual(found['counts']['event']['down'], down)
    self.assertAlmostEqual(
      found['net']['event']['estimate'], (up - down) / events, places=4
    )

  def test_the_total_is_the_sum_and_the_sign_turns_with_the_arms(self):
    task, test, drawn = arranged()
    one = reclassification.against(task, test, 'joint', 'ehr', drawn)['net']
    other = reclassification.against(task, test, 'ehr', 'joint', drawn)['net']
    self.assertAlmostEqual(
      one['total']['estimate'],
      one['event']['estimate'] + one['no_event']['estimate'],
      places=4,
    )
    for name in one:
      self.assertAlmostEqual(one[name]['estimate'], -other[name]['estimate'])
      self.assertAlmostEqual(one[name]['low'], -other[name]['high'])

  def test_the_factor_widens_bounds(self):
    task, test, drawn = arranged()
    plain, wide = (
      reclassification.against(
        task, test, 'joint', 'ehr', drawn, factor=factor
      )['net']['total']
      for factor in (1.0, 1.25)
    )
    self.assertEqual(plain['estimate'], wide['estimate'])
    self.assertAlmostEqual(
      wide['high'] - wide['low'], 1.25 * (plain['high'] - plain['low']), 4
    )

  def test_without_validation_it_says_so(self):
    task, test, drawn = arranged()
    self.assertEmpty(
      reclassification.against(task, test, 'joint', 'ehr', drawn)['fallback']
    )
    bare = thresholds.attach(task, test, [])
    found = reclassification.against(task, bare, 'joint', 'ehr', drawn)
    self.assertLen(found['fallback'], 2)
    self.assertIn('no validation', found['fallback'][0])

  def test_one_outcome_alone(self):
    task, test, drawn = arranged()
    test = [
      dataclasses.replace(f, labels=np.zeros_like(f.labels)) for f in test
    ]
    found = reclassification.against(task, test, 'joint', 'ehr', drawn)
    self.assertIsNone(found['net']['event']['estimate'])
    self.assertIn('no tested', found['net']['event']['reason'])
    self.assertIsNotNone(found['net']['no_event']['estimate'])
    self.assertIsNone(found['net']['total']['estimate'])

  def test_no_pair_no_answer(self):
    task, test, drawn = arranged()
    for pair in (('joint', 'joint'), ('joint', 'nobody')):
      self.assertIsNone(reclassification.against(task, test, *pair, drawn))


if __name__ == '__main__':
  absltest.main()
