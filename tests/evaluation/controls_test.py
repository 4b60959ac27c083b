"""Tests of what control conditions say, on tables made by hand."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import conditions, controls, entries, predictions
from fusion_jax.evaluation import config as config_lib
from tests.evaluation import summary_test

CONFIG = config_lib.EvaluationConfig(replicates=199)
N = 240
SINGLES, FUSIONS = ['image', 'ehr'], ['joint']
# Spread of the error of 'joint' under each condition; it is 0.5 intact.
WORSE = {
  'image_permuted': 2.0,
  'ehr_permuted': 2.5,
  'image_absent': 1.5,
  'ehr_absent': 3.0,
  'emap': 1.5,
}


def intact(kind=types.BINARY, **options):
  arms = {'image': 2.0, 'ehr': 1.5, 'joint': 0.5}
  return summary_test._table(kind, n=N, arms=arms, **options)


def under(table, arm, condition, spread, *, seed=0):
  """The test rows of an arm with noise on their scores' logits."""
  found = table.take(
    np.flatnonzero((table.arm == arm) & (table.part == 'test'))
  )
  rng = np.random.default_rng(seed)
  noise = spread * rng.normal(size=(len(found), 1))
  scores = found.scores
  if table.task.kind in (types.BINARY, types.MULTILABEL):
    scores = 1 / (1 + np.exp(-np.log(scores / (1 - scores)) - noise))
  elif table.task.kind == types.MULTICLASS:
    scores = scores * np.exp(noise * np.arange(scores.shape[1]))
    scores /= scores.sum(axis=1, keepdims=True)
  else:
    scores = scores + noise
  return dataclasses.replace(
    found, scores=scores, condition=np.full(len(found), condition)
  )


def with_conditions(table, spreads, ensemble=0.1):
  """The table and rows of 'joint', and an ensemble of 'ehr', added to it."""
  tables = [table]
  tables += [under(table, 'joint', c, s) for c, s in spreads.items()]
  if ensemble is not None:
    tables.append(under(table, 'ehr', 'ensemble', ensemble))
  found = predictions.concat(tables)
  predictions.check(found)
  return found


def summarise(table, **changes):
  settings = {'singles': SINGLES, 'fusions': FUSIONS, 'config': CONFIG}
  return controls.summarise(table, **{**settings, **changes})


class SummariseTest(parameterized.TestCase):
  def test_without_conditions_there_is_nothing(self):
    self.assertEqual(summarise(intact()), {})
    table = with_conditions(intact(), WORSE)
    self.assertEqual(summarise(table, fusions=[]), {})

  @parameterized.parameters(*summary_test.NAMES)
  def test_every_task(self, kind):
    found = summarise(with_conditions(intact(kind), WORSE))['joint']
    self.assertEqual(list(found['conditions']), [*WORSE, 'ensemble'])
    for name in WORSE:
      entry = found['conditions'][name]
      loss = entry['loss']
      self.assertGreater(loss['estimate'], 0, name)
      self.assertBetween(loss['estimate'], loss['low'], loss['high'])
      self.assertEqual((entry['folds'], entry['studies']), (3, N))
    parts = [found['shapley'][m]['estimate'] for m in ('image', 'ehr')]
    self.assertAlmostEqual(sum(parts), found['shapley']['both']['estimate'])

  def test_a_loss_is_the_difference_of_the_means_over_folds(self):
    table = with_conditions(intact(), {'emap': 1.5})
    found = summarise(table)['joint']['conditions']['emap']
    own = summary_test._summarise(table, singles=SINGLES, fusions=FUSIONS)
    auroc = own['arms']['joint']['metrics']['auroc']['estimate']
    self.assertAlmostEqual(
      found['loss']['estimate'],
      auroc - found['metrics']['auroc']['estimate'],
    )

  def test_the_same_predictions_lose_nothing(self):
    found = summarise(with_conditions(intact(), {'emap': 0.0}, None))['joint']
    self.assertEqual(
      {k: found['emap'][k] for k in ('estimate', 'low', 'high')},
      {'estimate': 0, 'low': 0, 'high': 0},
    )
    self.assertIs(found['fusion']['interactions'], False)

  def test_all_that_makes_a_gain_fusion(self):
    found = summarise(with_conditions(intact(), WORSE))['joint']
    self.assertEqual(
      found['fusion'],
      {'uses_both': True, 'interactions': True, 'beats_ensemble': True},
    )
    self.assertIn(
      'The gain is fusion, interactions included.', found['sentence']
    )

  def test_one_modality_that_could_as_well_be_exchanged(self):
    found = summarise(with_conditions(intact(), {**WORSE, 'image_permuted': 0}))
    fusion, sentence = found['joint']['fusion'], found['joint']['sentence']
    self.assertIs(fusion['uses_both'], False)
    self.assertIn('is not shown to use both modalities', sentence)
    self.assertIn('That a gain is due to fusion is not shown.', sentence)

  def test_an_additive_gain_is_fusion_too(self):
    found = summarise(with_conditions(intact(), {**WORSE, 'emap': 0}))['joint']
    self.assertIn('The gain is fusion; adding up', found['sentence'])

  def test_what_was_not_run_is_not_judged(self):
    found = summarise(with_conditions(intact(), {'image_noise': 2}, None))
    found = found['joint']
    self.assertEqual(set(found['fusion'].values()), {None})
    self.assertIn('was not tested', found['sentence'])
    for name in ('emap', 'ensemble'):
      self.assertTrue(np.isnan(found[name]['estimate']))
      self.assertIn('was not run', found[name]['reason'])
    self.assertIn('needs the conditions', found['shapley']['reason'])
    self.assertIsNone(entries.plain(found)['emap']['estimate'])

  def test_one_permutation_alone_does_not_show_the_use_of_both(self):
    table = with_conditions(intact(), {'image_permuted': 2.0}, None)
    found = summarise(table)['joint']
    self.assertIsNone(found['fusion']['uses_both'])

  def test_less_is_better(self):
    config = dataclasses.replace(CONFIG, metric='brier')
    table = with_conditions(intact(), {**WORSE, 'emap': 4.0})
    found = summarise(table, config=config)['joint']
    entry = found['conditions']['emap']
    self.assertGreater(entry['loss']['low'], 0)
    self.assertIn('makes its Brier score worse by 0.', found['sentence'])
    self.assertIn('its Brier score is better by', found['sentence'])
    brier = entry['metrics']['brier']
    self.assertGreater(brier['low'], 0)
    self.assertLess(brier['low'], brier['high'])
    # Without either modality the Brier score is that of the prevalence.
    self.assertBetween(found['shapley']['both']['estimate'], 0.1, 0.25)

  def test_some_studies_only_are_compared_with_themselves(self):
    table = intact()
    emap = under(table, 'joint', 'emap', 0.0)
    rows = np.array([int(x[1:]) % 3 == 0 for x in emap.study_id])
    table = predictions.concat([table, emap.take(np.flatnonzero(rows))])
    found = summarise(table)['joint']
    self.assertEqual(found['emap']['estimate'], 0)
    self.assertEqual(found['emap']['studies'], N // 3)

  def test_a_fold_without_the_condition_is_left_out_of_both(self):
    table = intact()
    changed = under(table, 'joint', 'image_permuted', 0.0)
    changed = changed.take(np.flatnonzero(changed.fold != 1))
    found = summarise(predictions.concat([table, changed]))['joint']
    entry = found['conditions']['image_permuted']
    self.assertEqual(entry['folds'], 2)
    self.assertEqual(entry['loss']['estimate'], 0)

  def test_the_ensemble_is_of_the_best_single_arm(self):
    table = intact()
    better = under(table, 'ehr', 'ensemble', 0.0)
    better = dataclasses.replace(
      better, scores=under(table, 'joint', 'ensemble', 0.0).scores
    )
    found = summarise(predictions.concat([table, better]))['joint']
    self.assertEqual(found['ensemble']['estimate'], 0)
    self.assertNotIn('reason', found['ensemble'])
    self.assertIn("of two models of 'ehr', the best single", found['sentence'])
    reference = 'image'
    found = summarise(predictions.concat([table, better]), reference=reference)[
      'joint'
    ]
    self.assertIn('reason', found['ensemble'])
    self.assertIsNone(found['fusion']['beats_ensemble'])

  def test_what_validation_picks_is_not_what_is_to_be_beaten(self):
    table = intact()
    # On validation 'image' looks like 'joint'; on test 'ehr' is better.
    scores = table.scores.copy()
    rows = (table.part == 'valid') & (table.arm == 'image')
    scores[rows] = scores[(table.part == 'valid') & (table.arm == 'joint')]
    table = dataclasses.replace(table, scores=scores)
    easy = under(table, 'image', 'ensemble', 3.0)
    found = summarise(
      predictions.concat([table, easy, under(table, 'ehr', 'ensemble', 0.1)])
    )['joint']
    alone = summarise(
      predictions.concat([table, under(table, 'ehr', 'ensemble', 0.1)])
    )['joint']
    self.assertEqual(found['ensemble'], alone['ensemble'])
    self.assertIn("of two models of 'ehr', the best single", found['sentence'])

  def test_an_ensemble_of_one_model_is_no_evidence(self):
    found = summarise(with_conditions(intact(), WORSE, 0.0))['joint']
    for entry in (found['ensemble'], found['conditions']['ensemble']['loss']):
      self.assertTrue(np.isnan(entry['estimate']))
      self.assertIn('one and the same', entry['reason'])
    self.assertIsNone(found['fusion']['beats_ensemble'])
    self.assertNotIn('beats', found['sentence'])
    self.assertNotIn('The gain is fusion', found['sentence'])
    self.assertIn('was not fully tested.', found['sentence'])
    self.assertIn(
      "An ensemble of two models of 'ehr', the best single modality, is no "
      'control here',
      found['sentence'],
    )
    found = summarise(with_conditions(intact(), WORSE, 0.5))['joint']
    self.assertNotIn('reason', found['ensemble'])
    self.assertIs(found['fusion']['beats_ensemble'], True)

  def test_modalities_of_their_own_names(self):
    table = with_conditions(intact(), WORSE)
    both = {'scan': table.available['image'], 'notes': table.available['ehr']}
    table = dataclasses.replace(table, available=both)
    sides = {'image': ('scan',), 'ehr': ('notes',)}
    found = summarise(table, sides=sides)['joint']
    self.assertEqual(list(found['shapley']), ['scan', 'notes', 'both'])
    self.assertIn('exchanging the scan among', found['sentence'])
    self.assertEqual(found['sides'], {'image': ['scan'], 'ehr': ['notes']})
    # Of a file of predictions nothing is known but the sides.
    plain = summarise(table)['joint']
    self.assertEqual(list(plain['shapley']), ['image', 'ehr', 'both'])
    for one, other in (('scan', 'image'), ('notes', 'ehr')):
      self.assertEqual(found['shapley'][one], plain['shapley'][other])

  def test_every_set_of_three_modalities(self):
    table = intact()
    seen = ('xray', 'ct', 'labs')
    table = dataclasses.replace(
      table, available={m: np.ones(len(table), bool) for m in seen}
    )
    names = conditions.of_shapley(seen, {})
    spreads = {c: 0.5 * (1 + c.count('+')) for c in names}
    found = summarise(with_conditions(table, spreads, None))['joint']
    self.assertEqual(list(found['shapley']), [*seen, 'all'])
    self.assertAlmostEqual(
      sum(found['shapley'][m]['estimate'] for m in seen),
      found['shapley']['all']['estimate'],
    )
    self.assertEmpty(found['conditions'])
    self.assertNotIn('shapley_of_sides', found)
    del spreads['ct+labs_absent']
    found = summarise(with_conditions(table, spreads, None))['joint']
    self.assertIn("control 'shapley'", found['shapley']['reason'])

  def test_withheld_modalities_that_are_no_worse_than_both(self):
    table = with_conditions(
      intact(), {'image_absent': 0.0, 'ehr_absent': 0.0}, None
    )
    found = summarise(table)['joint']['shapley']
    self.assertAlmostEqual(
      found['image']['estimate'], found['both']['estimate'] / 2
    )

  def test_the_order_of_rows_does_not_matter(self):
    table = with_conditions(intact(), WORSE)
    order = np.random.default_rng(0).permutation(len(table))
    self.assertEqual(summarise(table), summarise(table.take(order)))


if __name__ == '__main__':
  absltest.main()
