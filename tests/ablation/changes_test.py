"""Tests of cohorts with one modality changed."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import changes
from fusion_jax.data import config as data_config
from fusion_jax.data import splits as splits_lib
from tests import tiny


def splits_of(cohort, **options):
  return splits_lib.make_splits(
    cohort, data_config.SplitConfig(folds=2, **options)
  )


def assert_same(test, one, two, names):
  for name in names:
    with test.subTest(name):
      np.testing.assert_array_equal(
        tiny.field(one, name), tiny.field(two, name)
      )


IMAGE, EHR = ('images', 'image_mask'), ('numeric', 'categorical')


class DerangementTest(parameterized.TestCase):
  @parameterized.parameters(0, 1, 2, 3, 4)
  def test_no_patient_is_given_its_own(self, seed):
    rng = np.random.default_rng(seed)
    patient = rng.choice([f'p{i}' for i in range(9)], 40)
    donors = changes.derangement(patient, rng)
    self.assertFalse((patient[donors] == patient).any())
    np.testing.assert_array_equal(np.sort(donors), np.arange(40))

  def test_two_patients_swap(self):
    patient = np.array(list('abab'))
    donors = changes.derangement(patient, np.random.default_rng(0))
    np.testing.assert_array_equal(patient[donors], list('baba'))

  @parameterized.parameters('', 'a', 'aab')
  def test_where_there_is_none(self, patients):
    patient = np.array(list(patients), str)
    self.assertIsNone(changes.derangement(patient, np.random.default_rng(0)))

  def test_every_other_study_is_a_donor_at_times(self):
    patient = np.arange(6).astype(str)
    rng = np.random.default_rng(0)
    drawn = [changes.derangement(patient, rng)[0] for _ in range(200)]
    self.assertEqual(set(drawn), {1, 2, 3, 4, 5})


class ChangeTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.cohort = tiny.cohort(absent=True)
    self.splits = splits_of(self.cohort)

  def _change(self, condition, splits=None, seed=0):
    return changes.change(
      self.cohort, condition, splits or self.splits, seed=seed
    )

  @parameterized.parameters(
    ('image', IMAGE, EHR),
    ('ehr', EHR, IMAGE),
  )
  def test_permuted(self, modality, moved, kept):
    found, done = self._change(f'{modality}_permuted')
    self.assertLen(done, 2)
    assert_same(self, found, self.cohort, (*kept, 'labels', 'patient'))
    for split in self.splits:
      for name in moved:
        before, after = (
          sorted(map(repr, tiny.field(x, name)[split.test].tolist()))
          for x in (self.cohort, found)
        )
        self.assertEqual(before, after, name)
    # Presence travels: it moves exactly as the values do.
    self.assertTrue(
      (found.present[modality] != self.cohort.present[modality]).any()
    )
    absent = ~found.present['image']
    self.assertFalse(tiny.images(found)[absent].any())

  @parameterized.parameters('image_permuted', 'image_noise', 'ehr_noise')
  def test_only_test_rows_change_and_the_seed_decides(self, condition):
    first = self.splits[:1]
    found, _ = self._change(condition, first)
    others = np.setdiff1d(np.arange(len(self.cohort)), first[0].test)
    changed, kind = condition.split('_')
    for modality, names in (('image', IMAGE), ('ehr', EHR)):
      if modality == changed and kind == changes.NOISE:
        # What other studies had is not drawn, so they have nothing.
        self.assertFalse(found.present[modality][others].any())
        continue
      for name in names:
        np.testing.assert_array_equal(
          tiny.field(found, name)[others],
          tiny.field(self.cohort, name)[others],
        )
    again, _ = self._change(condition, first)
    assert_same(self, found, again, (*IMAGE, *EHR))
    other, _ = self._change(condition, first, seed=1)
    name = 'images' if 'image' in condition else 'numeric'
    self.assertFalse(
      np.array_equal(
        tiny.field(found, name), tiny.field(other, name), equal_nan=True
      )
    )

  def test_a_fold_does_not_depend_on_the_others(self):
    both, _ = self._change('ehr_noise')
    one, _ = self._change('ehr_noise', self.splits[1:])
    rows = self.splits[1].test
    np.testing.assert_array_equal(
      tiny.numeric(both)[rows], tiny.numeric(one)[rows]
    )

  def test_noise_images_look_like_training_pixels(self):
    split = self.splits[0]
    found, _ = self._change('image_noise', [split])
    here = self.cohort.present['image']
    train = tiny.images(self.cohort)[split.train[here[split.train]]]
    noise = tiny.images(found)[split.test[here[split.test]]]
    self.assertAlmostEqual(noise.mean(), train.mean(), delta=3)
    self.assertAlmostEqual(noise.std(), train.std(), delta=3)
    np.testing.assert_array_equal(
      tiny.image_mask(found)[split.test],
      tiny.image_mask(self.cohort)[split.test],
    )
    assert_same(self, found, self.cohort, EHR)

  def test_noise_columns_come_from_training_rows_each_on_its_own(self):
    split = self.splits[0]
    found, _ = self._change('ehr_noise', [split])
    rows = split.test[self.cohort.present['ehr'][split.test]]
    train = tiny.numeric(self.cohort)[split.train]
    drawn = tiny.numeric(found)[rows]
    self.assertTrue(np.isin(drawn[np.isfinite(drawn)], train).all())
    together = {tuple(x) for x in train.tolist()}
    whole = [tuple(x) in together for x in drawn.tolist()]
    self.assertLess(np.mean(whole), 0.5)
    absent = split.test[~self.cohort.present['ehr'][split.test]]
    self.assertFalse(found.present['ehr'][absent].any())

  def test_absent(self):
    for modality, kept in (('image', EHR), ('ehr', IMAGE)):
      found, _ = self._change(f'{modality}_absent')
      tested = np.concatenate([s.test for s in self.splits])
      self.assertFalse(found.present[modality][tested].any())
      assert_same(self, found, self.cohort, kept)

  def test_a_part_of_one_patient_cannot_be_permuted(self):
    first, second = self.splits
    patient = self.cohort.patient.copy()
    patient[first.test] = 'one'
    self.cohort = dataclasses.replace(self.cohort, patient=patient)
    found, done = self._change('image_permuted')
    self.assertEqual([s.fold for s in done], [second.fold])
    np.testing.assert_array_equal(
      tiny.images(found)[first.test], tiny.images(self.cohort)[first.test]
    )

  def test_repeats_do_not_share_a_cohort(self):
    splits = splits_of(self.cohort, repeats=2)
    groups = changes.together(splits)
    self.assertEqual([[s.repeat for s in g] for g in groups], [[0, 0], [1, 1]])

  @parameterized.parameters('permuted', 'absent')
  def test_no_pixel_is_copied(self, kind):
    found, _ = self._change(f'image_{kind}')
    self.assertIs(
      found.modalities['image'].data, self.cohort.modalities['image'].data
    )


if __name__ == '__main__':
  absltest.main()
