"""Tests of the checks of arms, their claims and which of them are run."""

import dataclasses

from absl.testing import absltest, parameterized

from fusion_jax.ablation import arm, families, roster
from fusion_jax.core import errors, types
from fusion_jax.data import kind
from tests import tiny

KNOWN = families.review(families.USUAL)
NAMES = (
  'image ehr ehr_linear ehr_trees image_linear image_pca early_raw early_pca '
  'early_features early_trees joint joint_raw_ehr joint_additive late_mean '
  'late_vote late_weighted late_stack late_linear'
).split()


def changed(name, **parts):
  """The known arms, one of them with parts, or parts of inputs, replaced."""
  base = KNOWN[name]
  inputs = {
    m: dataclasses.replace(x, **parts.pop(m, {}))
    for m, x in base.inputs.items()
  }
  parts.setdefault('inputs', inputs)
  return {**KNOWN, name: dataclasses.replace(base, **parts)}


def select(*names, kind=types.BINARY, modalities=('image', 'ehr')):
  return roster.select(
    KNOWN, names, task=tiny.task_of(kind), modalities=modalities
  )


class RosterTest(parameterized.TestCase):
  def test_the_names_are_the_contract_in_the_order_of_the_table(self):
    self.assertEqual(select(), (NAMES, []))
    self.assertEqual(roster.listed(KNOWN), NAMES)

  def test_the_known_arms_are_sound(self):
    roster.check(KNOWN)

  @parameterized.named_parameters(
    ('encoder', {'image': {'encoder': 'resnett'}}, "Did you mean 'resnet'"),
    (
      'argument',
      {'image': {'encoder': 'resnet(dept=2)'}},
      r"'dept' \(arms.joint.image\). Did you mean 'depth'",
    ),
    ('combiner', {'combiner': 'sum'}, "Unknown combiner 'sum'"),
    ('none', {'combiner': ''}, 'arms.joint.combiner: a part'),
    ('strategy', {'strategy': 'jiont'}, "Did you mean 'joint'"),
    ('learner', {'learner': 'nueral'}, "Did you mean 'neural'"),
    (
      'vector',
      {'image': {'view': 'reduced'}},
      "Unknown vector encoder 'resnet'",
    ),
    ('raw', {'image': {'encoder': 'raw'}}, "Unknown image encoder 'raw'"),
    (
      'impossible',
      {'image': {'encoder': 'vit(width=10)'}},
      r'^arms.joint.image: vit.width=10,heads=3.: width has to be',
    ),
    (
      'choice',
      {'image': {'encoder': 'resnet(pool=max)'}},
      "value of resnet.pool=.... 'max' .arms.joint.image",
    ),
    ('unused', {'rule': 'mean'}, 'has no rule'),
    ('upstream', {'image': {'of': 'image'}}, 'of no arm'),
    ('view', {'image': {'view': 'logits'}}, "cannot see the view 'logits'"),
    ('setting', {'train': {'epoch': 3}}, "Did you mean 'epochs'"),
    ('empty', {'inputs': {}}, 'at least one modality'),
  )
  def test_wrong_parts_are_refused(self, parts, message):
    with self.assertRaisesRegex(errors.UserError, message):
      roster.check(changed('joint', **parts))

  @parameterized.named_parameters(
    ('features', 'early_trees', {'image': {'of': 'image'}}, 'does not give'),
    (
      'encoded',
      'early_features',
      {'image': {'encoder': 'mlp'}},
      "as they are; 'mlp' would not be used",
    ),
    ('sides', 'late_mean', {'image': {'of': 'ehr'}}, 'does not give'),
    ('fused', 'late_mean', {'image': {'of': 'joint'}}, 'does not give'),
    ('extractor', 'late_mean', {'image': {'of': 'extractor'}}, 'does not'),
    ('rule', 'late_mean', {'rule': 'maen'}, "Did you mean 'mean'"),
    ('arguments', 'late_mean', {'rule': 'mean(a=1)'}, 'recalibrated'),
    ('encoder', 'ehr_trees', {'ehr': {'encoder': 'mlp'}}, 'has no encoder'),
  )
  def test_what_stands_on_others(self, name, parts, message):
    with self.assertRaisesRegex(errors.UserError, message):
      roster.check(changed(name, **parts))

  def test_other_arms_of_the_same_side_can_be_joined(self):
    parts = {'image': {'of': 'image_pca'}, 'ehr': {'of': 'ehr_trees'}}
    roster.check(changed('late_mean', **parts))

  def test_claims(self):
    claims = {name: roster.claims(x) for name, x in KNOWN.items()}
    self.assertEqual(claims['joint'].tasks, types.TASK_KINDS)
    self.assertNotIn(types.SURVIVAL, claims['late_vote'].tasks)
    self.assertTrue(claims['joint'].interactions)
    for name in ('joint_additive', 'early_pca', 'late_mean', 'late_stack'):
      self.assertFalse(claims[name].interactions, name)
    absent = {name: claims[name].absent for name in ('ehr', 'joint')}
    self.assertEqual(absent, {'ehr': 'prevalence', 'joint': 'indicator'})
    self.assertEqual(claims['early_trees'].absent, 'missing')
    self.assertEqual(claims['late_mean'].absent, 'left out')

  def test_what_cannot_be_run_is_left_out_with_a_warning(self):
    listed, warnings = select(kind=types.SURVIVAL)
    self.assertEqual(listed, [n for n in NAMES if n != 'late_vote'])
    self.assertLen(warnings, 1)
    self.assertIn('does not support survival', warnings[0])

  def test_what_cannot_be_run_is_an_error_if_named(self):
    with self.assertRaisesRegex(errors.UserError, "'late_vote' does not supp"):
      select('late_vote', kind=types.SURVIVAL)
    with self.assertRaisesRegex(errors.UserError, "'joint' needs image data"):
      select('joint', modalities=('ehr',))

  def test_what_an_arm_stands_on_has_to_run(self):
    with self.assertRaisesRegex(
      errors.UserError,
      "'late_mean' needs 'late_vote', which does not support survival tasks",
    ):
      roster.select(
        changed('late_mean', image={'of': 'late_vote'}),
        ['late_mean'],
        task=tiny.task_of(types.SURVIVAL),
        modalities=('image', 'ehr'),
      )

  @parameterized.parameters('jiont', 'extractor')
  def test_unknown_names(self, name):
    with self.assertRaisesRegex(errors.UserError, f"Unknown arm '{name}'"):
      select(name)

  def test_a_cohort_without_images_keeps_the_arms_of_the_record(self):
    listed, warnings = select(modalities=('ehr',))
    self.assertEqual(listed, ['ehr', 'ehr_linear', 'ehr_trees'])
    self.assertLen(warnings, 15)

  def test_a_rule_brings_the_predictions_that_it_needs(self):
    listed, _ = select('late_mean', 'image_linear')
    self.assertEqual(listed, ['image', 'ehr', 'image_linear', 'late_mean'])

  def test_every_registry_is_of_some_part(self):
    kinds = {known.kind for known in roster.registries()}
    self.assertEqual(
      kinds,
      {
        *(f'{x} encoder' for x in kind.KINDS.names()),
        *('combiner', 'exchange', 'late rule'),
        *('optimizer', 'schedule', 'method'),
      },
    )

    self.assertEqual(
      set(roster.parts(KNOWN['joint'])), {*'image ehr'.split(), 'combiner'}
    )
    self.assertEqual({*roster.parts(KNOWN['late_mean'])}, {'rule'})
    self.assertIsInstance(KNOWN['joint'], arm.Arm)


if __name__ == '__main__':
  absltest.main()
