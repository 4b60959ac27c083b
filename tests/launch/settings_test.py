"""Tests of how a configuration is put together."""

import json

from absl.testing import absltest

from fusion_jax.ablation import saved
from fusion_jax.core import errors
from fusion_jax.launch import settings


class SettingsTest(absltest.TestCase):
  def test_named_then_flags_then_set(self):
    config = settings.resolve(
      'quick', {'splits.folds': 4, 'seeds': None}, ['seeds=2', 'splits.folds=5']
    )
    self.assertEqual(config.training.epochs, 3)
    self.assertEqual(config.seeds, 2)
    self.assertEqual(config.splits.folds, 5)

  def test_a_saved_file(self):
    config = settings.resolve('default', {'run_arms': 'image,ehr'}, [])
    text = json.dumps(saved.to_json(config))
    path = self.create_tempfile('config.json', text).full_path
    self.assertEqual(settings.resolve(path, {}, []), config)

  def test_a_registration_sets_what_it_fixes(self):
    self.assertEmpty(settings.registered(None))
    path = self.create_tempfile(
      'plan.json',
      '{"metric": "auprc", "margin": 0.05, "arms": ["ehr", "image"], '
      '"reference": "best_single"}',
    ).full_path
    config = settings.resolve('default', settings.registered(path), [])
    self.assertEqual(config.evaluation.registered, path)
    self.assertEqual(config.evaluation.metric, 'auprc')
    self.assertEqual(config.evaluation.margin, 0.05)
    self.assertEqual(config.run_arms, ('ehr', 'image'))

  def test_a_registration_is_read_before_anything_runs(self):
    with self.assertRaisesRegex(errors.UserError, 'No such registration'):
      settings.resolve('default', {}, ['evaluation.registered=none.json'])

  def test_arms_are_those_of_the_cohorts_own_modalities(self):
    named = {'cohort.name': 'five_modalities', 'run_arms': 'ehr_vitals,joint'}
    config = settings.resolve('default', named, [])
    self.assertEqual(config.run_arms, ('ehr_vitals', 'joint'))
    self.assertLen(config.known_arms['joint'].inputs, 5)
    with self.assertRaisesRegex(errors.UserError, "mean 'ehr_vitals'"):
      settings.resolve('default', {**named, 'run_arms': 'ehr_vital'}, [])
    own = ['own=joint(vitals=transformer(width=8,heads=2))']
    config = settings.resolve('default', named, [], arms=own)
    self.assertIn('own', config.known_arms)
    with self.assertRaisesRegex(errors.UserError, "arm 'ehr_vitals'"):
      settings.resolve('default', named, [], described=False)

  def test_unknown_names(self):
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'quick'"):
      settings.named('quik')
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'joint'"):
      settings.resolve('default', {'run_arms': 'jiont'}, [])


if __name__ == '__main__':
  absltest.main()
