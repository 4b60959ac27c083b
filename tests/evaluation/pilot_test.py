"""Tests of fusion_jax.evaluation.pilot."""

import json
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import (
  dependence,
  pilot,
  planning,
  power,
  predictions,
  summary,
)

NAMES = {
  types.BINARY: ('y',),
  types.MULTILABEL: ('u', 'v'),
  types.REGRESSION: ('y',),
  types.SURVIVAL: ('time', 'event'),
}
# Spread of each arm's error.
ARMS = {'image': 2.0, 'ehr': 1.2, 'joint': 0.9, 'late': 1.1}


def table(kind=types.BINARY, *, folds=3, n=240) -> predictions.Predictions:
  """Two studies a patient, whose scores are the truth with errors."""
  rng = np.random.default_rng(0)
  task = types.Task(kind, NAMES[kind])
  z = rng.normal(size=n)
  labels = {
    types.BINARY: lambda: (z > 0.6)[:, None],
    types.MULTILABEL: lambda: np.stack([z > 0, z > 0.5], axis=1),
    types.REGRESSION: lambda: z[:, None],
    types.SURVIVAL: lambda: np.stack([np.exp(-z), z > -1], axis=1),
  }[kind]().astype(float)
  patient = np.arange(n) // 2
  found = []
  for arm, sd in ARMS.items():
    q = z + sd * rng.normal(size=n)
    if kind in (types.BINARY, types.MULTILABEL):
      scores = 1 / (1 + np.exp(-np.stack([q] * task.num_outputs, axis=1)))
    else:
      scores = q[:, None]
    found.append(
      predictions.create(
        task=task,
        study_id=np.char.add('s', np.arange(n).astype(str)),
        patient_id=np.char.add('p', patient.astype(str)),
        arm=arm,
        labels=labels,
        scores=scores,
        fold=patient % folds,
      )
    )
  return predictions.concat(found)


class PilotTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _run(self, rows, *, reference='', **settings):
    config = config_lib.EvaluationConfig(replicates=199, **settings)
    found = summary.summarise(
      rows,
      singles=[] if reference else ['image', 'ehr'],
      fusions=['joint', 'late'],
      config=config,
      reference=reference,
    )
    predictions.write(rows, self.folder / pilot.PREDICTIONS)
    summary.write(found, self.folder / pilot.SUMMARY)
    return found

  @parameterized.parameters(*NAMES)
  def test_is_what_the_summary_was_made_of(self, kind):
    found = self._run(table(kind))
    known = pilot.read(str(self.folder))
    self.assertEqual(known.singles, ('image', 'ehr'))
    self.assertEqual(known.metric, found['evaluation']['metric'])
    self.assertEqual(known.folds, 3)
    self.assertEqual(known.patients, 120)
    self.assertEqual(known.studies(10), 20)
    for i, entry in enumerate(found['comparisons']):
      self.assertEqual(known.fusions[i], entry['arm'])
      for j, against in enumerate(entry['against']):
        for name in ('low', 'high', 'low90', 'high90'):
          self.assertAlmostEqual(
            getattr(known.family, name)[i, j], against[name], places=12
          )
    self.assertEqual(known.family.factor, dependence.FACTOR)
    own = [
      found['arms'][a]['metrics'][known.metric]['estimate']
      for a in known.singles
    ]
    sign = 1 if found['evaluation']['higher_is_better'] else -1
    best = sign * max(sign * x for x in own)
    np.testing.assert_allclose(known.behind, [sign * (best - x) for x in own])
    self.assertEqual(min(known.behind), 0)

  def test_gain_of_the_margin_over_tied_singles(self):
    found = self._run(table())
    known = pilot.read(str(self.folder))
    bounds = known.arms((), 1)[0]
    one = found['comparisons'][0]['patients_needed']
    share = power.shares(
      bounds, difference=[0.02, 0.02], margin=0.02, patients=one['superior']
    )
    self.assertAlmostEqual(share.superior, 0.8, delta=0.001)

  def test_plan(self):
    self._run(table())
    known = pilot.read(str(self.folder))
    found = planning.plan(known, gains=(0.05, 0.05), margin=known.margin)
    self.assertGreater(found.superior.patients, 120)
    share = power.shares(
      found.superior.bounds,
      difference=0.05 + known.behind,
      margin=0.02,
      patients=found.superior.patients,
    )
    self.assertAlmostEqual(share.superior, 0.8, delta=0.001)
    self.assertIn('120 patients', ' '.join(known.notes(None)))

  def test_some_of_the_arms(self):
    self._run(table())
    all_arms = pilot.read(str(self.folder))
    one = pilot.read(str(self.folder), arms=['late'])
    self.assertEqual(one.fusions, ('late',))
    self.assertLess(one.family.critical_high, all_arms.family.critical_high)

  def test_smaller_class(self):
    rows = table()
    self._run(rows)
    share = pilot.read(str(self.folder)).fewest_share
    first = rows.arm == 'joint'
    sick = rows.patient_id[first & (rows.labels[:, 0] == 1)]
    self.assertAlmostEqual(share, len(np.unique(sick)) / 120)
    self._run(table(types.REGRESSION))
    self.assertIsNone(pilot.read(str(self.folder)).fewest(100))

  def test_margin(self):
    self._run(table(types.REGRESSION), metric='rmse')
    self.assertIsNone(pilot.read(str(self.folder)).margin)
    self._run(table(), margin=0.03)
    self.assertEqual(pilot.read(str(self.folder)).margin, 0.03)

  def test_one_held_out_part_by_delong(self):
    rows = table(folds=1, n=200)
    _, first = np.unique(rows.patient_id, return_index=True)
    alone = np.isin(rows.study_id, rows.study_id[first])
    rows = rows.take(np.flatnonzero(alone))
    self._run(rows, interval='delong')
    known = pilot.read(str(self.folder))
    self.assertEqual(known.family.factor, 1)
    self.assertTrue(np.isfinite(known.family.covariance).all())

  def test_what_kept_arms_inconclusive(self):
    rows = table()
    rows = rows.take(np.flatnonzero(rows.arm != 'image'))
    self._run(rows)
    known = pilot.read(str(self.folder))
    self.assertEqual(set(known.reasons), {'joint', 'late'})
    text = ' '.join(known.notes(None))
    self.assertIn(
      'no more than inconclusive there: the single-modality arm '
      "'image' has no predictions",
      text,
    )
    self._run(table())
    self.assertEqual(pilot.read(str(self.folder)).reasons, {})

  def test_named_reference(self):
    self._run(table(), reference='ehr')
    known = pilot.read(str(self.folder))
    self.assertEqual(known.singles, ('ehr',))
    self.assertEqual(known.reference, 'ehr')
    np.testing.assert_array_equal(known.behind, [0])

  def test_predictions_elsewhere(self):
    found = self._run(table())
    path = self.folder / 'others.parquet'
    (self.folder / pilot.PREDICTIONS).rename(path)
    with self.assertRaisesRegex(errors.UserError, 'no predictions.parquet'):
      pilot.read(str(self.folder))
    found['run'] = {'predictions': str(path)}
    summary.write(found, self.folder / pilot.SUMMARY)
    self.assertEqual(pilot.read(str(self.folder)).patients, 120)

  def test_bad(self):
    with self.assertRaisesRegex(errors.UserError, 'has no summary.json'):
      pilot.read(str(self.folder))
    path = self.folder / pilot.SUMMARY
    for text, message in (
      ('{', 'is not legal JSON'),
      ('[]', 'is of version None, not 3'),
      ('{"version": 2}', 'is of version 2, not 3'),
    ):
      path.write_text(text)
      with self.assertRaisesRegex(errors.UserError, message):
        pilot.read(str(self.folder))
    found = self._run(table())
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'joint'"):
      pilot.read(str(self.folder), arms=['jiont'])
    found['comparisons'] = []
    path.write_text(json.dumps(found))
    with self.assertRaisesRegex(errors.UserError, 'no fusion arm'):
      pilot.read(str(self.folder))


if __name__ == '__main__':
  absltest.main()
