import json
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import predictions, summary

BINARY = types.Task(types.BINARY, ('y',))
NAMES = {
  types.BINARY: ('y',),
  types.MULTICLASS: ('a', 'b', 'c'),
  types.MULTILABEL: ('u', 'v'),
  types.REGRESSION: ('y',),
  types.SURVIVAL: ('time', 'event'),
}
# Spread of each arm's error: ehr is the better single, joint better still.
ARMS = {'image': 2.0, 'ehr': 1.2, 'joint': 0.2, 'late': 1.2}
CONFIG = config_lib.EvaluationConfig(replicates=199)


def _table(
  kind=types.BINARY,
  *,
  n=240,
  arms=ARMS,
  seeds=(0, 1),
  folds=3,
  missing=False,
  valid=True,
):
  rng = np.random.default_rng(0)
  task = types.Task(kind, NAMES[kind])
  z = rng.normal(size=n)
  e = rng.normal(size=(n, 2))
  labels = {
    types.BINARY: lambda: (z > 0)[:, None],
    types.MULTICLASS: lambda: np.digitize(z, [-0.5, 0.5])[:, None],
    types.MULTILABEL: lambda: np.stack([z > 0, z > 0.5], axis=1),
    types.REGRESSION: lambda: z[:, None],
    types.SURVIVAL: lambda: np.stack([np.exp(-z), e[:, 0] < 0.5], axis=1),
  }[kind]().astype(float)
  patient = np.arange(n) // 2
  fold = patient % folds
  available = {
    'image': rng.random(n) < (0.8 if missing else 2),
    'ehr': np.ones(n, bool),
  }
  tables = []
  for arm, sd in arms.items():
    for seed in seeds:
      q = z + sd * rng.normal(size=n)
      if kind == types.MULTICLASS:
        scores = np.exp(np.stack([-q, 0 * q, q], axis=1))
        scores /= scores.sum(axis=1, keepdims=True)
      elif kind in (types.BINARY, types.MULTILABEL):
        scores = 1 / (1 + np.exp(-np.stack([q] * task.num_outputs, axis=1)))
      else:
        scores = q[:, None]
      common = dict(
        task=task,
        study_id=np.char.add('s', np.arange(n).astype(str)),
        patient_id=np.char.add('p', patient.astype(str)),
        arm=arm,
        labels=labels,
        scores=scores,
        seed=seed,
        available=available,
      )
      tables.append(predictions.create(**common, fold=fold))
      if valid:
        tables.append(
          predictions.create(
            **common, fold=(fold + 1) % folds, part=predictions.VALID
          )
        )
  return predictions.concat(tables)


def _picked(found):
  return found['best_single']['picked_on_validation']


def _summarise(table, **changes):
  settings = dict(
    singles=['image', 'ehr'], fusions=['joint', 'late'], config=CONFIG
  )
  return summary.summarise(table, **{**settings, **changes})


class SummariseTest(parameterized.TestCase):
  @parameterized.parameters(*NAMES)
  def test_every_task(self, kind):
    found = _summarise(_table(kind))
    json.dumps(found, allow_nan=False)
    metric = found['evaluation']['metric']
    for entry in found['arms'].values():
      value = entry['metrics'][metric]
      self.assertLess(value['low'], value['estimate'])
      self.assertLess(value['estimate'], value['high'])
      self.assertGreater(entry['variability']['seed_sd'], 0)
      self.assertGreater(entry['variability']['fold_sd'], 0)
      self.assertLen(entry['folds'], 3)
    self.assertEqual(
      [(c['arm'], c['verdict']) for c in found['comparisons']][0],
      ('joint', 'superior'),
    )
    self.assertEqual([x['arm'] for x in _picked(found)['by_fold']], ['ehr'] * 3)
    self.assertEqual(found['best_single']['arm'], 'ehr')
    self.assertIsNone(found['complete_cases'])

  def test_estimate_is_the_mean_of_cells(self):
    found = _summarise(_table())['arms']['joint']
    by_fold = [f['estimate'] for f in found['folds']]
    self.assertAlmostEqual(
      found['metrics']['auroc']['estimate'], np.mean(by_fold)
    )
    self.assertEqual(found['folds'][0]['seeds'], [0, 1])
    self.assertEqual(found['folds'][0]['studies'], 80)

  def test_passes_through(self):
    found = _summarise(
      _table(),
      costs={'joint': {'parameters': np.int64(7), 'seconds': np.nan}},
      warnings=['from the cohort'],
      audits={'x': 1},
      run={'host': 'h'},
      cohort={'name': 'w'},
    )
    self.assertEqual(found['arms']['joint']['cost']['parameters'], 7)
    self.assertIsNone(found['arms']['joint']['cost']['seconds'])
    self.assertEqual(found['warnings'][0], 'from the cohort')
    self.assertEqual(found['audits'], {'x': 1})
    self.assertEqual(found['run'], {'host': 'h'})
    self.assertEqual(
      found['cohort'], {'name': 'w', 'studies': 240, 'patients': 120}
    )

  def test_deterministic_and_independent_of_row_order(self):
    table = _table(missing=True)
    rows = np.random.default_rng(1).permutation(len(table))
    self.assertEqual(_summarise(table), _summarise(table.take(rows)))
    other = config_lib.EvaluationConfig(replicates=199, seed=1)
    self.assertNotEqual(
      _summarise(table)['comparisons'],
      _summarise(table, config=other)['comparisons'],
    )

  def test_controls_are_left_alone(self):
    table = _table()
    control = predictions.create(
      task=table.task,
      study_id=table.study_id,
      patient_id=table.patient_id,
      arm=table.arm,
      labels=table.labels,
      scores=1 - table.scores,
      fold=table.fold,
      seed=table.seed,
      part=table.part,
      condition='image_permuted',
      available=table.available,
    )
    both = predictions.concat([table, control])
    self.assertEqual(_summarise(both), _summarise(table))

  def test_lower_is_better(self):
    config = config_lib.EvaluationConfig(replicates=199, metric='brier')
    found = _summarise(_table(), config=config)
    self.assertFalse(found['evaluation']['higher_is_better'])
    self.assertEqual(found['best_single']['arm'], 'ehr')
    joint = found['comparisons'][0]
    self.assertEqual(joint['verdict'], 'superior')
    # A gain: positive is better, though less of the metric is.
    self.assertGreater(joint['difference'], 0)
    self.assertLess(joint['low'], joint['difference'])
    self.assertLess(joint['difference'], joint['high'])
    self.assertGreater(joint['low'], 0)
    self.assertLess(joint['p_adjusted'], 0.025)
    arms = found['arms']
    gain = (
      found['best_single']['estimate']
      - arms['joint']['metrics']['brier']['estimate']
    )
    self.assertAlmostEqual(joint['difference'], gain)
    worse = _summarise(
      _table(), config=config, singles=['joint'], fusions=['image']
    )
    self.assertEqual(worse['comparisons'][0]['verdict'], 'inferior')
    self.assertLess(worse['comparisons'][0]['high'], 0)

  def test_complete_cases_stand_beside_all_studies(self):
    found = _summarise(_table(missing=True))
    part = found['complete_cases']
    self.assertLess(part['studies'], found['cohort']['studies'])
    self.assertEqual(
      part['studies'], sum(f['complete'] for f in found['folds'])
    )
    self.assertSameElements(part['arms'], found['arms'])
    self.assertLen(part['comparisons'], 2)
    self.assertLess(part['patients'], found['cohort']['patients'])
    # Families are made anew, and the factor is that of all studies.
    for c, whole in zip(part['comparisons'], found['comparisons'], strict=True):
      self.assertGreater(c['se'], whole['se'])
      self.assertNotEqual(c['patients_needed'], whole['patients_needed'])
    self.assertEqual(part['verdict'], found['question']['complete_cases'])
    self.assertNotEqual(
      part['arms']['ehr']['metrics']['auroc'],
      found['arms']['ehr']['metrics']['auroc'],
    )

  def test_no_study_is_complete(self):
    table = _table()
    never = {'image': np.zeros(len(table), bool)}
    bare = predictions.create(
      task=table.task,
      study_id=table.study_id,
      patient_id=table.patient_id,
      arm=table.arm,
      labels=table.labels,
      scores=table.scores,
      fold=table.fold,
      seed=table.seed,
      part=table.part,
      available=never,
    )
    part = _summarise(bare)['complete_cases']
    self.assertEqual(part['studies'], 0)
    self.assertIn('no study', part['reason'])

  def test_unknown_metric_and_ambiguous_arm(self):
    config = config_lib.EvaluationConfig(metric='calibration_slope')
    with self.assertRaisesRegex(errors.UserError, 'Unknown metric'):
      _summarise(_table(n=24), config=config)
    with self.assertRaisesRegex(errors.UserError, "'joint' is listed both"):
      _summarise(_table(n=24), singles=['joint'])

  def test_bad_predictions_are_refused(self):
    table = _table(n=24)
    with self.assertRaises(errors.UserError):
      _summarise(predictions.concat([table, table]))


class DegenerateTest(absltest.TestCase):
  def test_three_studies(self):
    found = _summarise(_table(n=3, folds=1, valid=False, seeds=(0,)))
    json.dumps(found, allow_nan=False)
    for c in found['comparisons']:
      self.assertNotIn(c['verdict'], ('superior', 'inferior'))

  def test_one_class_fold_is_left_out_with_a_warning(self):
    table = _table()
    study = np.char.lstrip(table.study_id, 's').astype(int)
    in_fold = study // 2 % 3 == 1
    labels = np.where(in_fold[:, None], 1.0, table.labels)
    changed = predictions.create(
      task=table.task,
      study_id=table.study_id,
      patient_id=table.patient_id,
      arm=table.arm,
      labels=labels,
      scores=table.scores,
      fold=table.fold,
      seed=table.seed,
      part=table.part,
    )
    found = _summarise(changed)
    value = found['arms']['joint']['metrics']['auroc']
    self.assertEqual(value['undefined_cells'], 2)
    self.assertEqual(value['reason'], 'all 80 studies are positive')
    folds = found['arms']['joint']['folds']
    self.assertIsNone(folds[1]['estimate'])
    self.assertEqual(folds[1]['reason'], 'all 80 studies are positive')
    defined = [folds[0]['estimate'], folds[2]['estimate']]
    self.assertAlmostEqual(value['estimate'], np.mean(defined))
    self.assertTrue(
      any('auroc is undefined in repeat 0, fold 1' in w)
      for w in found['warnings']
    )
    # Fold 2 is validated on the studies of fold 1.
    choice = _picked(found)['by_fold'][2]
    self.assertEqual(choice['arm'], 'image')
    self.assertIn('undefined on the validation part', choice['reason'])

  def test_one_class_everywhere(self):
    table = _table(n=24)
    flat = predictions.create(
      task=table.task,
      study_id=table.study_id,
      patient_id=table.patient_id,
      arm=table.arm,
      labels=np.zeros_like(table.labels),
      scores=table.scores,
      fold=table.fold,
      seed=table.seed,
      part=table.part,
    )
    found = _summarise(flat)
    value = found['arms']['joint']['metrics']['auroc']
    self.assertIsNone(value['estimate'])
    self.assertIn('is positive', value['reason'])
    self.assertEqual(found['comparisons'][0]['verdict'], 'inconclusive')
    self.assertIsNone(found['comparisons'][0]['difference'])
    self.assertIn('undefined', found['comparisons'][0]['reason'])

  def test_constant_scores(self):
    table = _table(arms={'image': 2.0, 'ehr': 1.2, 'joint': 0.2})
    scores = table.scores.copy()
    scores[np.isin(table.arm, ['image', 'joint'])] = 0.5
    flat = predictions.create(
      task=table.task,
      study_id=table.study_id,
      patient_id=table.patient_id,
      arm=table.arm,
      labels=table.labels,
      scores=scores,
      fold=table.fold,
      seed=table.seed,
      part=table.part,
    )
    found = _summarise(flat, fusions=['joint'])
    value = found['arms']['joint']['metrics']['auroc']
    self.assertEqual(
      [value['estimate'], value['low'], value['high']], [0.5, None, None]
    )
    self.assertIn('does not vary', value['reason'])
    slope = found['arms']['joint']['metrics']['calibration_slope']
    self.assertIsNone(slope['estimate'])
    self.assertEqual(slope['reason'], 'the scores do not vary')
    self.assertEqual(found['comparisons'][0]['verdict'], 'inferior')
    against = found['comparisons'][0]['against'][0]
    self.assertEqual([against['low'], against['high']], [0, 0])

  def test_no_validation_part(self):
    table = _table(valid=False)
    found = _summarise(table)
    self.assertIsNone(_picked(found)['by_fold'][0]['arm'])
    self.assertIsNone(_picked(found)['estimate'])
    # The best single modality needs no choice on validation.
    self.assertEqual(found['comparisons'][0]['verdict'], 'superior')
    self.assertIsNone(found['comparisons'][0]['picked_on_validation'])

  def test_one_single_arm(self):
    table = _table(valid=False)
    table = table.take(table.arm != 'image')
    found = _summarise(table, singles=['ehr'])
    self.assertEqual(found['best_single']['arm'], 'ehr')
    self.assertTrue(any('Only one single' in w for w in found['warnings']))
    self.assertEqual(found['comparisons'][0]['verdict'], 'superior')
    # One that was to be run is missing: nothing is claimed over it.
    found = _summarise(table)
    self.assertEqual(found['comparisons'][0]['verdict'], 'inconclusive')
    self.assertTrue(any("'image' has no test" in w for w in found['warnings']))

  def test_no_fusion_and_no_single_arm(self):
    table = _table()
    self.assertEmpty(_summarise(table, fusions=[])['comparisons'])
    found = _summarise(table, singles=[])
    self.assertEmpty(found['comparisons'])
    self.assertTrue(
      any('compared with nothing' in w for w in found['warnings'])
    )
    self.assertEqual(found['arms']['image']['role'], 'other')

  def test_arm_that_failed_in_one_fold(self):
    table = _table()
    found = _summarise(table.take((table.arm != 'joint') | (table.fold != 2)))
    joint = found['comparisons'][0]
    self.assertEqual(joint['verdict'], 'inconclusive')
    self.assertLen(found['arms']['joint']['folds'], 2)
    self.assertTrue(
      any("'joint' has no predictions in" in w for w in found['warnings'])
    )

  def test_single_fold_and_seed(self):
    found = _summarise(_table(folds=1, seeds=(0,), valid=False))
    spread = found['arms']['joint']['variability']
    self.assertIsNone(spread['seed_sd'])
    self.assertEqual(
      spread['seed_sd_reason'], 'one seed only, and a spread needs two'
    )
    self.assertIsNone(spread['fold_sd'])
    self.assertIn('fewer than two folds', spread['fold_sd_reason'])


class WriteTest(absltest.TestCase):
  def test_round_trip(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'summary.json'
    found = _summarise(_table(n=24))
    summary.write(found, path)
    self.assertEqual(json.loads(path.read_text()), found)
    self.assertEqual([x.name for x in path.parent.iterdir()], [path.name])

  def test_refuses_nan_and_absent_folders(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    with self.assertRaises(ValueError):
      summary.write({'x': float('nan')}, folder / 's.json')
    with self.assertRaisesRegex(errors.UserError, 'Could not write'):
      summary.write({}, folder / 'absent' / 's.json')


if __name__ == '__main__':
  absltest.main()
