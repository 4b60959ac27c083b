"""Tests of finished runs to which arms, parts and settings are added."""

import dataclasses
import json
import pathlib
import sys
from unittest import mock

from absl.testing import absltest

from fusion_jax.ablation import external, saved
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors
from fusion_jax.launch import settings
from tests.ablation import config_test, runner_test, saved_test

MINE = '--arm=mine=early_pca(l1_ratio=.9)'


class AddedArmsTest(runner_test.RunnerTestCase):
  def events(self, name):
    lines = (self.path / 'log.jsonl').read_text().splitlines()
    return [x for x in map(json.loads, lines) if x['event'] == name]

  def test_one_arm_is_trained_alone_and_the_comparison_grows(self):
    first, _, _ = runner_test.run(self.path)
    before, trained = runner_test.keys(self.path), len(self.events('node'))
    second, _, shown = runner_test.run(self.path, MINE, arms='run_arms=mine')
    self.assertEmpty(second.failures)
    with self.subTest('keys'):
      self.assertContainsSubset(before, runner_test.keys(self.path))
      self.assertLen(runner_test.keys(self.path) - before, 2)
    with self.subTest('log'):
      new = self.events('node')[trained:]
      self.assertEqual([x['arm'] for x in new], ['mine', 'mine'])
      self.assertIn('8 of them finished before', shown)
    with self.subTest('comparison'):
      arms = [*first.summary['arms']]
      self.assertEqual([*second.summary['arms']], [*arms, 'mine'])
      compared = [x['arm'] for x in second.summary['comparisons']]
      self.assertIn('mine', compared)
      self.assertEqual(
        second.summary['arms']['mine']['made_of']['differs']['arms.mine'],
        'early_pca(l1_ratio=.9)',
      )
    with self.subTest('it stays without being named'):
      third, _, _ = runner_test.run(self.path)
      self.assertEqual([*third.summary['arms']], [*arms, 'mine'])
      self.assertEqual(len(self.events('node')), trained + 2)
    with self.subTest('a command can name it without defining it again'):
      config = settings.resolve(
        'default', {'run_arms': 'mine'}, (), folder=str(self.path)
      )
      self.assertEqual(config.arms, {'mine': 'early_pca(l1_ratio=.9)'})
    with self.subTest('another definition'):
      with self.assertRaisesRegex(
        errors.UserError,
        r"arm 'mine' is early_pca\(l1_ratio=.9\) there and early_pca\(l1_rat"
        r'io=.8\) here',
      ):
        runner_test.run(self.path, '--arm=mine=early_pca(l1_ratio=.8)')

  def test_a_new_setting_orphans_no_run(self):
    _, store, _ = runner_test.run(self.path, arms='run_arms=ehr_linear')
    tree = json.loads((self.path / 'config.json').read_text())
    del tree['training']['average'], tree['imports']
    store.unseal()
    (self.path / 'config.json').write_text(json.dumps(tree))
    before = runner_test.keys(self.path)
    runner_test.run(self.path, arms='run_arms=ehr_linear')
    self.assertEqual(runner_test.keys(self.path), before)
    found = external.open_run(self.path)
    self.assertEqual(found.config.training.average, 0.98)

  def test_parts_of_others_are_found_again(self):
    package = pathlib.Path(self.create_tempdir().full_path)
    name = 'kept_parts_of_a_test'
    (package / f'{name}.py').write_text('')
    with mock.patch.object(sys, 'path', [str(package), *sys.path]):
      runner_test.run(self.path, f'imports={name}', arms='run_arms=ehr_linear')
      del sys.modules[name]
      found = external.open_run(self.path)
      self.assertIn('ehr_linear', found.config.known_arms)
      self.assertIn(name, sys.modules)
    del sys.modules[name]
    found = external.open_run(self.path)
    with self.assertRaisesRegex(errors.UserError, f"'{name}' .*imported"):
      _ = found.config.known_arms


class FormerRunTest(runner_test.RunnerTestCase):
  def setUp(self):
    super().setUp()
    self.old = self.path.parent / 'old'
    saved_test.former_folder(
      self.old,
      *runner_test.SMALL,
      'run_arms=ehr_linear,late_mean',
      late_mean={'upstream': ['image_pca', 'ehr_linear']},
    )

  def test_what_was_made_of_its_models_is_refused(self):
    with self.assertRaisesRegex(errors.UserError, 'is a run of version 1'):
      external.open_run(self.old)

  def test_its_summary_can_be_shown_again(self):
    external.check_finished(self.old)
    (self.old / store_lib.SUMMARY).write_text('[]')
    with self.assertRaisesRegex(errors.UserError, 'summary.json. is damaged'):
      external.check_finished(self.old)

  def test_it_is_not_extended(self):
    with self.assertRaisesRegex(errors.UserError, 'is a run of version 1'):
      runner_test.run(self.old)

  def test_its_configuration_makes_it_anew(self):
    config = settings.resolve(str(self.old / 'config.json'), {}, ())
    self.assertEqual(
      config.arms, {'late_mean': 'late_mean(image=image_pca,ehr=ehr_linear)'}
    )
    with mock.patch.object(config_test, 'config', lambda *x: config):
      report, _, _ = runner_test.run(self.path)
    self.assertEqual(
      [*report.summary['arms']], ['ehr_linear', 'image_pca', 'late_mean']
    )
    kept = json.loads((self.path / store_lib.CONFIG).read_text())
    self.assertEqual(kept['version'], saved.VERSION)
    self.assertEqual(
      saved.from_json(kept, where='x'), dataclasses.replace(config)
    )


if __name__ == '__main__':
  absltest.main()
