"""The verdict of whole tables whose right answer is known.

What the gain is about is said in comparison.py. These are the inputs that a
verdict by a reference picked on validation got wrong, and their twins.
"""

import dataclasses
import json

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special, stats

from fusion_jax.core import types
from fusion_jax.evaluation import (
  comparison,
  estimates,
  folds,
  predictions,
  resampling,
  summary,
)
from fusion_jax.evaluation import config as config_lib

BINARY = types.Task(types.BINARY, ('y',))
CONFIG = config_lib.EvaluationConfig(replicates=399)


def _scores(auroc, y, rng, shared, correlation=0.9):
  """(n,) scores of an arm with about that AUROC."""
  noise = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(
    size=len(y)
  )
  # Per class, so that chance does not move the arms apart.
  for label in (0, 1):
    rows = y == label
    noise[rows] = (noise[rows] - noise[rows].mean()) / noise[rows].std()
  return noise + np.sqrt(2) * special.ndtri(auroc) * y


def _table(areas, *, n=2000, folds=1, valid=None, n_valid=100, seed=0):
  """Predictions whose arms have about the given AUROCs on test.

  Args:
    areas: by arm.
    n: studies tested, one a patient.
    folds: test parts they are divided into.
    valid: AUROCs on validation; none there if None.
    n_valid: studies validated on, in each fold.
    seed: of the noise.
  """
  rng = np.random.default_rng(seed)
  tables = []

  def add(names, areas, fold, part):
    count = len(names)
    y = (np.arange(count) % 5 < 2).astype(float)
    shared = rng.normal(size=count)
    for arm, area in areas.items():
      tables.append(
        predictions.create(
          task=BINARY,
          study_id=names,
          patient_id=np.char.add('p', names),
          arm=arm,
          labels=y[:, None],
          scores=special.expit(_scores(area, y, rng, shared) - 1)[:, None],
          fold=fold,
          part=part,
        )
      )

  for fold in range(folds):
    names = np.array([f's{fold}.{i}' for i in range(n // folds)])
    add(names, areas, fold, predictions.TEST)
    if valid:
      names = np.array([f'v{fold}.{i}' for i in range(n_valid)])
      add(names, valid, fold, predictions.VALID)
  return predictions.concat(tables)


def _summarise(table, *, singles=('image', 'ehr'), **changes):
  fusions = [a for a in table.arms if a not in singles]
  settings = dict(singles=singles, fusions=fusions, config=CONFIG)
  found = summary.summarise(table, **{**settings, **changes})
  json.dumps(found, allow_nan=False)
  return found


def _verdicts(found):
  return {c['arm']: c['verdict'] for c in found['comparisons']}


class AuditTest(absltest.TestCase):
  """Image .84, ehr .80, fusion .805; ehr looks better on validation."""

  AREAS = {'image': 0.84, 'ehr': 0.80, 'fusion': 0.805}
  VALID = {'image': 0.75, 'ehr': 0.85, 'fusion': 0.80}

  def test_worse_than_the_best_single_is_inferior(self):
    found = _summarise(_table(self.AREAS, valid=self.VALID))
    self.assertEqual(_verdicts(found), {'fusion': 'inferior'})
    (c,) = found['comparisons']
    self.assertEqual(c['single'], 'image')
    self.assertAlmostEqual(c['difference'], -0.035, delta=0.004)
    self.assertLess(c['high'], 0)
    self.assertFalse(c['within_margin'])
    self.assertEqual(found['question']['words'], 'WORSE')
    # What validation would have picked is said, beside the verdict.
    picked = found['best_single']['picked_on_validation']
    self.assertEqual([x['arm'] for x in picked['by_fold']], ['ehr'])
    self.assertEqual(c['picked_on_validation']['verdict'], 'equivalent')
    self.assertNotIn('quivalent', found['question']['sentence'])

  def test_in_folds(self):
    found = _summarise(_table(self.AREAS, folds=4, valid=self.VALID))
    self.assertEqual(_verdicts(found), {'fusion': 'inferior'})
    self.assertTrue(found['evaluation']['factor']['shared'])

  def test_the_other_way_round(self):
    areas = {'image': 0.80, 'ehr': 0.84, 'fusion': 0.805}
    found = _summarise(_table(areas, valid=self.VALID))
    self.assertEqual(_verdicts(found), {'fusion': 'inferior'})
    self.assertEqual(found['best_single']['arm'], 'ehr')

  def test_external_data_need_no_validation(self):
    table = _table(self.AREAS)
    again = dataclasses.replace(table, fold=np.ones_like(table.fold))
    found = _summarise(predictions.concat([table, again]))
    self.assertEqual(_verdicts(found), {'fusion': 'inferior'})
    self.assertEqual(found['evaluation']['factor']['value'], 1)
    self.assertIsNone(found['comparisons'][0]['picked_on_validation'])


class TwinsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'image': 0.80, 'ehr': 0.80, 'fusion': 0.80}, 'equivalent', 2000),
    ({'image': 0.80, 'ehr': 0.80, 'fusion': 0.84}, 'superior', 2000),
    ({'image': 0.80, 'ehr': 0.60, 'fusion': 0.84}, 'superior', 2000),
    ({'image': 0.80, 'ehr': 0.80, 'fusion': 0.80}, 'inconclusive', 100),
  )
  def test_verdict(self, areas, expected, n):
    found = _summarise(_table(areas, n=n))
    self.assertEqual(_verdicts(found), {'fusion': expected})

  def test_inferior_and_superior_within_the_margin(self):
    config = dataclasses.replace(CONFIG, margin=0.05)
    for area, verdict in ((0.785, 'inferior'), (0.82, 'superior')):
      areas = {'image': 0.80, 'ehr': 0.70, 'fusion': area}
      found = _summarise(_table(areas, n=2000), config=config)
      (c,) = found['comparisons']
      self.assertEqual((c['verdict'], c['within_margin']), (verdict, True))
      self.assertIn('by less than the margin', c['sentence'])

  def test_identical_arm(self):
    table = _table({'image': 0.8, 'ehr': 0.7, 'fusion': 0.8})
    scores = table.scores.copy()
    scores[table.arm == 'fusion'] = scores[table.arm == 'image']
    found = _summarise(dataclasses.replace(table, scores=scores))
    (c,) = found['comparisons']
    self.assertEqual(c['verdict'], 'equivalent')
    self.assertEqual(
      (c['difference'], c['low'], c['high'], c['p_adjusted']), (0, 0, 0, 1)
    )
    self.assertIn('the same', c['sentence'])

  def test_the_best_single_crashed(self):
    table = _table({'ehr': 0.7, 'fusion': 0.8})
    found = _summarise(table)
    (c,) = found['comparisons']
    self.assertEqual(c['verdict'], 'inconclusive')
    self.assertIn("'image' has no predictions", c['reason'])
    self.assertGreater(c['low'], 0)

  def test_the_best_single_crashed_in_one_fold(self):
    table = _table({'image': 0.8, 'ehr': 0.7, 'fusion': 0.9}, folds=2)
    table = table.take(
      np.flatnonzero((table.arm != 'image') | (table.fold != 1))
    )
    (c,) = _summarise(table)['comparisons']
    self.assertEqual(c['verdict'], 'inconclusive')
    self.assertIn("'image' has no result in a fold", c['reason'])

  def test_a_modality_without_a_single_arm(self):
    table = _table({'ehr': 0.7, 'better': 0.8, 'worse': 0.6})
    facts = {
      'ehr': {'modalities': ('ehr',)},
      'better': {'modalities': ('image', 'ehr')},
      'worse': {'modalities': ('image', 'ehr')},
    }
    found = _summarise(table, singles=('ehr',), facts=facts)
    self.assertEqual(
      _verdicts(found), {'better': 'inconclusive', 'worse': 'inferior'}
    )
    self.assertIn("the modality 'image'", found['comparisons'][0]['reason'])
    self.assertTrue(any('the modality' in w for w in found['warnings']))
    named = _summarise(table, singles=('ehr',), facts=facts, reference='ehr')
    self.assertEqual(_verdicts(named)['better'], 'superior')
    self.assertEqual(
      named['comparisons'][0]['over_all_singles']['verdict'], 'inconclusive'
    )

  def test_named_reference_has_the_verdict_over_all_singles_beside_it(self):
    table = _table({'image': 0.84, 'ehr': 0.76, 'fusion': 0.80})
    found = _summarise(table, reference='ehr')
    (c,) = found['comparisons']
    self.assertEqual((c['verdict'], c['single']), ('superior', 'ehr'))
    self.assertEqual(c['over_all_singles']['verdict'], 'inferior')
    self.assertEqual(c['over_all_singles']['single'], 'image')
    sentence = found['question']['sentence']
    self.assertStartsWith(sentence, "A fusion arm beats 'ehr' here.")
    self.assertIn("over 'image': inferior", sentence)
    self.assertNotIn('usion beats the best', sentence)

  def test_one_single_is_named(self):
    found = _summarise(_table({'ehr': 0.7, 'fusion': 0.8}), singles=('ehr',))
    self.assertIn("better than 'ehr' alone?", found['question']['text'])
    self.assertStartsWith(
      found['question']['sentence'], "Fusion beats 'ehr' here."
    )

  def test_lower_is_better(self):
    task = types.Task(types.REGRESSION, ('y',))
    rng = np.random.default_rng(0)
    y = rng.normal(size=1500)
    names = np.array([f's{i}' for i in range(len(y))])
    table = predictions.concat(
      [
        predictions.create(
          task=task,
          study_id=names,
          patient_id=names,
          arm=arm,
          labels=y[:, None],
          scores=(y + sd * rng.normal(size=len(y)))[:, None],
        )
        for arm, sd in (
          ('image', 1.0),
          ('ehr', 1.1),
          ('better', 0.7),
          ('worse', 1.3),
          ('same', 1.0),
        )
      ]
    )
    for metric in ('rmse', 'mae'):
      config = dataclasses.replace(CONFIG, metric=metric)
      found = _summarise(table, config=config)
      # Gains: positive is better also where less of the metric is.
      gains = {c['arm']: c['difference'] for c in found['comparisons']}
      self.assertGreater(gains['better'], 0)
      self.assertLess(gains['worse'], 0)
      # Nobody gave a margin in the label's unit.
      self.assertEqual(
        _verdicts(found),
        {'better': 'superior', 'worse': 'inferior', 'same': 'inconclusive'},
      )
      self.assertFalse(found['evaluation']['margin_given'])
      self.assertTrue(any('No margin' in w for w in found['warnings']))
      self.assertIsNone(found['comparisons'][2]['patients_needed']['superior'])
      given = dataclasses.replace(config, margin=0.2)
      self.assertEqual(
        _verdicts(_summarise(table, config=given))['same'], 'equivalent'
      )

  def test_survival(self):
    task = types.Task(types.SURVIVAL, ('time', 'event'))
    rng = np.random.default_rng(0)
    risk = rng.normal(size=1200)
    time = rng.exponential(np.exp(-risk))
    event = rng.random(len(risk)) < 0.7
    names = np.array([f's{i}' for i in range(len(risk))])
    table = predictions.concat(
      [
        predictions.create(
          task=task,
          study_id=names,
          patient_id=names,
          arm=arm,
          labels=np.stack([time, event], axis=1).astype(float),
          scores=(risk + sd * rng.normal(size=len(risk)))[:, None],
        )
        for arm, sd in (
          ('image', 1.0),
          ('ehr', 2.0),
          ('joint', 0.4),
          ('late', 2.0),
        )
      ]
    )
    found = _summarise(table)
    self.assertEqual(
      _verdicts(found), {'joint': 'superior', 'late': 'inferior'}
    )
    self.assertEqual(found['best_single']['arm'], 'image')

  def test_a_label_that_replicates_lack(self):
    """One patient of 60 has it: .37 of the replicates leave it undefined."""
    task = types.Task(types.MULTILABEL, ('common', 'rare'))
    rng = np.random.default_rng(0)
    n = 60
    labels = np.stack([np.arange(n) % 2, np.arange(n) == 7], axis=1)
    names = np.array([f's{i}' for i in range(n)])
    table = predictions.concat(
      [
        predictions.create(
          task=task,
          study_id=names,
          patient_id=names,
          arm=arm,
          labels=labels.astype(float),
          scores=special.expit(labels * 1.0 + sd * rng.normal(size=(n, 2))),
        )
        for arm, sd in (('image', 2.0), ('ehr', 2.0), ('joint', 0.3))
      ]
    )
    config = dataclasses.replace(CONFIG, metric='auroc/rare')
    found = _summarise(table, config=config)
    (c,) = found['comparisons']
    # More than half of the replicates are defined, so that there are bounds,
    # and one patient settles nothing.
    self.assertEqual((c['verdict'], c['single']), ('inconclusive', 'ehr'))
    self.assertLess(c['low'], 0)
    self.assertGreater(c['high'], c['difference'])
    self.assertTrue(
      any('Only 1 patient with rare' in w for w in found['warnings'])
    )
    # A perfect arm has no interval of its own.
    own = found['arms']['joint']['metrics']['auroc/rare']
    self.assertEqual((own['estimate'], own['low']), (1, None))
    self.assertIn('no interval', own['reason'])

  def test_low_is_above_zero_if_and_only_if_p_is_small(self):
    for seed in range(4):
      areas = {'image': 0.78, 'ehr': 0.8, 'f': 0.815, 'g': 0.83, 'h': 0.82}
      table = _table(areas, n=300, folds=3, seed=seed)
      for c in _summarise(table)['comparisons']:
        self.assertEqual(c['low'] > 0, c['p_adjusted'] <= 0.025)
        for x in c['against']:
          self.assertEqual(x['low'] > 0, x['p_adjusted'] <= 0.025)

  def test_headline_counts_and_names_the_rest(self):
    areas = {'image': 0.8, 'ehr': 0.7, 'good': 0.86, 'bad': 0.72}
    found = _summarise(_table(areas))
    self.assertEqual(found['question']['verdict'], 'superior')
    self.assertEqual(
      found['question']['counts'],
      {'superior': 1, 'equivalent': 0, 'inconclusive': 0, 'inferior': 1},
    )
    self.assertIn('bad', ' '.join(found['question']['not_in_headline']))
    self.assertIn('bad', found['question']['sentence'])
    gain = found['gain']
    self.assertEqual((gain['arm'], gain['single']), ('good', 'image'))
    self.assertAlmostEqual(
      gain['difference'], gain['estimate'] - gain['single_estimate']
    )
    self.assertEqual([x['single'] for x in gain['added']], ['image', 'ehr'])


class NullTest(absltest.TestCase):
  """No arm is better than the best single: how often is one called so?"""

  RUNS = 300
  ARMS = ('image', 'ehr', 'f0', 'f1', 'f2')

  def _superior(self, seed):
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(60), 2)
    y = (rng.random(60) < 0.4)[patient]
    own = rng.normal(size=(len(self.ARMS), 60))[:, patient]
    scores = own + rng.normal(size=own.shape) + 1.7 * y
    fold = folds.Fold(
      repeat=0,
      fold=0,
      study=np.arange(len(y)).astype(str),
      patient=patient.astype(str),
      labels=y[:, None].astype(float),
      weight=np.ones(len(y)),
      complete=np.ones(len(y), bool),
      scores={
        a: {0: s[:, None]} for a, s in zip(self.ARMS, scores, strict=True)
      },
    )
    common = dict(arms=self.ARMS, wanted=['auroc'])
    values = estimates.estimate(BINARY, [fold], **common).values['auroc']
    replicates = resampling.replicate(
      BINARY,
      [fold],
      **common,
      metric='auroc',
      resamples=resampling.draw(fold.patient, replicates=199, seed=seed),
    ).by_fold
    gains = comparison.compare(
      arms=self.ARMS,
      fusions=self.ARMS[2:],
      singles=self.ARMS[:2],
      values=values,
      margin=0.02,
      families=comparison.resampled(self.ARMS, replicates, values, 1.0),
    ).gains
    return any(g.verdict == 'superior' for g in gains)

  def test_rate_of_superior(self):
    wrong = sum(self._superior(seed) for seed in range(self.RUNS))
    lowest = stats.beta.ppf(0.001, max(wrong, 1), self.RUNS - wrong + 1)
    self.assertLessEqual(lowest, 0.025, f'{wrong} of {self.RUNS}')


if __name__ == '__main__':
  absltest.main()
