"""Tests of the arms and their claims."""

import dataclasses

from absl.testing import absltest, parameterized

from fusion_jax.ablation import arms
from fusion_jax.core import errors, types
from tests import tiny

NAMES = (
  'image ehr ehr_linear ehr_trees image_linear image_pca early_raw early_pca '
  'early_features early_trees joint joint_raw_ehr joint_additive late_mean '
  'late_vote late_weighted late_stack late_linear'
).split()


def changed(name, **parts):
  arm = dataclasses.replace(arms.ARMS[name], **parts)
  return {**arms.ARMS, name: arm}


class ArmsTest(parameterized.TestCase):
  def test_the_names_are_the_contract_in_the_order_of_the_table(self):
    task = tiny.task_of(types.BINARY)
    listed, warnings = arms.select(
      arms.ARMS, (), task=task, modalities=('image', 'ehr')
    )
    self.assertEqual(listed, NAMES)
    self.assertEqual(warnings, [])

  def test_every_arm_has_one_line(self):
    for arm in arms.ARMS.values():
      self.assertNotIn('\n', arm.summary)
      self.assertBetween(len(arm.summary), 10, 70)

  def test_the_known_arms_are_sound(self):
    arms.check(arms.ARMS)

  @parameterized.named_parameters(
    ('encoder', {'image_encoder': 'resnett'}, "Did you mean 'resnet'"),
    ('combiner', {'combiner': 'sum'}, "Unknown combiner 'sum'"),
    ('strategy', {'strategy': 'jiont'}, "Did you mean 'joint'"),
    ('input', {'image_input': 'pixels'}, "Unknown vector encoder 'resnet'"),
    ('raw', {'image_encoder': 'raw'}, "Unknown image encoder 'raw'"),
    ('unused', {'rule': 'mean'}, 'has no rule'),
    ('upstream', {'upstream': ('image',)}, 'expected 0 arms'),
    ('modality', {'modalities': ('image', 'ecg')}, "Unknown modality 'ecg'"),
  )
  def test_wrong_parts_are_refused(self, parts, message):
    with self.assertRaisesRegex(errors.UserError, message):
      arms.check(changed('joint', **parts))

  def test_upstream_must_give_what_is_needed(self):
    with self.assertRaisesRegex(errors.UserError, 'does not give'):
      arms.check(changed('early_trees', upstream=('image',)))
    with self.assertRaisesRegex(errors.UserError, 'does not give'):
      arms.check(changed('late_mean', upstream=('ehr', 'image')))
    arms.check(changed('late_mean', upstream=('image_pca', 'ehr_trees')))

  def test_claims(self):
    claims = {name: arms.claims(arm) for name, arm in arms.ARMS.items()}
    self.assertEqual(claims['joint'].tasks, types.TASK_KINDS)
    self.assertNotIn(types.SURVIVAL, claims['late_vote'].tasks)
    self.assertTrue(claims['joint'].interactions)
    for name in ('joint_additive', 'early_pca', 'late_mean', 'late_stack'):
      self.assertFalse(claims[name].interactions, name)

  def test_what_cannot_be_run_is_left_out_with_a_warning(self):
    listed, warnings = arms.select(
      arms.ARMS,
      (),
      task=tiny.task_of(types.SURVIVAL),
      modalities=('image', 'ehr'),
    )
    self.assertEqual(listed, [n for n in NAMES if n != 'late_vote'])
    self.assertLen(warnings, 1)
    self.assertIn('does not support survival', warnings[0])

  def test_what_cannot_be_run_is_an_error_if_named(self):
    task = tiny.task_of(types.SURVIVAL)
    with self.assertRaisesRegex(errors.UserError, "'late_vote' does not supp"):
      arms.select(
        arms.ARMS, ('late_vote',), task=task, modalities=('image', 'ehr')
      )
    with self.assertRaisesRegex(errors.UserError, "'joint' needs image data"):
      arms.select(arms.ARMS, ('joint',), task=task, modalities=('ehr',))

  @parameterized.parameters('jiont', 'extractor')
  def test_unknown_names(self, name):
    with self.assertRaisesRegex(errors.UserError, f"Unknown arm '{name}'"):
      arms.select(
        arms.ARMS,
        (name,),
        task=tiny.task_of(types.BINARY),
        modalities=('image', 'ehr'),
      )

  def test_a_cohort_without_images_keeps_the_arms_of_the_record(self):
    listed, warnings = arms.select(
      arms.ARMS,
      (),
      task=tiny.task_of(types.BINARY),
      modalities=('ehr',),
    )
    self.assertEqual(listed, ['ehr', 'ehr_linear', 'ehr_trees'])
    self.assertLen(warnings, 15)

  def test_a_rule_brings_the_predictions_that_it_needs(self):
    listed, _ = arms.select(
      arms.ARMS,
      ('late_mean', 'image_linear'),
      task=tiny.task_of(types.BINARY),
      modalities=('image', 'ehr'),
    )
    self.assertEqual(listed, ['image', 'ehr', 'image_linear', 'late_mean'])


if __name__ == '__main__':
  absltest.main()
