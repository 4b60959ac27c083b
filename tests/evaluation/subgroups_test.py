"""Tests of metrics within groups."""

import dataclasses
import math

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics as sk_metrics

from fusion_jax.core import errors, types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import (
  predictions,
  resampling,
  subgroups,
  summary,
  thresholds,
)
from tests import tiny

N = 240
FOLDS = 2
ARMS = ('ehr', 'joint')


def make(kind=types.BINARY, *, seeds=1, rare=0, seed=0):
  """Predictions of two arms on two folds; `rare` studies are of sex 'x'."""
  rng = np.random.default_rng(seed)
  task = tiny.task_of(kind)
  z = rng.normal(size=N)
  labels = {
    types.BINARY: (z > 0)[:, None],
    types.MULTICLASS: np.digitize(z, [-0.5, 0.5])[:, None],
    types.MULTILABEL: np.stack([z > 0, z > 1], axis=1),
    types.REGRESSION: z[:, None],
    types.SURVIVAL: np.stack([np.exp(-z), rng.random(N) < 0.7], axis=1),
  }[kind].astype(float)
  sex = np.where(rng.random(N) < 0.4, 'f', 'm')
  sex[:rare] = 'x'
  age = np.where(rng.random(N) < 0.5, 'old', 'young')
  here = rng.random(N) < 0.8
  tables = []
  for part in predictions.PARTS:
    for fold in range(FOLDS):
      rows = np.flatnonzero(
        (np.arange(N) // 2 % FOLDS == fold) == (part == 'test')
      )
      for a, arm in enumerate(ARMS):
        for s in range(seeds):
          raw = z[rows] + rng.normal(size=len(rows)) * (1.5 - 0.5 * a)
          if kind == types.MULTICLASS:
            p = np.exp(-np.abs(raw[:, None] - np.array([-1.0, 0.0, 1.0])))
            p /= p.sum(axis=1, keepdims=True)
          elif kind == types.MULTILABEL:
            p = 1 / (1 + np.exp(-np.stack([raw, raw - 1], axis=1)))
          elif kind == types.BINARY:
            p = 1 / (1 + np.exp(-raw))
          else:
            p = raw
          tables.append(
            predictions.create(
              task=task,
              study_id=np.char.add('s', np.char.zfill(rows.astype(str), 4)),
              patient_id=np.char.add('p', (rows // 2).astype(str)),
              arm=arm,
              fold=fold,
              seed=s,
              part=part,
              labels=labels[rows],
              scores=p,
              available={
                'image': here[rows],
                'ehr': np.ones(len(rows), bool),
              },
              subgroup={'sex': sex[rows], 'age': age[rows]},
            )
          )
  return predictions.concat(tables)


def work(p, replicates=60):
  """Folds with thresholds, their groups and resamples."""
  test = folds_lib.arrange(p, 'test')
  test = thresholds.attach(p.task, test, folds_lib.arrange(p, 'valid'))
  resamples = resampling.draw(
    np.concatenate([f.patient for f in test]), replicates=replicates, seed=0
  )
  return test, subgroups.find(p), resamples


def call(p, wanted=('auroc', 'brier'), **options):
  folds, groups, resamples = work(p)
  return subgroups.subgroups(
    p.task,
    folds,
    groups,
    arms=ARMS,
    wanted=wanted,
    metric=wanted[0],
    references=['ehr'] * len(folds),
    resamples=resamples,
    **options,
  )


class GroupsTest(absltest.TestCase):
  def test_levels_pairs_and_availability(self):
    cells = subgroups.find(make()).cells()
    self.assertIn({'sex': 'f'}, cells)
    self.assertIn({'available_image': 'no'}, cells)
    self.assertIn({'sex': 'f', 'age': 'old'}, cells)
    # Every study has the other modality: that divides nothing.
    self.assertNotIn({'available_ehr': 'yes'}, cells)
    self.assertLen(cells, 2 + 2 + 2 + 4)

  def test_a_modality_is_there_if_every_row_says_so(self):
    p = make()
    image = p.available['image'].copy()
    row = np.flatnonzero(image & (p.part == 'test'))[0]
    image[row] = False
    p = dataclasses.replace(p, available={**p.available, 'image': image})
    study = p.study_id[[row]]
    for table in (p, p.take(np.arange(len(p))[::-1])):
      found = subgroups.find(table).of('available_image', study)
      self.assertEqual(found[0], 'no')

  def test_pairs_that_do_not_occur_are_no_groups(self):
    groups = subgroups.Groups(
      np.array(['a', 'b']),
      {'x': np.array(['1', '2']), 'y': np.array(['3', '4'])},
      {},
    )
    self.assertNotIn({'x': '1', 'y': '4'}, groups.cells())

  def test_rows_of_a_group(self):
    p = make()
    groups = subgroups.find(p)
    rows = groups.inside({'sex': 'f', 'age': 'old'}, p.study_id)
    expected = (p.subgroup['sex'] == 'f') & (p.subgroup['age'] == 'old')
    np.testing.assert_array_equal(rows, expected)


class SubgroupsTest(parameterized.TestCase):
  def test_estimates_are_those_of_scikit_learn_on_the_subset(self):
    p = make(seeds=2)
    found = {str(x['group']): x for x in call(p)}
    for cell, rows in (
      ({'sex': 'f'}, p.subgroup['sex'] == 'f'),
      (
        {'sex': 'm', 'age': 'old'},
        (p.subgroup['sex'] == 'm') & (p.subgroup['age'] == 'old'),
      ),
      ({'available_image': 'no'}, ~p.available['image']),
    ):
      entry = found[str(cell)]
      for arm in ARMS:
        aurocs, briers = [], []
        for fold in range(FOLDS):
          for seed in range(2):
            at = rows & (p.arm == arm) & (p.part == 'test')
            at &= (p.fold == fold) & (p.seed == seed)
            y, s = p.labels[at, 0], p.scores[at, 0]
            aurocs.append(sk_metrics.roc_auc_score(y, s))
            briers.append(sk_metrics.brier_score_loss(y, s))
        metrics = entry['arms'][arm]['metrics']
        self.assertAlmostEqual(metrics['auroc']['estimate'], np.mean(aurocs))
        self.assertAlmostEqual(metrics['brier']['estimate'], np.mean(briers))
        self.assertLess(metrics['auroc']['low'], np.mean(aurocs))
        self.assertGreater(metrics['auroc']['high'], np.mean(aurocs))
      gain = entry['arms']['joint']['gain']['estimate']
      difference = (
        entry['arms']['joint']['metrics']['auroc']['estimate']
        - entry['arms']['ehr']['metrics']['auroc']['estimate']
      )
      self.assertAlmostEqual(gain, difference)
      self.assertEqual(entry['arms']['ehr']['gain']['estimate'], 0)
      self.assertEqual(entry['arms']['ehr']['gain']['high'], 0)
      at = rows & (p.arm == 'ehr') & (p.part == 'test') & (p.seed == 0)
      self.assertEqual(entry['studies'], at.sum())
      self.assertEqual(entry['patients'], len(np.unique(p.patient_id[at])))
      self.assertEqual(entry['events'], p.labels[at, 0].sum())
      self.assertIsNone(entry['suppressed'])

  @parameterized.parameters(
    (types.MULTICLASS, 'auroc_macro'),
    (types.MULTILABEL, 'auroc_macro'),
    (types.REGRESSION, 'r2'),
    (types.SURVIVAL, 'c_index'),
  )
  def test_every_task(self, kind, metric):
    found = call(make(kind), (metric,))
    shown = [x for x in found if x['suppressed'] is None]
    self.assertNotEmpty(shown)
    for x in shown:
      entry = x['arms']['joint']['metrics'][metric]
      self.assertBetween(entry['estimate'], entry['low'], entry['high'])

  def test_small_groups_have_counts_and_no_numbers(self):
    found = {str(x['group']): x for x in call(make(rare=6))}
    x = found[str({'sex': 'x'})]
    self.assertEqual(x['suppressed'], '3 patients, fewer than 20')
    self.assertEqual(x['studies'], 6)
    self.assertEqual(x['arms'], {})

  def test_groups_without_events_are_suppressed(self):
    p = make()
    y = p.labels.copy()
    y[p.subgroup['sex'] == 'f'] = 0
    found = {str(x['group']): x for x in call(dataclasses.replace(p, labels=y))}
    self.assertIn('0 studies with', found[str({'sex': 'f'})]['suppressed'])
    self.assertIsNone(found[str({'sex': 'm'})]['suppressed'])

  def test_the_least_numbers_can_be_set(self):
    found = call(make(rare=6), min_group=2, min_events=1)
    x = next(x for x in found if x['group'] == {'sex': 'x'})
    self.assertIsNone(x['suppressed'])

  def test_a_study_tested_twice_counts_once(self):
    p = make()
    again = dataclasses.replace(p, repeat=p.repeat + 1)
    once, twice = call(p), call(predictions.concat([p, again]))
    for a, b in zip(once, twice, strict=True):
      self.assertEqual(a['studies'], b['studies'])
      self.assertEqual(a['events'], b['events'])

  def test_without_a_reference_there_is_no_gain(self):
    p = make()
    folds, groups, resamples = work(p)
    found = subgroups.subgroups(
      p.task,
      folds,
      groups,
      arms=ARMS,
      wanted=('auroc',),
      metric='auroc',
      references=[None] * len(folds),
      resamples=resamples,
    )
    gain = found[0]['arms']['joint']['gain']
    self.assertTrue(math.isnan(gain['estimate']))
    self.assertIn('reference', gain['reason'])

  @parameterized.parameters(
    (types.BINARY, [[1]] * 10 + [[0]] * 9, '9 studies without the event'),
    (types.SURVIVAL, [[1, 1]] * 9 + [[1, 0]] * 40, '9 events'),
    (types.MULTICLASS, [[0]] * 40 + [[1]] * 9, 'fewer than two classes'),
    (types.MULTILABEL, [[1, 0]] * 40, 'no label'),
    (types.REGRESSION, [[1.0]] * 40, None),
  )
  def test_too_few(self, kind, labels, expected):
    n = len(labels)
    names = np.arange(n).astype(str)
    fold = folds_lib.Fold(
      repeat=0,
      fold=0,
      study=names,
      patient=names,
      labels=np.array(labels, float),
      weight=np.ones(n),
      complete=np.ones(n, bool),
      scores={},
    )
    reason = subgroups.too_few(tiny.task_of(kind), [fold], min_group=19)
    if expected is None:
      self.assertIsNone(reason)
    else:
      self.assertIn(expected, reason)


class SectionsTest(absltest.TestCase):
  def test_a_summary_has_both(self):
    p = make()
    found = summary.summarise(
      p,
      singles=['ehr'],
      fusions=['joint'],
      config=config_lib.EvaluationConfig(replicates=60),
    )
    one = found['subgroups'][0]
    self.assertEqual(one['group'], {'sex': 'f'})
    self.assertIn('calibration_slope', one['arms']['joint']['metrics'])
    self.assertLen(found['equalised_odds'], 3 * len(ARMS))
    self.assertEqual(one['arms']['ehr']['gain']['estimate'], 0)

  def test_a_table_without_groups_has_none(self):
    p = dataclasses.replace(make(), subgroup={}, available={})
    found = summary.summarise(
      p,
      singles=['ehr'],
      fusions=['joint'],
      config=config_lib.EvaluationConfig(replicates=60),
    )
    self.assertEqual(found['subgroups'], [])
    self.assertEqual(found['equalised_odds'], [])

  def test_the_configuration_sets_the_least_numbers(self):
    found = summary.summarise(
      make(),
      singles=['ehr'],
      fusions=['joint'],
      config=config_lib.EvaluationConfig(replicates=60, min_group=1000),
    )
    self.assertTrue(all(x['suppressed'] for x in found['subgroups']))
    with self.assertRaisesRegex(errors.UserError, 'min_group=0'):
      config_lib.EvaluationConfig(min_group=0)


class EqualisedOddsTest(absltest.TestCase):
  def _by_hand(self, levels=('a', 'b')):
    """One fold: 40 studies a group, of whom 20 positive."""
    n = 40 * len(levels)
    group = np.repeat(levels, 40)
    y = np.tile(np.repeat([1.0, 0.0], 20), len(levels))
    score = np.full(n, 0.2)
    for i in range(len(levels)):
      # 15, 10, ... of the positives and 5, 10, ... of the negatives called.
      score[40 * i : 40 * i + 15 - 5 * i] = 0.9
      score[40 * i + 20 : 40 * i + 25 + 5 * i] = 0.9
    names = np.char.zfill(np.arange(n).astype(str), 3)
    points = folds_lib.OperatingPoints(
      {'youden': np.array([0.5])}, {'youden': ('',)}
    )
    fold = folds_lib.Fold(
      repeat=0,
      fold=0,
      study=names,
      patient=names,
      labels=y[:, None],
      weight=np.ones(n),
      complete=np.ones(n, bool),
      scores={'joint': {0: score[:, None]}},
      thresholds={'joint': {0: points}},
    )
    return [fold], subgroups.Groups(names, {'sex': group}, {})

  def _odds(self, folds, groups, **options):
    resamples = resampling.draw(folds[0].patient, replicates=200, seed=1)
    return subgroups.equalised_odds(
      tiny.task_of(types.BINARY),
      folds,
      groups,
      arms=['joint'],
      resamples=resamples,
      **options,
    )

  def test_by_hand(self):
    (found,) = self._odds(*self._by_hand())
    self.assertEqual(found['column'], 'sex')
    self.assertAlmostEqual(found['levels']['a']['tpr']['estimate'], 15 / 20)
    self.assertAlmostEqual(found['levels']['b']['tpr']['estimate'], 10 / 20)
    self.assertAlmostEqual(found['levels']['a']['fpr']['estimate'], 5 / 20)
    self.assertAlmostEqual(found['tpr_gap']['estimate'], 5 / 20)
    self.assertAlmostEqual(found['fpr_gap']['estimate'], 5 / 20)
    self.assertEqual(found['tpr_gap']['highest'], 'a')
    self.assertEqual(found['fpr_gap']['highest'], 'b')
    # The standard error of a difference of two proportions of 20.
    se = math.sqrt((0.75 * 0.25 + 0.5 * 0.5) / 20)
    half = (found['tpr_gap']['high'] - found['tpr_gap']['low']) / 2
    self.assertAlmostEqual(half, 1.96 * se, delta=0.3 * se)

  def test_the_gap_is_of_the_extreme_groups(self):
    (found,) = self._odds(*self._by_hand(('a', 'b', 'c')))
    self.assertAlmostEqual(found['tpr_gap']['estimate'], 10 / 20)
    self.assertEqual(found['tpr_gap']['lowest'], 'c')

  def test_small_groups_take_no_part(self):
    folds, groups = self._by_hand()
    level = groups.declared['sex'].copy()
    level[:3] = 'c'
    groups = dataclasses.replace(groups, declared={'sex': level})
    (found,) = self._odds(folds, groups)
    self.assertNotIn('c', found['levels'])
    (found,) = self._odds(folds, groups, min_group=50)
    self.assertTrue(math.isnan(found['tpr_gap']['estimate']))
    self.assertIn('fewer than two', found['tpr_gap']['reason'])

  def test_equal_groups_have_no_gap(self):
    (fold,), groups = self._by_hand()
    score = np.tile(fold.scores['joint'][0][:40], (2, 1))
    fold = dataclasses.replace(fold, scores={'joint': {0: score}})
    (found,) = self._odds([fold], groups)
    for gap in (found['tpr_gap'], found['fpr_gap']):
      self.assertEqual(gap['estimate'], 0)
      self.assertLess(gap['low'], 0)
      self.assertGreater(gap['high'], 0)

  def test_multilabel_by_label_and_none_for_others(self):
    for kind, expected in (
      (types.MULTILABEL, {'x', 'y'}),
      (types.REGRESSION, set()),
    ):
      p = make(kind)
      folds, groups, resamples = work(p)
      found = subgroups.equalised_odds(
        p.task, folds, groups, arms=ARMS, resamples=resamples
      )
      self.assertEqual({x['label'] for x in found}, expected)


if __name__ == '__main__':
  absltest.main()
