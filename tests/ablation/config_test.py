"""Tests of the configuration of an ablation."""

import dataclasses
import json
import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.ablation import arm_text, saved
from fusion_jax.ablation import config as config_lib
from fusion_jax.core import config as core_config
from fusion_jax.core import errors

ARM = '--arm='


def config(*overrides):
  """A configuration with settings, and arms as '--arm=NAME=ARM()'."""
  arms = [x.removeprefix(ARM) for x in overrides if x.startswith(ARM)]
  base = config_lib.ExperimentConfig(arms=dict(map(arm_text.split, arms)))
  settings = [x for x in overrides if not x.startswith(ARM)]
  return core_config.apply_overrides(base, settings, flag='--set')


class ConfigTest(parameterized.TestCase):
  def test_saved_and_loaded(self):
    path = self.create_tempfile('config.json').full_path
    given = config('run_arms=image,ehr', '--arm=flat=joint(combiner=additive)')
    pathlib.Path(path).write_text(json.dumps(saved.to_json(given)))
    loaded = saved.load(path)
    self.assertEqual(loaded, given)
    self.assertEqual(loaded.known_arms['flat'].combiner, 'additive')

  @parameterized.parameters(
    'seeds=0',
    'trials=0',
    'seed=-1',
    'classical.l1_ratio=2',
    'classical.l1_ratio=nan',
    'classical.learning_rate=0',
    'classical.learning_rate=inf',
    'classical.max_leaf_nodes=1',
    'classical.l2=-1',
    'seeds=1001',
    'trials=1000000000000',
    'classical.max_leaf_nodes=1000000000000',
    'controls.emap_studies=2001',
    'training.epochs=1000000000000',
    'training.learning_rate=inf',
  )
  def test_impossible_values(self, override):
    name = override.split('=')[0]
    with self.assertRaisesRegex(errors.UserError, f'^{name}='):
      config_lib.check(config(override))

  @parameterized.parameters(
    ('seeds=1' + '0' * 30, 'at most 64 bits'),
    ('cohort.n=1000000000000', 'from 0 to 1000000'),
    ('cohort.image_size=1000000000', 'from 0 to 4096'),
    ('preprocess.pixel_size=1000000000', 'from 1 to 512'),
    ('evaluation.replicates=1000000000000', 'at most 100000'),
    ('evaluation.permutations=1000000000000', 'from 0 to 1000000'),
    ('audits.permutations=1000000000000', 'from 2 to 1000'),
  )
  def test_sizes_that_no_run_could_end_with(self, override, message):
    with self.assertRaisesRegex(errors.UserError, message):
      config_lib.check(config(override))

  def test_more_arms_than_a_comparison_holds(self):
    for count, found in ((300, 300), (90, 110)):
      arms = {f'arm{i}': 'ehr_linear' for i in range(count)}
      with self.assertRaisesRegex(errors.UserError, f'{found} are defined'):
        config_lib.check(config_lib.ExperimentConfig(arms=arms))

  def test_arms_are_checked(self):
    with self.assertRaisesRegex(errors.UserError, 'arms.flat.combiner'):
      config_lib.check(config('--arm=flat=joint(combiner=nothing)'))
    with self.assertRaisesRegex(
      errors.UserError, r'^arms.long: training.epochs=0: expected'
    ):
      config_lib.check(config('--arm=long=joint(epochs=0)'))

  @parameterized.parameters(
    ('complementary', 'complementary'),
    ('/data/my cohort/', 'my_cohort'),
    ('/data/lungs/cohort.toml', 'lungs'),
    ('cohorts/ham.toml', 'ham'),
  )
  def test_default_folder(self, name, start):
    folder = config_lib.default_folder(config(f'cohort.name={name}'))
    self.assertRegex(str(folder), rf'^runs/{start}-[0-9a-f]{{8}}$')

  def test_extending_a_run_stays_in_its_folder(self):
    base = config_lib.default_folder(config())
    for override in (
      'seeds=3',
      'trials=4',
      'run_arms=joint',
      'evaluation.margin=.05',
      'parallel.strategy=pmap',
      'cohort.cache_dir=/tmp/x',
    ):
      self.assertEqual(config_lib.default_folder(config(override)), base)
    for override in ('seed=1', 'training.epochs=3', 'splits.folds=5'):
      self.assertNotEqual(config_lib.default_folder(config(override)), base)

  @parameterized.parameters(
    (('image', 'ehr'), ('joint',), ('image', 'ehr', 'joint')),
    (('image', 'ehr'), ('joint', 'ehr', 'image'), ('joint', 'ehr', 'image')),
    ((), ('joint',), ()),
    (('joint',), (), ()),
    ((), (), ()),
  )
  def test_arms_are_only_ever_added(self, before, now, expected):
    saved = core_config.to_dict(
      dataclasses.replace(config(), run_arms=before, seeds=3, trials=1)
    )
    given = dataclasses.replace(config(), run_arms=now, seeds=2, trials=4)
    found = config_lib.extended(saved, given)
    self.assertEqual(found.run_arms, expected)
    self.assertEqual((found.seeds, found.trials), (3, 4))
    self.assertEqual(
      dataclasses.replace(found, run_arms=now, seeds=2, trials=4), given
    )

  def test_definitions_of_arms_are_only_ever_added(self):
    before, now = (
      config(f'--arm={x}=joint(epochs={k})', f'imports={x}')
      for k, x in enumerate(('a', 'b'), 1)
    )
    kept = core_config.to_dict(before)
    found = config_lib.extended(kept, now)
    self.assertEqual(
      found.arms, {'a': 'joint(epochs=1)', 'b': 'joint(epochs=2)'}
    )
    self.assertEqual(found.imports, ('a', 'b'))
    self.assertEqual(config_lib.first_difference(kept, now), '')
    self.assertEqual(
      config_lib.default_folder(before), config_lib.default_folder(now)
    )

  def test_an_arm_keeps_its_definition(self):
    kept = core_config.to_dict(
      config('--arm=a=joint(epochs=1,combiner=concat)')
    )
    for same in ('--arm=a=joint( epochs = 1, combiner=concat)', '--arm=b=a()'):
      self.assertEqual(config_lib.redefined(kept, config(same)), '')
    self.assertEqual(
      config_lib.redefined(kept, config('--arm=a=joint(epochs=2)')),
      "arm 'a' is joint(epochs=1,combiner=concat) there and joint(epochs=2) "
      'here',
    )
    self.assertEqual(
      config_lib.redefined(kept, config('--arm=ehr=ehr(epochs=2)')),
      "arm 'ehr' is ehr() there and ehr(epochs=2) here",
    )

  def test_a_setting_that_a_folder_does_not_name_had_its_default(self):
    kept = core_config.to_dict(config())
    del kept['training']['average'], kept['arms'], kept['seeds']
    self.assertEqual(config_lib.first_difference(kept, config()), '')
    self.assertEqual(config_lib.extended(kept, config()), config())
    self.assertEqual(
      config_lib.first_difference(kept, config('training.average=0')),
      'training.average is 0.98 there and 0.0 here',
    )

  def test_first_difference(self):
    saved = core_config.to_dict(config())
    self.assertEqual(config_lib.first_difference(saved, config()), '')
    self.assertEqual(config_lib.first_difference(saved, config('seeds=5')), '')
    self.assertEqual(
      config_lib.first_difference(saved, config('training.epochs=3')),
      f'training.epochs is {config().training.epochs} there and 3 here',
    )
    self.assertEqual(
      config_lib.first_difference(saved, config('cohort.name=null')),
      'cohort.name is "complementary" there and "null" here',
    )

  def test_a_setting_that_another_version_had(self):
    saved = core_config.to_dict(config())
    saved['training']['momentum'] = 0.9
    self.assertEqual(
      config_lib.first_difference(saved, config()),
      'training.momentum is 0.9 there and null here',
    )

  def test_controls(self):
    self.assertEqual(config().controls.names, ())
    both = config('controls.conditions=emap,image_permuted').controls
    self.assertEqual(both.names, ('image_permuted', 'emap'))
    self.assertFalse(both.shapley)
    for name in ('shapley', 'all'):
      self.assertTrue(config(f'controls.conditions={name}').controls.shapley)
    self.assertLen(config('controls.conditions=all').controls.names, 8)
    with self.assertRaisesRegex(errors.UserError, "mean 'ehr_noise'.*all"):
      config_lib.check(config('controls.conditions=ehr_nois'))
    with self.assertRaisesRegex(errors.UserError, 'emap_studies=1: expected'):
      config_lib.check(config('controls.emap_studies=1'))

  def test_controls_are_only_ever_added(self):
    saved = core_config.to_dict(config('controls.conditions=emap'))
    given = config('controls.conditions=ensemble', 'controls.emap_studies=9')
    found = config_lib.extended(saved, given).controls
    self.assertEqual(found.names, ('emap', 'ensemble'))
    self.assertEqual(found.emap_studies, 9)
    self.assertEqual(config_lib.first_difference(saved, given), '')
    del saved['controls']
    self.assertEqual(config_lib.extended(saved, given), given)

  def test_it_is_frozen(self):
    with self.assertRaises(dataclasses.FrozenInstanceError):
      config().seeds = 2


if __name__ == '__main__':
  absltest.main()
