"""Tests of metrics within groups."""

import dataclasses
import math

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats
from sklearn import metrics as sk_metrics

from fusion_jax.core import errors, types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import groups as groups_lib
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
  return test, groups_lib.find(p), resamples


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

  @parameterized.parameters(('brier', -1), ('auroc', 1))
  def test_a_gain_is_better_when_positive(self, metric, sign):
    x = call(make(), (metric,))[0]
    entries = x['arms']
    difference = (
      entries['joint']['metrics'][metric]['estimate']
      - entries['ehr']['metrics'][metric]['estimate']
    )
    gain = entries['joint']['gain']
    self.assertAlmostEqual(gain['estimate'], sign * difference)
    self.assertGreater(gain['estimate'], 0)
    self.assertBetween(gain['estimate'], gain['low'], gain['high'])

  def test_the_factor_widens_every_interval(self):
    once, wide = (call(make(), factor=factor) for factor in (1.0, 1.25))
    for a, b in zip(once, wide, strict=True):
      for arm in ARMS:
        one, two = (x['arms'][arm] for x in (a, b))
        gains = one['gain'], two['gain']
        self.assertEqual(gains[0]['estimate'], gains[1]['estimate'])
        for end in ('low', 'high'):
          self.assertAlmostEqual(
            gains[1][end] - gains[1]['estimate'],
            1.25 * (gains[0][end] - gains[0]['estimate']),
          )
        for x, y in zip(
          one['metrics'].values(), two['metrics'].values(), strict=True
        ):
          self.assertLess(y['low'], x['low'])
          self.assertGreater(y['high'], x['high'])


class InteractionsTest(absltest.TestCase):
  def _call(self, folds, groups, resamples, kind=types.BINARY, **options):
    return subgroups.interactions(
      tiny.task_of(kind),
      folds,
      groups,
      fusions=[a for a in folds[0].scores if a != 'ehr'],
      references=['ehr'] * len(folds),
      resamples=resamples,
      **{'metric': 'auroc', **options},
    )

  def test_it_is_the_difference_of_the_gains_in_the_groups(self):
    p = make(seeds=2)
    folds, groups, resamples = work(p)
    gain = {
      str(x['group']): x['arms']['joint']['gain']['estimate']
      for x in call(p, ('auroc',))
    }
    found = self._call(folds, groups, resamples)
    # Not of whether the image is there, nor of pairs of columns.
    self.assertEqual([x['column'] for x in found], ['sex', 'age'])
    self.assertEqual(
      [x['levels'] for x in found], [['f', 'm'], ['old', 'young']]
    )
    for x in found:
      a, b = (gain[str({x['column']: level})] for level in x['levels'])
      self.assertAlmostEqual(x['contrast']['estimate'], a - b)
      self.assertEqual(x['contrast']['against'], x['levels'][1:])
      self.assertLess(x['contrast']['low'], a - b)
      self.assertGreater(x['contrast']['high'], a - b)

  def test_less_is_better(self):
    p = make(types.REGRESSION)
    folds, groups, resamples = work(p)
    found = self._call(
      folds, groups, resamples, types.REGRESSION, metric='rmse'
    )
    gain = {
      str(x['group']): x['arms']['joint']['gain']['estimate']
      for x in call(p, ('rmse',))
    }
    self.assertAlmostEqual(
      found[0]['contrast']['estimate'],
      gain[str({'sex': 'f'})] - gain[str({'sex': 'm'})],
    )

  def test_small_groups_take_no_part(self):
    found = self._call(*work(make(rare=6)))
    self.assertEqual(found[0]['levels'], ['f', 'm'])
    found = self._call(*work(make(rare=6)), min_group=2, min_events=1)
    self.assertEqual(found[0]['levels'], ['f', 'm', 'x'])
    found = self._call(*work(make()), min_group=1000)
    for x in found:
      self.assertIsNone(x['contrast'])
      self.assertTrue(math.isnan(x['p_adjusted']))
      self.assertIn('fewer than two groups', x['reason'])

  def test_nothing_to_compare_with(self):
    folds, groups, resamples = work(make())
    for fusions, reference in (([], 'ehr'), (['joint'], None)):
      found = subgroups.interactions(
        tiny.task_of(types.BINARY),
        folds,
        groups,
        fusions=fusions,
        metric='auroc',
        references=[reference] * len(folds),
        resamples=resamples,
      )
      self.assertEqual(found, [])

  def _simulated(self, rng, *, n, extra=0.0):
    """Smallest adjusted p of two arms and two columns that divide 2n studies.

    Arms see the label with their own noise; `extra` is what the first arm sees
    in addition of those of sex f.
    """
    y = (rng.random(n) < 0.4).repeat(2).astype(float)
    person = rng.normal(size=n).repeat(2)
    sex = np.where(rng.random(n) < 0.5, 'f', 'm').repeat(2)
    age = np.array(['a', 'b', 'c'])[rng.integers(3, size=n)].repeat(2)

    def scores(strength):
      noise = person + rng.normal(size=2 * n)
      return (strength * y + noise)[:, None]

    names = np.char.zfill(np.arange(2 * n).astype(str), 5)
    fold = folds_lib.Fold(
      repeat=0,
      fold=0,
      study=names,
      patient=names[: 2 * n : 2].repeat(2),
      labels=y[:, None],
      weight=np.ones(2 * n),
      complete=np.ones(2 * n, bool),
      scores={
        'ehr': {0: scores(1.0)},
        'joint': {0: scores(1.6 + extra * (sex == 'f'))},
        'late': {0: scores(1.3)},
      },
    )
    resamples = resampling.draw(fold.patient, replicates=199, seed=1)
    groups = groups_lib.Groups(names, {'sex': sex, 'age': age}, {})
    found = self._call([fold], groups, resamples)
    self.assertLen(found, 4)
    smallest = min(found, key=lambda x: x['p_adjusted'])
    return smallest['p_adjusted'], smallest['column'], smallest['arm']

  def test_where_gains_are_equal_few_tables_show_a_difference(self):
    rng = np.random.default_rng(11)
    wrong = sum(self._simulated(rng, n=150)[0] <= 0.05 for _ in range(200))
    # The exact 99.9% interval of a rate of .05.
    low, high = stats.binom.interval(0.999, 200, 0.05)
    self.assertBetween(wrong, low, high)

  def test_a_true_difference_is_seen(self):
    rng = np.random.default_rng(12)
    found = [self._simulated(rng, n=400, extra=1.2) for _ in range(20)]
    right = [
      p <= 0.05 and (column, arm) == ('sex', 'joint')
      for p, column, arm in found
    ]
    self.assertGreaterEqual(sum(right), 16)


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
    self.assertEqual(
      [(x['column'], x['arm']) for x in found['interactions']],
      [('sex', 'joint'), ('age', 'joint')],
    )
    self.assertGreater(found['evaluation']['factor']['value'], 1)
    contrast = found['interactions'][0]['contrast']
    self.assertLess(contrast['low'], contrast['high'])
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
    self.assertEqual(found['interactions'], [])
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


if __name__ == '__main__':
  absltest.main()
