"""Tests of runs whose folder was damaged, and of arms that fail unforeseen."""

import dataclasses
import json
import shutil
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import (
  audits,
  classical_learners,
  controls,
  footprints,
  outcome,
)
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors
from fusion_jax.data import reader
from fusion_jax.data import splits as splits_lib
from tests import tiny
from tests.ablation import config_test, runner_test


def flip(path):
  values = bytearray(path.read_bytes())
  values[len(values) // 2] ^= 1
  path.write_bytes(values)


class DamageTest(runner_test.RunnerTestCase):
  """What was damaged since is named, and made again as it was."""

  def _again(self, *expected):
    before = runner_test.comparable(self.path)
    _, _, shown = runner_test.run(self.path)
    for text in expected:
      self.assertIn(text, runner_test.one_line(shown))
    self.assertEqual(runner_test.comparable(self.path), before)
    self.assertEmpty(store_lib.Store(self.path).faults())
    return shown

  def test_a_node(self):
    runner_test.run(self.path)
    key = sorted(runner_test.keys(self.path))[3]
    flip(self.path / 'nodes' / key / 'arrays.npz')
    shown = self._again(
      'made again where it is needed', '7 of them finished before'
    )
    self.assertIn(f'{key}/arrays.npz', shown.replace('\n', ''))

  def test_a_node_of_a_control(self):
    more = ('controls.conditions=image_absent',)
    runner_test.run(self.path, *more)
    before = runner_test.keys(self.path)
    store = store_lib.Store(self.path)
    models = json.loads((self.path / 'models.json').read_text())['arms']
    known = {x['key'] for entries in models.values() for x in entries}
    key = sorted(before - known)[0]
    flip(self.path / 'nodes' / key / 'arrays.npz')
    _, _, shown = runner_test.run(self.path, *more)
    self.assertIn('made again where it is needed', runner_test.one_line(shown))
    self.assertEqual(runner_test.keys(self.path), before)
    self.assertTrue(store.has(key))

  def test_the_arrays_of_another_fold(self):
    _, store, _ = runner_test.run(self.path)
    one, other = (
      self.path / 'nodes' / key
      for key in runner_test.keys(self.path)
      if store.record(key)['arm'] == 'ehr_linear'
    )
    for name in ('arrays.npz', 'checksums.json'):
      shutil.copy(one / name, other / name)
    self._again('was written for', '7 of them finished before')

  @parameterized.parameters(
    'models.json', 'curves.json', 'splits.csv', 'predictions.parquet'
  )
  def test_a_file_of_the_run(self, name):
    runner_test.run(self.path)
    flip(self.path / name)
    self._again('is damaged', 'it is made again where it is needed')
    (self.path / name).unlink()
    self._again('is not there', 'it is made again where it is needed')

  def test_a_config_that_is_no_configuration(self):
    runner_test.run(self.path, arms='run_arms=ehr_linear')
    (self.path / 'config.json').write_text('[]')
    with self.assertRaisesRegex(errors.UserError, 'config.json. is damaged'):
      runner_test.run(self.path, arms='run_arms=ehr_linear')

  def test_another_cohort_of_the_same_name_is_told(self):
    arms = 'run_arms=ehr_linear'
    one = tiny.cohort()
    _, _, shown = runner_test.run(self.path, cohort=one, arms=arms)
    self.assertNotIn('has changed', shown)
    other = dataclasses.replace(one, digest='other')
    _, _, shown = runner_test.run(self.path, cohort=other, arms=arms)
    self.assertIn(
      f'(digest {one.digest} then, other now): all arms are trained again',
      runner_test.one_line(shown),
    )
    self.assertLen(runner_test.keys(self.path), 4)
    _, _, shown = runner_test.run(self.path, cohort=other, arms=arms)
    self.assertNotIn('has changed', shown)

  def test_arms_asked_for_while_this_opened_its_cohort_stay(self):
    real = reader.open_cohort
    asked = []

    def opened(config):
      if not asked:
        asked.append(config)
        runner_test.run(self.path, arms='run_arms=ehr_trees')
      return real(config)

    with mock.patch.object(reader, 'open_cohort', opened):
      report, _, shown = runner_test.run(self.path, arms='run_arms=ehr_linear')
    self.assertIn('stays in the comparison', runner_test.one_line(shown))
    self.assertEqual(list(report.summary['arms']), ['ehr_linear', 'ehr_trees'])
    saved = json.loads((self.path / 'config.json').read_text())
    self.assertCountEqual(saved['run_arms'], ['ehr_linear', 'ehr_trees'])


class UnforeseenTest(runner_test.RunnerTestCase):
  @parameterized.parameters(
    (ValueError('window shape\ncannot be'), 'ValueError: window shape cannot'),
    (MemoryError(), 'there is not enough memory'),
    (RuntimeError('x' * 999), r'RuntimeError: x{200}\.\.\.'),
  )
  def test_what_nobody_foresaw_ends_one_arm(self, fault, expected):
    with mock.patch.object(classical_learners.Trees, 'fit', side_effect=fault):
      report, _, shown = runner_test.run(self.path)
    self.assertEqual(list(report.failures), ['ehr_trees'])
    self.assertRegex(report.failures['ehr_trees'], expected)
    self.assertIn('log.jsonl', report.failures['ehr_trees'])
    self.assertNotIn('\n', report.failures['ehr_trees'])
    self.assertNotIn('Traceback', shown)
    self.assertEqual(
      list(report.summary['arms']), ['ehr_linear', 'image_pca', 'early_pca']
    )
    logged = store_lib.Store(self.path).last_logged('failure')
    self.assertIn('Traceback', logged['traceback'])
    # The folder can be used again, without the arm and with it.
    report, _, _ = runner_test.run(self.path, arms='run_arms=ehr_linear')
    self.assertEmpty(report.failures)
    self.assertIn('ehr_trees', report.summary['arms'])

  def test_what_fails_in_the_evaluation_of_one_arm(self):
    real = outcome.table

    def table(cohort, arm, *args, **given):
      if arm == 'image_pca':
        raise ZeroDivisionError('by nothing')
      return real(cohort, arm, *args, **given)

    with mock.patch.object(outcome, 'table', table):
      report, _, _ = runner_test.run(self.path)
    self.assertEqual(list(report.failures), ['image_pca'])
    self.assertNotIn('image_pca', report.summary['arms'])

  @parameterized.parameters(
    (controls, 'make', 'Controls'),
    (audits, 'run', 'Audits'),
    (footprints, 'measure', 'Footprints'),
  )
  def test_what_is_made_beside_arms_costs_only_itself(self, room, name, what):
    with mock.patch.object(room, name, side_effect=KeyError('x')):
      report, _, shown = runner_test.run(
        self.path, 'footprint=true', arms='run_arms=ehr_linear'
      )
    self.assertEmpty(report.failures)
    line = f"{what} could not be made: KeyError: 'x' (the traceback is in"
    self.assertIn(line, runner_test.one_line(shown))
    self.assertTrue(any(line in x for x in report.summary['warnings']))
    self.assertEmpty(store_lib.Store(self.path).faults())

  def test_a_column_that_is_empty_in_a_training_part(self):
    cohort = tiny.cohort()
    split = splits_lib.make_splits(
      cohort, config_test.config(*runner_test.SMALL).splits
    )[0]
    numeric, categorical = (
      tiny.numeric(cohort).copy(),
      tiny.categorical(cohort).copy(),
    )
    numeric[split.train, 0] = np.nan
    categorical[split.train, 0] = None
    cohort = tiny.changed(cohort, numeric=numeric, categorical=categorical)
    report, _, _ = runner_test.run(self.path, cohort=cohort)
    self.assertEmpty(report.failures)
    self.assertLen(report.summary['arms'], 4)


if __name__ == '__main__':
  absltest.main()
