"""Tests of frozen models on another cohort."""

import dataclasses
import json
import pathlib
import shutil
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import external
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors, types
from fusion_jax.data import config as data_config
from fusion_jax.data import reader
from fusion_jax.evaluation import predictions
from tests import tiny
from tests.ablation import runner_damage_test, runner_test


def others(cohort, prefix='q'):
  """The same cohort of patients with other ids."""
  return dataclasses.replace(
    cohort, patient=np.char.add(prefix, cohort.patient)
  )


class ExternalTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    base = pathlib.Path(self.create_tempdir().full_path)
    self.path, self.out = base / 'run', base / 'out'
    runner_test.run(self.path, cohort=tiny.cohort(absent=True))

  def _apply(self, cohort, **options):
    run = external.open_run(self.path)
    # The runs of these tests were given a cohort in the place of a world.
    own = dataclasses.replace(run.config.cohort, name='own')
    run = dataclasses.replace(
      run, config=dataclasses.replace(run.config, cohort=own)
    )
    config = dataclasses.replace(
      run.config, cohort=external.cohort_config(run, name='other')
    )
    self.assertEqual(config.cohort.image_size, 8)
    with mock.patch.object(reader, 'open_cohort', return_value=cohort):
      return external.apply(run, config, self.out, **options)

  def test_the_same_studies_get_the_same_predictions(self):
    cohort = others(tiny.cohort(absent=True))
    summary = self._apply(cohort)
    before = predictions.read(self.path / 'predictions.parquet')
    after = predictions.read(self.out / 'predictions.parquet')
    self.assertEqual(set(after.part), {'test'})
    self.assertEqual(set(after.fold), {0, 1})
    self.assertLen(after, 4 * 2 * len(cohort))
    places = zip(after.study_id, after.arm, after.fold, strict=True)
    scores = dict(zip(places, after.scores, strict=True))
    for study, arm, fold, score in zip(
      before.study_id, before.arm, before.fold, before.scores, strict=True
    ):
      np.testing.assert_array_equal(scores[study, arm, fold], score)
    self.assertFalse(any('study id' in x for x in summary['warnings']))
    text = json.dumps(summary)
    for patient in set(cohort.patient):
      self.assertNotIn(f"'{patient}'", text)

  def _spelt(self, cohort, **levels):
    cells = [levels.get(x, x) for x in tiny.categorical(cohort)[:, 0]]
    return tiny.changed(cohort, categorical=np.array(cells, object)[:, None])

  def test_levels_of_the_same_number_are_the_same(self):
    cohort = others(tiny.cohort(absent=True))
    self.path = self.path.parent / 'numbers'
    own = self._spelt(tiny.cohort(absent=True), left='1', right='2')
    runner_test.run(self.path, cohort=own)
    summary = self._apply(self._spelt(cohort, left='1.0', right='2.0'))
    before = predictions.read(self.path / 'predictions.parquet')
    after = predictions.read(self.out / 'predictions.parquet')
    places = zip(after.study_id, after.arm, after.fold, strict=True)
    scores = dict(zip(places, after.scores, strict=True))
    for study, arm, fold, score in zip(
      before.study_id, before.arm, before.fold, before.scores, strict=True
    ):
      np.testing.assert_array_equal(scores[study, arm, fold], score)
    (found,) = [x for x in summary['warnings'] if x.startswith('Column')]
    self.assertIn("'1.0' for '1', '2.0' for '2'", found)

  def test_most_levels_are_unknown(self):
    cohort = others(tiny.cohort(absent=True))
    summary = self._apply(self._spelt(cohort, left='L', right='R'))
    (found,) = [x for x in summary['warnings'] if x.startswith('Column')]
    self.assertIn("are levels that the models do not know: 'L', 'R'", found)
    self.assertIn("They know 'right', 'left'", found)
    self.assertIn('(100%)', found)

  def test_warnings_of_a_cohort_are_warnings_of_its_summary(self):
    self.path = self.path.parent / 'warned'
    own = tiny.cohort(absent=True)
    line = "Column 'age': 2 of 40 values are outside plausible = [0, 100]."
    runner_test.run(
      self.path, cohort=dataclasses.replace(own, warnings=(line,))
    )
    run = external.open_run(self.path)
    self.assertEqual(run.summary['warnings'].count(line), 1)
    other = dataclasses.replace(others(own), warnings=(f'Other: {line}',))
    found = self._apply(other)['warnings']
    self.assertIn(f'Other: {line}', found)
    self.assertNotIn(line, found)

  def test_arms_are_those_of_the_run_and_table1_is_of_the_others(self):
    run = external.open_run(self.path)
    summary = self._apply(others(tiny.cohort(60, seed=3)))
    for arm, entry in summary['arms'].items():
      self.assertEqual(
        entry['made_of'], run.summary['arms'][arm]['made_of'], arm
      )
    cohort = summary['cohort']
    self.assertEqual(cohort['table1']['columns'][0]['studies'], 60)
    self.assertEqual(cohort['flow'][0]['patients'], 30)
    self.assertNotIn('splits', cohort)
    self.assertNotIn(
      'training', json.loads((self.out / 'curves.json').read_text())
    )

  def test_other_patients_and_columns_in_another_order(self):
    cohort = tiny.cohort(60, seed=3)
    cohort = tiny.changed(
      others(cohort),
      numeric=tiny.numeric(cohort)[:, ::-1],
      numeric_names=tiny.numeric_names(cohort)[::-1],
    )
    summary = self._apply(cohort)
    self.assertEqual(summary['cohort']['studies'], 60)
    # Nothing is chosen on a validation part that is not there, and patients
    # that no model was trained on need no factor.
    (comparison,) = summary['comparisons']
    self.assertEqual(comparison['arm'], 'early_pca')
    self.assertIsNone(comparison['picked_on_validation'])
    self.assertEqual(summary['evaluation']['factor']['value'], 1)
    self.assertEqual(summary['calibration_by_site'], [])

  def test_patients_of_the_run_are_refused(self):
    cohort = others(tiny.cohort(60, seed=3))
    same = tiny.cohort(60).patient[:8]
    for seen, text in (
      (8, '4 of the 30 patients'),
      (2, '1 of the 30 patients'),
    ):
      patient = cohort.patient.copy()
      patient[:seen] = same[:seen]
      with self.assertRaisesRegex(
        errors.UserError, f"{text} of cohort 'tiny' are also"
      ) as caught:
        self._apply(dataclasses.replace(cohort, patient=patient))
      self.assertNotIn('\n', str(caught.exception))
      self.assertIn('Leave them out', str(caught.exception))
      for name in same:
        self.assertNotIn(name, str(caught.exception))
    self.assertFalse(self.out.exists())

  def test_patients_written_in_another_way_give_a_warning(self):
    cohort = others(tiny.cohort(60, seed=3))
    patient = cohort.patient.astype(object)
    same = tiny.cohort(60).patient
    patient[patient == patient[0]] = f' {same[0].upper()}.0'
    summary = self._apply(
      dataclasses.replace(cohort, patient=patient.astype(str))
    )
    (found,) = [x for x in summary['warnings'] if 'written like' in x]
    self.assertStartsWith(found, '1 patient of this cohort is written like')
    self.assertFalse(any('two ways' in x for x in summary['warnings']))

  def test_patients_in_two_spellings_are_counted(self):
    cohort = others(tiny.cohort(60, seed=3))
    patient = cohort.patient.copy()
    patient[0] = patient[1].upper()
    self.assertNotEqual(patient[0], patient[1])
    summary = self._apply(dataclasses.replace(cohort, patient=patient))
    (found,) = [x for x in summary['warnings'] if 'two ways' in x]
    self.assertIn('1 patient has ids that differ only in case', found)
    self.assertNotIn(patient[0], json.dumps(summary))

  @parameterized.parameters(
    ('null', 0, 'null', 0, True),
    ('null', 0, 'null', 1, False),
    ('null', 0, 'synergy', 0, False),
    ('null', 0, 'hospital', 0, False),
    ('hospital', 0, 'null', 0, False),
    ('hospital', 0, 'other', 0, True),
  )
  def test_numbers_of_generated_patients_are_no_people(
    self, name, seed, other, other_seed, possible
  ):
    run = data_config.CohortConfig(name=name, seed=seed)
    new = data_config.CohortConfig(name=other, seed=other_seed)
    self.assertEqual(external._can_share(run, new), possible)

  def test_studies_that_were_only_trained_on_give_a_warning(self):
    cohort = others(tiny.cohort(60, seed=3))
    study = cohort.study.copy()
    study[:3] = ['x1', 'x2', 's0000']
    with open(self.path / 'splits.csv', 'a') as f:
      f.write('x1,0,0,train\nx2,0,0,train\nx3,0,0,train\n')
    store_lib.Store(self.path).seal()
    summary = self._apply(dataclasses.replace(cohort, study=study))
    (line,) = [x for x in summary['warnings'] if 'study id' in x]
    self.assertStartsWith(line, '2 study ids of this cohort')

  def test_calibration_by_site(self):
    cohort = others(tiny.cohort(160, seed=3))
    site = np.repeat(['north', 'south', 'west'], [70, 80, 10])
    summary = self._apply(dataclasses.replace(cohort, site=site))
    found = {x['site']: x for x in summary['calibration_by_site']}
    self.assertEqual(found['north']['studies'], 70)
    self.assertIn('5 patients', found['west']['suppressed'])
    self.assertEqual(found['west']['arms'], {})
    self.assertEqual(set(found['south']['arms']), set(summary['arms']))
    slope = found['south']['arms']['early_pca']['calibration_slope']
    self.assertLess(slope['low'], slope['estimate'])
    self.assertLess(slope['estimate'], slope['high'])

  def test_some_arms_only(self):
    summary = self._apply(others(tiny.cohort(60, seed=3)), arms=['ehr_linear'])
    self.assertEqual(list(summary['arms']), ['ehr_linear'])
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'ehr_linear'"):
      self._apply(others(tiny.cohort(60)), arms=['ehr_liner'])

  def test_what_is_missing_is_named(self):
    whole = others(tiny.cohort(60))
    lacking = tiny.changed(
      whole, numeric=tiny.numeric(whole)[:, 1:], numeric_names=('noise',)
    )
    with self.assertRaisesRegex(errors.UserError, "column 'lab'"):
      self._apply(lacking)
    lacking = tiny.changed(whole, images=None, image_mask=None)
    with self.assertRaisesRegex(
      errors.UserError, 'no image data.*Give --arms=ehr_linear,ehr_trees'
    ):
      self._apply(lacking)
    with self.assertRaisesRegex(errors.UserError, 'survival task'):
      self._apply(tiny.cohort(60, kind=types.SURVIVAL))
    with self.assertRaisesRegex(errors.UserError, 'is 16 x 16 x 1; '):
      self._apply(tiny.cohort(60, size=16))

  def test_a_run_is_not_overwritten(self):
    self.out = self.path
    with self.assertRaisesRegex(errors.UserError, 'holds a run'):
      self._apply(tiny.cohort(60))

  def test_no_run_or_an_unfinished_one(self):
    with self.assertRaisesRegex(errors.UserError, 'not a run folder'):
      external.open_run(self.out)
    (self.path / 'summary.json').unlink()
    with self.assertRaisesRegex(errors.UserError, 'not finished'):
      external.open_run(self.path)

  @parameterized.parameters(*store_lib.FINISHED, 'checksums.json')
  def test_a_damaged_file_of_the_run_is_named(self, name):
    path = self.path / name
    whole = path.read_bytes()
    for damage in (
      lambda: runner_damage_test.flip(path),
      lambda: path.write_bytes(whole[: len(whole) // 2]),
      lambda: path.write_bytes(bytes(len(whole))),
      lambda: path.write_bytes(b'[]'),
      path.unlink,
    ):
      path.write_bytes(whole)
      damage()
      with self.assertRaises(errors.UserError) as caught:
        external.open_run(self.path)
      self.assertIn(name, str(caught.exception))
      self.assertNotIn('\n', str(caught.exception))

  @parameterized.parameters(
    ('ehr_trees', '0/trees.npz'),
    ('ehr_linear', 'fitted.npz'),
    ('image_pca', '0/linear.npz'),
  )
  def test_a_damaged_model_is_named_and_not_used(self, arm, name):
    models = external.open_run(self.path).models['arms']
    node = self.path / 'nodes' / models[arm][0]['key']
    runner_damage_test.flip(node / 'model' / name)
    with self.assertRaisesRegex(
      errors.UserError, f'{node.name}/model/{name}. is damaged.*make it again'
    ):
      self._apply(others(tiny.cohort(60, seed=3)))
    self.assertFalse(self.out.exists())
    shutil.rmtree(node)
    with self.assertRaisesRegex(errors.UserError, f'{node.name}. is not there'):
      self._apply(others(tiny.cohort(60, seed=3)))

  @parameterized.parameters('../../evil', '..', 7)
  def test_a_model_that_is_named_elsewhere(self, key):
    path = self.path / 'models.json'
    models = json.loads(path.read_text())
    for entry in models['arms']['ehr_linear']:
      entry['key'] = key
    path.write_text(json.dumps(models))
    store_lib.Store(self.path).seal()
    with self.assertRaisesRegex(
      errors.UserError, 'models.json. names the node'
    ):
      self._apply(others(tiny.cohort(60, seed=3)))

  @parameterized.parameters(
    {}, {'arms': []}, {'arms': {'ehr': [{}]}}, {'arms': {'ehr': 3}}
  )
  def test_models_of_another_form(self, **models):
    path = self.path / 'models.json'
    path.write_text(json.dumps({'task': {'kind': '', 'names': []}, **models}))
    store_lib.Store(self.path).seal()
    with self.assertRaisesRegex(errors.UserError, 'which models there are'):
      external.open_run(self.path)

  def test_results_do_not_leave_the_folder(self):
    elsewhere = self.path.with_name('elsewhere')
    elsewhere.mkdir()
    external_folder = self.path / 'external'
    external_folder.symlink_to(elsewhere)
    cohort = others(tiny.cohort(60, seed=3))
    with self.assertRaisesRegex(errors.UserError, "external' is a link"):
      self._apply(cohort)
    external_folder.unlink()
    external_folder.mkdir()
    self.out = external_folder / 'other'
    self.out.symlink_to(elsewhere)
    with self.assertRaisesRegex(errors.UserError, "other' is a link"):
      self._apply(cohort)
    self.assertEmpty(list(elsewhere.iterdir()))


class SurvivalTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    base = pathlib.Path(self.create_tempdir().full_path)
    self.path, self.out = base / 'run', base / 'out'
    self.cohort = tiny.cohort(kind=types.SURVIVAL, absent=True)
    runner_test.run(
      self.path, cohort=self.cohort, arms='run_arms=ehr_linear,image_pca'
    )

  def _apply(self, cohort, horizons=()):
    run = external.open_run(self.path)
    evaluation = dataclasses.replace(run.config.evaluation, horizons=horizons)
    config = dataclasses.replace(
      run.config,
      cohort=external.cohort_config(run, name='other'),
      evaluation=evaluation,
    )
    with mock.patch.object(reader, 'open_cohort', return_value=cohort):
      external.apply(run, config, self.out)
    return predictions.read(self.out / 'predictions.parquet')

  def test_the_same_cohort_gives_the_same_curves(self):
    before = predictions.read(self.path / 'predictions.parquet')
    after = self._apply(others(self.cohort))
    self.assertEqual(set(after.survival), set(before.survival))
    self.assertLen(before.survival, 3)
    for name, curve in before.survival.items():
      places = zip(after.study_id, after.arm, after.fold, strict=True)
      curves = dict(zip(places, after.survival[name], strict=True))
      for study, arm, fold, value in zip(
        before.study_id, before.arm, before.fold, curve, strict=True
      ):
        self.assertEqual(curves[study, arm, fold], value)

  def test_labels_of_the_other_cohort_have_no_say(self):
    other = others(tiny.cohort(60, kind=types.SURVIVAL, seed=3))
    before = self._apply(other)
    labels = other.labels * np.array([50.0, 1.0])
    after = self._apply(dataclasses.replace(other, labels=labels))
    self.assertEqual(list(before.survival), list(after.survival))
    for name, curve in before.survival.items():
      np.testing.assert_array_equal(after.survival[name], curve)

  def test_only_times_that_the_run_knows(self):
    models = json.loads((self.path / 'models.json').read_text())
    known = models['horizons'][1]
    found = self._apply(others(self.cohort), (known,))
    self.assertEqual(list(found.survival), [f'{known:g}'])
    with self.assertRaisesRegex(
      errors.UserError, 'horizons=0.123: the run in .* knows survival at'
    ) as caught:
      self._apply(others(self.cohort), (0.123,))
    self.assertNotIn('\n', str(caught.exception))

  def test_a_run_made_before_curves_were_stored(self):
    path = self.path / 'models.json'
    models = json.loads(path.read_text())
    del models['horizons']
    for entries in models['arms'].values():
      for entry in entries:
        del entry['cumulative_hazard']
    path.write_text(json.dumps(models))
    store_lib.Store(self.path).seal()
    self.assertEmpty(self._apply(others(self.cohort)).survival)
    with self.assertRaisesRegex(errors.UserError, 'knows survival at no time'):
      self._apply(others(self.cohort), (0.5,))


if __name__ == '__main__':
  absltest.main()
