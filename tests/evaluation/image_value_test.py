"""Tests of the value of the image."""

import dataclasses
import json

import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.evaluation import entries, image_value, resampling
from fusion_jax.evaluation import folds as folds_lib

_TASK = types.Task(types.BINARY, ('sick',))


def _fold(n=300, fold=0, helps=True):
  """The image says who is sick among those of middling EHR risk."""
  rng = np.random.default_rng(fold)
  risk = np.tile([0.02, 0.5, 0.98], n // 3)
  y = (rng.random(n) < risk).astype(float)
  middling = risk == 0.5
  fused = np.where(middling & helps, 0.1 + 0.8 * y, risk)
  return folds_lib.Fold(
    repeat=0,
    fold=fold,
    study=np.array([f'{fold}s{i:04}' for i in range(n)]),
    patient=np.array([f'{fold}p{i // 2:04}' for i in range(n)]),
    labels=y[:, None],
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={'ehr': {0: risk[:, None]}, 'joint': {0: fused[:, None]}},
  )


def _value(folds, references=None, **changes):
  arguments = {
    'arms': ['joint'],
    'references': references or ['ehr'] * len(folds),
    'resamples': resampling.draw(
      np.concatenate([f.patient for f in folds]), replicates=100, seed=0
    ),
    **changes,
  }
  return image_value.image_value(_TASK, folds, **arguments)


class ImageValueTest(absltest.TestCase):
  def test_finds_whom_the_image_helps(self):
    found = _value([_fold(fold=0), _fold(fold=1)])
    gains = [g['arms']['joint'] for g in found['for_whom']]
    for outer in (gains[0], gains[2]):
      self.assertEqual(outer['changed'], 0)
      self.assertTrue(np.isnan(outer['improved']))
      self.assertAlmostEqual(outer['net_benefit']['estimate'], 0)
    self.assertGreater(gains[1]['net_benefit']['low'], 0.1)
    # Everybody of middling risk was acted on; the healthy ones no longer are.
    self.assertAlmostEqual(gains[1]['changed'], 0.5, delta=0.1)
    self.assertEqual(gains[1]['improved'], 1.0)
    self.assertEqual(sum(g['studies'] for g in found['for_whom']), 600)
    events = sum(f.labels.sum() for f in (_fold(fold=0), _fold(fold=1)))
    self.assertEqual(sum(g['events'] for g in found['for_whom']), events)

  def test_curve_is_that_of_the_definition(self):
    fold = _fold()
    found = _value([fold])['arms']['joint']
    t, y = 0.3, fold.labels[:, 0]

    def benefit(arm):
      act = fold.scores[arm][0][:, 0] >= t
      return (act & (y == 1)).mean() - (act & (y == 0)).mean() * t / (1 - t)

    at = found['threshold'].index(t)
    self.assertAlmostEqual(
      found['difference'][at], benefit('joint') - benefit('ehr'), places=4
    )
    self.assertLessEqual(found['low'][at], found['difference'][at])

  def test_nothing_is_gained_where_the_image_says_nothing(self):
    found = _value([_fold(helps=False)])
    self.assertEqual(set(found['arms']['joint']['difference']), {0.0})

  def test_one_class_is_defined(self):
    fold = _fold()
    fold = dataclasses.replace(fold, labels=np.zeros_like(fold.labels))
    found = _value([fold])
    self.assertEqual(found['threshold'], 0)

  def test_other_tasks_and_no_reference_have_none(self):
    self.assertIsNone(_value([_fold()], arms=[]))
    self.assertIsNone(_value([_fold()], references=[None]))
    fold = _fold()
    self.assertIsNone(
      image_value.image_value(
        types.Task(types.REGRESSION, ('y',)),
        [fold],
        arms=['joint'],
        references=['ehr'],
        resamples=resampling.draw(fold.patient, replicates=50, seed=0),
      )
    )

  def test_without_a_prevalence_to_decide_at(self):
    fold = _fold()
    for labels, reason in ((1.0, 'every study'), (np.nan, 'known label')):
      with self.subTest(reason):
        here = dataclasses.replace(
          fold, labels=np.full_like(fold.labels, labels)
        )
        found = _value([here])
        self.assertEqual(found['for_whom'], [])
        self.assertIn(reason, found['reason'])
        json.dumps(entries.plain(found), allow_nan=False)

  def test_two_studies_are_in_two_of_the_thirds(self):
    fold = _fold()
    two = fold.take(np.array([0, 1]))
    two = dataclasses.replace(two, labels=np.array([[0.0], [1.0]]))
    found = _value([two])['for_whom']
    self.assertEqual([g['studies'] for g in found], [1, 1])

  def test_a_third_without_known_labels_has_a_reason(self):
    fold = _fold()
    low = fold.scores['ehr'][0] == 0.02
    fold = dataclasses.replace(fold, labels=np.where(low, np.nan, fold.labels))
    first = _value([fold])['for_whom'][0]['arms']['joint']
    self.assertIn('known label', first['net_benefit']['reason'])
    self.assertTrue(np.isnan(first['changed']))

  def test_no_study_with_the_event_counts_twice(self):
    once = _fold()
    again = dataclasses.replace(once, repeat=1)
    for group in _value([once, again])['for_whom']:
      self.assertLessEqual(group['events'], group['studies'])
    events = sum(g['events'] for g in _value([once, again])['for_whom'])
    self.assertEqual(events, once.labels.sum())


if __name__ == '__main__':
  absltest.main()
