"""Tests of the families of arms, for today's cohorts and for richer ones."""

from absl.testing import absltest, parameterized

from fusion_jax.ablation import arm, families, roster, views
from fusion_jax.core import errors

IMAGING, RECORD = arm.SIDES
CXR = arm.Modality('cxr', 'image', IMAGING)
PHOTO = arm.Modality('photo', 'image', IMAGING)
LABS = arm.Modality('labs', 'table', RECORD)
NURSE = arm.Modality('nurse', 'table', RECORD)


class ReviewTest(parameterized.TestCase):
  def test_every_arm_has_one_line(self):
    for x in families.review(families.USUAL).values():
      self.assertNotIn('\n', x.summary)
      self.assertBetween(len(x.summary), 10, 70)

  def test_the_types_are_those_of_the_review(self):
    types = {n: x.type for n, x in families.review(families.USUAL).items()}
    self.assertEqual(types['early_raw'], 'I')
    self.assertEqual(types['early_features'], 'II')
    self.assertEqual(types['joint'], 'I')
    self.assertEqual(types['joint_raw_ehr'], 'II')
    self.assertEqual(types['late_mean'], '')

  def test_names_of_modalities_do_not_name_arms(self):
    usual = families.review(families.USUAL)
    found = families.review([CXR, LABS])
    self.assertEqual(list(found), list(usual))
    self.assertEqual(found['joint'].modalities, ('cxr', 'labs'))
    self.assertEqual(found['image'].modalities, ('cxr',))
    roster.check(found)

  def test_several_on_a_side(self):
    found = families.review([CXR, PHOTO, LABS, NURSE])
    roster.check(found)
    with self.subTest('the side sees all, and each has an arm of its own'):
      self.assertEqual(found['image'].modalities, ('cxr', 'photo'))
      self.assertEqual(found['ehr_trees'].modalities, ('labs', 'nurse'))
      for name, only in (
        ('image_cxr', 'cxr'),
        ('image_photo', 'photo'),
        ('ehr_labs', 'labs'),
        ('ehr_nurse', 'nurse'),
      ):
        self.assertEqual(found[name].modalities, (only,))
        self.assertEqual(found[name].strategy, arm.SINGLE)
    with self.subTest('what is on a side may interact in its own arm'):
      self.assertTrue(roster.claims(found['image']).interactions)
    with self.subTest('fusion sees all'):
      for name, x in found.items():
        if x.strategy in (arm.EARLY, arm.JOINT, arm.LATE):
          self.assertLen(x.modalities, 4, name)
    with self.subTest('late rules join the two sides'):
      self.assertEqual(
        found['late_stack'].terms,
        {
          'cxr': ('image', ('cxr', 'photo')),
          'labs': ('ehr', ('labs', 'nurse')),
        },
      )
    with self.subTest('each encoder is trained for itself'):
      self.assertEqual(
        found['early_trees'].upstream, ('extractor_cxr', 'extractor_photo')
      )
      self.assertEqual(found['extractor_cxr'].modalities, ('cxr',))

  def test_arms_on_published_weights(self):
    usual = families.pretrained(families.USUAL)
    roster.check(usual)
    listed = [x for x in roster.listed(usual)]
    self.assertCountEqual(
      listed,
      [
        *('image_pretrained', 'early_pretrained', 'late_pretrained'),
        *(f'{x}_pretrained_trees' for x in ('image', 'early', 'late')),
        *('ehr_linear', 'ehr_trees'),
      ],
    )
    early = usual['early_pretrained']
    self.assertEqual(early.type, 'II')
    self.assertEqual(early.upstream, ('pretrained',))
    self.assertEqual(early.train, {'l1_ratio': 0.0})
    self.assertEqual(usual['early_pretrained_trees'].train, {})
    self.assertEqual(
      usual['late_pretrained_trees'].upstream,
      ('image_pretrained_trees', 'ehr_trees'),
    )
    review = families.review(families.USUAL)
    self.assertEqual(review['ehr_linear'], usual['ehr_linear'])
    self.assertEqual(review['pretrained'], usual['pretrained'])
    with self.subTest('each image has an encoder, a volume has none'):
      scan = arm.Modality('scan', 'volume', IMAGING)
      found = families.pretrained([CXR, PHOTO, scan, LABS])
      roster.check(found)
      image = found['image_pretrained']
      self.assertEqual(image.upstream, ('pretrained_cxr', 'pretrained_photo'))
      self.assertEqual(image.inputs['scan'].view, views.REDUCED)
    with self.subTest('one side alone'):
      self.assertEqual(families.pretrained([LABS]), {})
      self.assertEqual(
        list(families.pretrained([CXR])),
        ['image_pretrained', 'image_pretrained_trees', 'pretrained'],
      )

  def test_one_side_only(self):
    found = families.review([LABS, NURSE])
    self.assertEqual(
      list(found),
      ['ehr', 'ehr_linear', 'ehr_trees', 'ehr_labs', 'ehr_nurse'],
    )
    roster.check(found)
    self.assertEqual(families.review([]), {})

  def test_a_vector_is_joined_as_it_is(self):
    note = arm.Modality('note', 'vector', RECORD)
    found = families.review([CXR, note])
    self.assertEqual(found['joint'].inputs['note'].encoder, 'mlp')
    self.assertEqual(found['early_pca'].inputs['note'].view, views.RAW)
    embedded = arm.Modality('embedding', 'vector', IMAGING)
    found = families.review([embedded, LABS])
    self.assertNotIn('extractor', found)
    self.assertEqual(found['early_trees'].upstream, ())

  @parameterized.parameters(
    ([arm.Modality('x', 'imag', IMAGING)], "Did you mean 'image'"),
    ([arm.Modality('x', 'image', 'records')], "Did you mean 'record'"),
    ([arm.Modality('image', 'image', IMAGING), CXR], 'it is not all of that'),
    ([arm.Modality('ehr', 'vector', IMAGING)], "of the side 'record'"),
    (
      [arm.Modality('linear', 'image', IMAGING), CXR],
      "would be called 'image_linear'",
    ),
  )
  def test_what_is_refused(self, modalities, message):
    with self.assertRaisesRegex(errors.UserError, message):
      families.review(modalities)

  def test_unknown_family(self):
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'review'"):
      families.make(['reviews'], families.USUAL)
    self.assertEqual(
      families.make(['review'], families.USUAL),
      families.review(families.USUAL),
    )


if __name__ == '__main__':
  absltest.main()
