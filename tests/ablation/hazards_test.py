"""Tests of survival curves from log hazards."""

import dataclasses
import json
import pathlib

import numpy as np
from absl.testing import absltest

from fusion_jax.ablation import families, hazards
from fusion_jax.core import baseline, errors, types
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import config as evaluation_config
from fusion_jax.evaluation import predictions
from tests import tiny
from tests.ablation import runner_test

KNOWN = families.review(families.USUAL)


def _at(*times):
  return evaluation_config.EvaluationConfig(horizons=times)


class HorizonsTest(absltest.TestCase):
  def test_quartiles_of_the_event_times(self):
    cohort = tiny.cohort(kind=types.SURVIVAL)
    time, event = cohort.labels.T
    expected = np.quantile(time[event > 0], (0.25, 0.5, 0.75))
    found = hazards.horizons(cohort, _at())
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for t in found:
      self.assertEqual(float(f'{t:g}'), t)
    same = dataclasses.replace(cohort, labels=np.ones((len(cohort), 2)))
    self.assertEqual(hazards.horizons(same, _at()), (1.0,))

  def test_given_ones(self):
    cohort = tiny.cohort(kind=types.SURVIVAL)
    self.assertEqual(hazards.horizons(cohort, _at(1.0, 0.5)), (0.5, 1.0))
    with self.assertRaisesRegex(
      errors.UserError, "1000 lies beyond the follow-up of cohort 'tiny'"
    ):
      hazards.horizons(cohort, _at(1.0, 1000.0))

  def test_other_tasks_have_none(self):
    self.assertEqual(hazards.horizons(tiny.cohort(), _at(1.0)), ())


class HazardsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.cohort = tiny.cohort(kind=types.SURVIVAL, absent=True)
    self.rows = np.arange(10, 70)
    self.logits = np.random.default_rng(0).normal(size=(60, 1)) + 5

  def _estimate(self, arm, times, **changes):
    cohort = dataclasses.replace(self.cohort, **changes)
    return hazards.Hazards.estimate(
      cohort, KNOWN[arm], rows=self.rows, logits=self.logits, times=times
    )

  def test_what_the_arm_sees_and_what_it_does_not(self):
    weight = np.random.default_rng(1).exponential(size=len(self.cohort))
    found = self._estimate('image_pca', (0.5, 1.0), weight=weight)
    seen = self.cohort.present['image'][self.rows]
    self.assertGreater((~seen).sum(), 5)
    curves = found.survival(
      self.cohort, KNOWN['image_pca'], rows=self.rows, logits=self.logits
    )
    self.assertEqual(list(curves), ['0.5', '1'])
    labels = self.cohort.labels[self.rows]
    model = baseline.fit(
      labels[seen], self.logits[seen, 0], weight[self.rows][seen]
    )
    expected = baseline.survival(model, self.logits[:, 0], [0.5, 1.0])
    np.testing.assert_array_equal(curves['1'][seen], expected[seen, 1])
    marginal = baseline.fit(labels, np.zeros(60), weight[self.rows])
    expected = np.exp(-marginal.at([0.5, 1.0]))
    np.testing.assert_allclose(curves['0.5'][~seen], expected[0], rtol=1e-12)
    np.testing.assert_allclose(curves['1'][~seen], expected[1], rtol=1e-12)

  def test_saved_and_loaded(self):
    last = self.cohort.labels[self.rows, 0].max()
    found = self._estimate('ehr_linear', (1e-9, 1.0, last + 1))
    saved = json.loads(json.dumps(found.to_json(), allow_nan=False))
    self.assertEqual(saved['model'][0], 0)
    self.assertIsNone(saved['model'][-1])
    loaded = hazards.Hazards.from_json(found.times, saved)
    np.testing.assert_array_equal(loaded.model, found.model)
    np.testing.assert_array_equal(loaded.marginal, found.marginal)
    self.assertEqual(loaded.only(()).times, found.times)
    one = loaded.only((1.0,))
    self.assertEqual(one.times, (1.0,))
    np.testing.assert_array_equal(one.marginal, found.marginal[1:2])
    curves = found.survival(
      self.cohort,
      KNOWN['ehr_linear'],
      rows=self.rows,
      logits=self.logits,
    )
    np.testing.assert_array_equal(curves['1e-09'], 1)
    self.assertTrue(np.isnan(curves[f'{last + 1:g}']).all())


class SurvivalRunTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'run'
    self.cohort = tiny.cohort(kind=types.SURVIVAL, absent=True)

  def _run(self, *overrides, arms='run_arms=ehr_linear,image_pca,early_pca'):
    report, _, _ = runner_test.run(
      self.path, *overrides, cohort=self.cohort, arms=arms
    )
    self.assertEmpty(report.failures)
    return report, predictions.read(self.path / 'predictions.parquet')

  def test_every_prediction_has_a_curve(self):
    _, found = self._run()
    times = hazards.horizons(self.cohort, _at())
    self.assertEqual(list(found.survival), [f'{t:g}' for t in times])
    curves = np.stack(list(found.survival.values()), axis=1)
    self.assertTrue(((curves >= 0) & (curves <= 1)).all())
    self.assertTrue((np.diff(curves, axis=1) <= 0).all())
    with self.subTest('made of validation rows alone'):
      row_of = {s: i for i, s in enumerate(self.cohort.study)}
      for fold in (0, 1):
        here = (found.fold == fold) & (found.arm == 'ehr_linear')
        valid = found.take(here & (found.part == 'valid'))
        seen = valid.available['ehr']
        model = baseline.fit(valid.labels[seen], valid.scores[seen, 0])
        tested = found.take(here & (found.part == 'test'))
        expected = baseline.survival(model, tested.scores[:, 0], times)
        marginal = baseline.fit(valid.labels, np.zeros(len(valid)))
        absent = ~tested.available['ehr']
        self.assertTrue(absent.any())
        expected[absent] = np.exp(-marginal.at(times))
        curves = np.stack(list(tested.survival.values()), axis=1)
        np.testing.assert_allclose(curves, expected, rtol=1e-12)
        rows = [row_of[s] for s in valid.study_id]
        np.testing.assert_array_equal(valid.labels, self.cohort.labels[rows])
    with self.subTest('test labels change no curve'):
      splits = splits_lib.load(self.path / 'splits.csv', self.cohort)
      tested = splits[0].test
      changed = self.cohort.labels.copy()
      changed[tested] = changed[tested][::-1]
      self.cohort = dataclasses.replace(self.cohort, labels=changed)
      # The grid is chosen from all labels: the same ones give the same grid.
      self.path = self.path.with_name('other')
      _, other = self._run(
        'splits.scheme=file',
        'splits.folds=0',
        f'splits.file={self.path.with_name("run")}/splits.csv',
      )
      for name, curve in found.survival.items():
        kept = [(x.fold == 0) & (x.part == 'test') for x in (found, other)]
        np.testing.assert_array_equal(
          curve[kept[0]], other.survival[name][kept[1]]
        )

  def test_other_times_train_nothing_anew(self):
    self._run()
    keys = runner_test.keys(self.path)
    before = (self.path / 'predictions.parquet').read_bytes()
    _, found = self._run('evaluation.horizons=1,0.5')
    self.assertEqual(list(found.survival), ['0.5', '1'])
    self.assertEqual(runner_test.keys(self.path), keys)
    self._run()
    self.assertEqual((self.path / 'predictions.parquet').read_bytes(), before)
    with self.assertRaisesRegex(errors.UserError, 'beyond the follow-up'):
      self._run('evaluation.horizons=1000')

  def test_a_time_beyond_the_follow_up_of_a_validation_part(self):
    last = float(f'{self.cohort.labels[:, 0].max() * 0.9:.2g}')
    report, found = self._run(
      f'evaluation.horizons=0.5,{last}', arms='run_arms=ehr_linear'
    )
    blank = np.isnan(found.survival[f'{last:g}'])
    self.assertTrue(blank.any())
    self.assertFalse(np.isnan(found.survival['0.5']).any())
    line = f'survival_{last:g} is blank in {blank.sum()} of {len(found)} '
    self.assertTrue(any(line in x for x in report.summary['warnings']))

  def test_other_tasks_have_no_curves(self):
    self.cohort = tiny.cohort()
    _, found = self._run(arms='run_arms=ehr_linear')
    self.assertEmpty(found.survival)
    models = json.loads((self.path / 'models.json').read_text())
    self.assertEqual(models['horizons'], [])
    self.assertNotIn('cumulative_hazard', models['arms']['ehr_linear'][0])


if __name__ == '__main__':
  absltest.main()
