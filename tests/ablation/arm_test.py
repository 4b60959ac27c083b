"""Tests of arms as data."""

import dataclasses

from absl.testing import absltest, parameterized

from fusion_jax.ablation import arm, families, views

KNOWN = families.review(families.USUAL)
LOGITS = {'of': 'image', 'view': views.LOGITS}


class ArmTest(parameterized.TestCase):
  def test_what_follows_from_the_inputs(self):
    trees = KNOWN['early_trees']
    self.assertEqual(trees.modalities, ('image', 'ehr'))
    self.assertEqual(trees.upstream, ('extractor',))
    self.assertEqual(trees.second_stage, ('image',))
    self.assertEqual(trees.reduced, ())
    self.assertEqual(KNOWN['early_pca'].reduced, ('image',))
    self.assertTrue(KNOWN['extractor'].extracts)
    self.assertFalse(trees.extracts)

  def test_a_rule_joins_one_term_for_each_arm(self):
    late = KNOWN['late_linear']
    self.assertEqual(
      late.terms,
      {
        'image': ('image_pca', ('image',)),
        'ehr': ('ehr_linear', ('ehr',)),
      },
    )
    self.assertEqual(late.upstream, ('image_pca', 'ehr_linear'))
    inputs = {m: arm.Input('image', **LOGITS) for m in ('cxr', 'ct')}
    inputs['labs'] = arm.Input('table', of='ehr', view=views.LOGITS)
    self.assertEqual(
      dataclasses.replace(late, inputs=inputs).terms,
      {'cxr': ('image', ('cxr', 'ct')), 'labs': ('ehr', ('labs',))},
    )

  def test_no_field_names_a_modality(self):
    for cls in (arm.Arm, arm.Input, arm.Modality):
      for field in dataclasses.fields(cls):
        self.assertNotIn('image', field.name)
        self.assertNotIn('ehr', field.name)

  @parameterized.parameters(
    (arm.EARLY, {'view': views.REDUCED}, 'I'),
    (arm.EARLY, {'of': 'extractor', 'view': views.FEATURES}, 'II'),
    (arm.JOINT, {'encoder': 'resnet'}, 'I'),
    (arm.JOINT, {'encoder': 'raw'}, 'II'),
    (arm.SINGLE, {'encoder': 'raw'}, ''),
    (arm.LATE, LOGITS, ''),
  )
  def test_the_types_of_the_review(self, strategy, given, expected):
    inputs = {'x': arm.Input('image', **given)}
    self.assertEqual(arm.review_type(strategy, inputs), expected)


if __name__ == '__main__':
  absltest.main()
