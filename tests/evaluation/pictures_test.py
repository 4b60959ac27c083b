"""Tests of what the report draws beside curves."""

import json

from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import config, curves, pictures
from tests.report import samples

CONFIG = config.EvaluationConfig(replicates=199)


class PicturesTest(parameterized.TestCase):
  @parameterized.parameters(
    (types.SURVIVAL, ['risk_groups', 'auroc_over_time']),
    (types.REGRESSION, ['residuals']),
    (types.BINARY, ['scores']),
    (types.MULTICLASS, ['confusion']),
  )
  def test_what_each_task_has(self, kind, names):
    table, summary = samples.table(kind), samples.sample(kind)
    before = curves.of(table, config=CONFIG)
    found = pictures.beside(before, table, summary=summary, config=CONFIG)
    kept = found.pop(pictures.KEY)
    self.assertEqual(found, before)
    arms = [summary['gain']['arm'], summary['best_single']['arm']]
    self.assertEqual(kept['arms'], arms)
    for name in names:
      self.assertEqual(list(kept[name]), arms)
    self.assertLessEqual(set(names), set(kept))
    text = json.dumps(kept, allow_nan=False)
    self.assertNotIn('STUDY', text)
    self.assertNotIn('PATIENT', text)

  def test_reclassification_has_the_factor_of_the_summary(self):
    table, summary = samples.table(), samples.sample()
    widths = []
    for factor in (1.0, 2.0):
      summary['evaluation']['factor']['value'] = factor
      kept = pictures.beside({}, table, summary=summary, config=CONFIG)
      moved = kept[pictures.KEY]['reclassification']
      self.assertEqual(moved['arm'], summary['gain']['arm'])
      self.assertEqual(moved['single'], summary['best_single']['arm'])
      net = moved['net']['total']
      widths.append(net['high'] - net['low'])
    self.assertAlmostEqual(widths[1], 2 * widths[0], places=3)

  def test_without_a_gain_nothing_is_reclassified(self):
    table, summary = samples.table(), samples.sample()
    summary['gain'] = None
    kept = pictures.beside({}, table, summary=summary, config=CONFIG)
    self.assertNotIn('reclassification', kept[pictures.KEY])

  def test_an_arm_of_that_name_keeps_its_curves(self):
    table, summary = samples.table(), samples.sample()
    mine = {'roc': {'x': [], 'y': []}}
    found = pictures.beside(
      {pictures.KEY: mine}, table, summary=summary, config=CONFIG
    )
    self.assertEqual(found, {pictures.KEY: mine})

  def test_which_arms(self):
    arms = {'a': {}, 'b': {}, 'c': {}}
    nothing = {'gain': None, 'best_single': {'arm': None}}
    self.assertEqual(pictures.chosen({'arms': arms, **nothing}), ['a', 'b'])
    gain = {'gain': {'arm': 'c'}, 'best_single': {'arm': 'b'}}
    self.assertEqual(pictures.chosen({'arms': arms, **gain}), ['c', 'b'])
    alone = {'gain': None, 'best_single': {'arm': 'b'}}
    self.assertEqual(pictures.chosen({'arms': arms, **alone}), ['b'])


if __name__ == '__main__':
  absltest.main()
