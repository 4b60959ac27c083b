"""Tests of withholding a modality."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import synthetic, withhold
from tests import tiny


class WithholdTest(parameterized.TestCase):
  @parameterized.product(modality=('image', 'ehr'), share=(0.0, 0.25, 0.5))
  def test_the_share_loses_it_and_nothing_else(self, modality, share):
    before = tiny.cohort()
    after = withhold.withhold(before, modality, share)
    other = {'image': 'ehr', 'ehr': 'image'}[modality]
    self.assertEqual(
      (before.present[modality] & ~after.present[modality]).sum(),
      round(share * len(before)),
    )
    np.testing.assert_array_equal(before.present[other], after.present[other])
    np.testing.assert_array_equal(before.labels, after.labels)
    kept = after.present[modality]
    np.testing.assert_array_equal(
      tiny.images(before)[kept], tiny.images(after)[kept]
    )
    np.testing.assert_array_equal(
      tiny.numeric(before)[kept], tiny.numeric(after)[kept]
    )
    self.assertEqual(tiny.images(before).dtype, tiny.images(after).dtype)

  def test_higher_shares_add_studies(self):
    cohort = tiny.cohort()
    low, high = (
      withhold.withhold(cohort, 'image', x).present['image'] for x in (0.2, 0.6)
    )
    self.assertTrue((low | ~high).all())

  def test_follows_ids_not_rows(self):
    cohort = tiny.cohort()
    order = np.random.default_rng(0).permutation(len(cohort))
    one = withhold.withhold(cohort, 'image', 0.3).present['image'][order]
    two = withhold.withhold(cohort.subset(order), 'image', 0.3)
    np.testing.assert_array_equal(one, two.present['image'])

  def test_the_last_modality_of_a_study_stays(self):
    cohort = tiny.cohort(absent=True)
    after = withhold.withhold(cohort, 'image', 0.9)
    self.assertTrue(np.all(after.present['image'] | after.present['ehr']))

  def test_digest_tells_cohorts_apart(self):
    cohort = tiny.cohort()
    digests = {
      withhold.withhold(cohort, m, x, seed=s).digest
      for m in cohort.modalities
      for x in (0.25, 0.5)
      for s in (0, 1)
    }
    self.assertLen(digests | {cohort.digest}, 9)


class InformativeTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.cohort = synthetic.make('complementary', n=2000, size=16)

  def _lost(self, cohort, share=0.5, modality='image', **options):
    after = withhold.withhold(
      cohort, modality, share, mechanism=withhold.INFORMATIVE, **options
    )
    return ~after.present[modality]

  def test_those_lose_it_whom_the_other_side_puts_at_risk(self):
    for modality, other in (('image', 'ehr'), ('ehr', 'image')):
      lost = self._lost(self.cohort, modality=modality)
      self.assertEqual(lost.sum(), 1000)
      risk = self.cohort.oracle[other]
      risk = (risk - risk.mean()) / risk.std()
      # Of equal parts of risk and noise it is half the variance.
      self.assertGreater(risk[lost].mean() - risk[~lost].mean(), 0.9)
      self.assertLess(np.corrcoef(risk, lost)[0, 1], 0.75)

  def test_given_the_risk_it_says_nothing_of_the_label(self):
    lost = self._lost(self.cohort)
    label, risk = self.cohort.labels[:, 0], self.cohort.oracle['ehr']
    design = np.stack([np.ones(len(risk)), risk], 1)
    left = lost - design @ np.linalg.lstsq(design, lost, rcond=None)[0]
    rest = label - design @ np.linalg.lstsq(design, label, rcond=None)[0]
    self.assertLess(abs(np.corrcoef(left, rest)[0, 1]), 0.06)

  def test_higher_shares_add_studies(self):
    low, high = (self._lost(self.cohort, x) for x in (0.2, 0.6))
    self.assertTrue((high | ~low).all())

  def test_follows_ids_not_rows(self):
    order = np.random.default_rng(0).permutation(2000)
    np.testing.assert_array_equal(
      self._lost(self.cohort)[order], self._lost(self.cohort.subset(order))
    )

  def test_cohorts_differ_by_mechanism(self):
    digests = {
      withhold.withhold(self.cohort, 'image', 0.5, mechanism=m).digest
      for m in withhold.MECHANISMS
    }
    self.assertLen(digests, 2)

  def test_a_cohort_without_best_scores_is_one_line(self):
    with self.assertRaisesRegex(errors.UserError, "tiny.*use 'random'.$"):
      self._lost(tiny.cohort())


class ParseTest(parameterized.TestCase):
  def test_modality_and_share(self):
    self.assertEqual(withhold.parse('ehr:0.25'), ('ehr', 0.25, 'random'))

  def test_a_mechanism(self):
    self.assertEqual(
      withhold.parse('ehr:0.25:informative'), ('ehr', 0.25, 'informative')
    )

  @parameterized.parameters(
    'image', 'image:', 'image:2', 'image:1', 'image:0.5:chance'
  )
  def test_anything_else_is_one_line(self, text):
    with self.assertRaises(errors.UserError) as caught:
      withhold.parse(text)
    self.assertNotIn('\n', str(caught.exception))


if __name__ == '__main__':
  absltest.main()
