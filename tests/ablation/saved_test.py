"""Tests of configurations as files, of this version and the one before."""

import json
import pathlib
import sys
from unittest import mock

from absl.testing import absltest, parameterized

from fusion_jax.ablation import families, saved
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import config as core_config
from fusion_jax.core import errors
from tests.ablation import config_test

config = config_test.config
KNOWN = families.review(families.USUAL)


def former(*overrides, **arms):
  """What version 1 had as config.json, with parts of arms replaced."""
  tree = core_config.to_dict(config(*overrides))
  for name in ('modalities', 'families', 'imports'):
    del tree[name]
  tree['arms'] = {
    name: {'summary': x.summary, 'type': x.type, **saved._former(x)}
    for name, x in KNOWN.items()
  }
  for name, parts in arms.items():
    tree['arms'].setdefault(name, {}).update(parts)
  return tree


def former_folder(path, *overrides, **arms):
  """A finished run as version 1 left it, as far as it is read."""
  path.mkdir()
  text = json.dumps(former(*overrides, **arms))
  (path / store_lib.CONFIG).write_text(text)
  for name in store_lib.FINISHED[1:]:
    (path / name).write_text('{}')
  store_lib.Store(path).seal()


class Version2Test(parameterized.TestCase):
  def test_round_trip(self):
    given = config('--arm=a=joint(epochs=3)', 'imports=json', 'seeds=2')
    data = json.loads(json.dumps(saved.to_json(given)))
    self.assertEqual(data['version'], 2)
    self.assertEqual(saved.from_json(data, where='x'), given)
    self.assertNotIn('version', saved.current(data, where='x', folder='folder'))

  def test_what_is_not_named_has_its_default(self):
    for data in ({}, {'version': 2}, {'training': {'epochs': 3}}):
      found = saved.from_json(data, where='x')
      epochs = data.get('training', {}).get('epochs', 30)
      self.assertEqual(found, config(f'training.epochs={epochs}'))

  def test_no_code_of_the_folder_is_imported(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / 'planted_by_a_test.py').write_text('raise SystemExit(9)\n')
    with mock.patch.object(sys, 'path', [str(folder), *sys.path]):
      with self.assertRaisesRegex(errors.UserError, 'no code of a run folder'):
        saved.check_imports(['planted_by_a_test'], folder)
      saved.check_imports(['planted_by_a_test'], folder / 'other')
    saved.check_imports(['json', 'no.such.module'], folder)

  @parameterized.parameters(3, 0, '2', None, True)
  def test_unknown_versions(self, version):
    with self.assertRaisesRegex(errors.UserError, "'x' is a configuration of"):
      saved.from_json({'version': version}, where='x')


class Version1Test(parameterized.TestCase):
  def test_the_arms_of_the_library_need_no_words(self):
    given = ('training.epochs=7', 'run_arms=ehr,joint', 'seeds=2')
    found = saved.from_json(former(*given), where='x')
    self.assertEqual(found, config(*given))

  @parameterized.named_parameters(
    ('combiner', 'joint', {'combiner': 'additive'}, 'joint(combiner=additive)'),
    ('record', 'joint', {'ehr_encoder': 'raw'}, 'joint(ehr=raw)'),
    (
      'encoder',
      'image',
      {'image_encoder': 'resnet(depth=2)'},
      'image(image=raw(encoder=resnet(depth=2)))',
    ),
    (
      'input',
      'extractor',
      {'image_encoder': 'raw', 'image_input': 'pixels'},
      'extractor(image=reduced(encoder=raw))',
    ),
    ('rule', 'late_mean', {'rule': 'weighted'}, 'late_mean(rule=weighted)'),
    (
      'below',
      'late_stack',
      {'upstream': ['image_pca', 'ehr_linear']},
      'late_stack(image=image_pca,ehr=ehr_linear)',
    ),
    (
      'several',
      'early_features',
      {'combiner': 'additive', 'image_input': 'pixels', 'upstream': []},
      'early_features(combiner=additive,image=reduced(encoder=raw))',
    ),
  )
  def test_exchanged_parts(self, arm, parts, expected):
    found = saved.from_json(former(**{arm: parts}), where='x')
    self.assertEqual(found.arms, {arm: expected})
    config_test.config_lib.check(found)
    made = found.known_arms[arm]
    usual = {k: v for k, v in saved._former(KNOWN[arm]).items()}
    self.assertEqual(saved._former(made), {**usual, **parts})

  def test_names_that_parts_had(self):
    found = saved.from_json(
      former(early_raw={'combiner': 'concat_deep'}), where='x'
    )
    self.assertEqual(found.arms, {})

  @parameterized.named_parameters(
    ('arm', 'mine', {}, 'arms.mine is no arm of the library'),
    ('learner', 'joint', {'learner': 'trees'}, 'arms.joint.learner=trees'),
    ('unknown', 'joint', {'colour': 'red'}, 'arms.joint.colour=red'),
  )
  def test_what_cannot_be_translated(self, arm, parts, message):
    with self.assertRaisesRegex(
      errors.UserError, f"'x' is of version 1 and .*: {message}. Take it out"
    ):
      saved.from_json(former(**{arm: parts}), where='x')

  def test_its_folder_is_refused_with_the_command_that_converts_it(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'old'
    former_folder(path)
    with self.assertRaisesRegex(
      errors.UserError,
      rf"'{path}' is a run of version 1 .*--config={path}/config.json --out=",
    ):
      saved.current(
        json.loads((path / 'config.json').read_text()),
        where=f'{path}/config.json',
        folder=path,
      )


if __name__ == '__main__':
  absltest.main()
