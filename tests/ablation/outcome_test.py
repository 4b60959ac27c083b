"""Tests of what finished nodes come to."""

import dataclasses
import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import families, nodes, outcome
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import types
from tests import tiny
from tests.ablation import config_test, plan_test

KNOWN = families.review(families.USUAL)


class OutcomeTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    path = pathlib.Path(self.create_tempdir().full_path) / 'run'
    self.store = store_lib.Store(path)
    self.plan = plan_test.make('trials=3', listed=('image', 'image_linear'))
    self.enterContext(self.store.open(config_test.config()))

  def _land(self, arm, losses):
    nodes = [n for n in self.plan.nodes[arm] if n.fold == 0]
    for node, loss in zip(nodes, losses, strict=False):
      record = {
        'valid_loss': loss,
        'parameters': 10 + node.trial,
        'seconds': 2.0,
        'compile_seconds': 1.0,
        'notes': ['The path ended.', 'The path ended.'],
      }
      self.store.write(node.key, record=record, arrays={})

  def test_the_best_trial(self):
    place = (0, 0, 0)

    def best():
      return nodes.best_trial(self.store, self.plan, 'image', place)

    self.assertIsNone(best())
    self._land('image', [None])
    self.assertEqual(best().trial, 0)
    self._land_more('image', {1: 0.4, 2: 0.4})
    self.assertEqual(best().trial, 1)  # a tie goes to the first
    self.assertLen(outcome.chosen(self.store, self.plan, 'image'), 1)

  def _land_more(self, arm, losses):
    for node in self.plan.nodes[arm]:
      if node.fold == 0 and node.trial in losses:
        record = {'valid_loss': losses[node.trial], 'notes': []}
        self.store.write(node.key, record=record, arrays={})

  def test_costs(self):
    self._land('image', [0.2, 0.1, 0.3])
    self._land('extractor', [0.1])
    self._land('image_linear', [0.2, 0.3, 0.1])
    found = outcome.costs(self.store, self.plan, KNOWN)
    self.assertEqual(list(found), ['image', 'image_linear'])
    self.assertEqual(found['image']['parameters'], 11)
    self.assertEqual(found['image']['seconds'], 6)
    self.assertEqual(found['image']['trials'], 3)
    self.assertNotIn('upstream_seconds', found['image'])
    self.assertEqual(found['image_linear']['parameters'], 22)
    self.assertEqual(found['image_linear']['upstream_seconds'], 3)

  def test_a_note_is_told_once_per_arm(self):
    self._land('image', [0.1])
    self.assertEqual(
      outcome.notes(self.store, self.plan, ['image']),
      ["Arm 'image', 1 of 1 models: The path ended."],
    )


class TogetherTest(absltest.TestCase):
  def test_tables_without_curves(self):
    def table(rows, **survival):
      return outcome.table(
        tiny.cohort(kind=types.SURVIVAL),
        'ehr',
        (0, 0, 0),
        part='test',
        rows=np.array(rows),
        logits=np.zeros((len(rows), 1)),
        survival=survival,
      )

    found = outcome.together(
      [table([0, 1], t=np.array([0.5, 0.25])), table([2])]
    )
    np.testing.assert_array_equal(found.survival['t'], [0.5, 0.25, np.nan])
    self.assertEmpty(outcome.together([table([0]), table([1])]).survival)


class RecalibratedFormTest(parameterized.TestCase):
  def _reasons(self, kind='binary', *, rule='mean', miscalibrated=True):
    flag = {'miscalibrated': miscalibrated, 'reasons': ['The slope is 3.90.']}
    arm = dataclasses.replace(KNOWN['late_mean'], rule=rule)
    predictions = mock.Mock(task=types.Task(kind, ('y',)))
    summary = {
      'arms': {
        'late_x': {'probabilities': flag},
        'ehr': {'probabilities': dict(flag, reasons=['kept'])},
        'image': {'probabilities': None},
      },
      'use': {
        'advice': 'not_distinguishable',
        'sentence': 'None is advised.',
        'excluded': [
          {'arm': 'late_x', 'reason': 'miscalibrated probabilities'},
          {'arm': 'ehr', 'reason': 'miscalibrated probabilities'},
        ],
      },
    }
    with mock.patch.object(
      outcome.summary_lib, 'summarise', return_value=summary
    ):
      found = outcome._summarise({**KNOWN, 'late_x': arm}, predictions)
    flags = {a: x['probabilities'] for a, x in found['arms'].items()}
    self.assertEqual(flags['ehr']['reasons'], ['kept'])
    self.use = found['use']
    return flags['late_x']['reasons'][1:]

  @parameterized.product(
    rule=('mean', 'weighted'), kind=('binary', 'multilabel', 'survival')
  )
  def test_names_the_setting(self, rule, kind):
    self.assertEqual(
      self._reasons(kind, rule=rule),
      [
        'Its recalibrated form is trained by '
        f'--arm=late_x_recalibrated=late_x(rule={rule}(recalibrated=true)).'
      ],
    )
    mend = f'--arm=late_x_recalibrated=late_x(rule={rule}(recalibrated=true))'
    self.assertEqual(
      self.use['sentence'], f'None is advised. Recalibrated: {mend}.'
    )
    self.assertEqual(self.use['excluded'][0]['remedy'], mend)
    self.assertNotIn('remedy', self.use['excluded'][1])

  @parameterized.parameters(
    {'miscalibrated': False},
    {'rule': 'stack'},
    {'rule': 'mean(recalibrated=true)'},
  )
  def test_silent_where_there_is_nothing_to_offer(self, **changes):
    self.assertEmpty(self._reasons(**changes))
    self.assertEqual(self.use['sentence'], 'None is advised.')


if __name__ == '__main__':
  absltest.main()
