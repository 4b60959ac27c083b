"""Tests of what is known without knowing what it means."""

import dataclasses

import numpy as np
from absl.testing import absltest

from fusion_jax.data import facts
from tests import tiny


class FactsTest(absltest.TestCase):
  def test_missingness_is_zeros_and_ones(self):
    cohort = tiny.cohort(absent=True)
    found = facts.missingness(cohort).numeric
    np.testing.assert_array_equal(
      found['lab is missing'], np.isnan(tiny.numeric(cohort)[:, 0])
    )
    np.testing.assert_array_equal(
      found['no image'], ~tiny.image_mask(cohort).any(axis=1)
    )
    self.assertEqual(found['side is missing'].sum(), 20 - 1)

  def test_acquisition_sees_borders_and_counts_not_brightness(self):
    cohort = tiny.cohort(20, images=2)
    images = tiny.images(cohort).copy()
    images[3, :, :2] = 0
    images[3, :, :, -1] = 0
    mask = tiny.image_mask(cohort).copy()
    mask[5, 1] = mask[6] = False
    cohort = tiny.changed(cohort, images=images, image_mask=mask)
    found = facts.acquisition(cohort).numeric
    self.assertEqual(found['top border'][3], 2 / 8)
    self.assertEqual(found['right border'][3], 1 / 8)
    self.assertEqual(found['left border'][3], 0)
    self.assertEqual(found['images'][5], 1)
    self.assertTrue(np.isnan(found['images'][6]))
    self.assertNotIn('brightness', found)

  def test_brightness(self):
    cohort = tiny.cohort(20)
    found = facts.brightness(cohort).numeric
    means = tiny.images(cohort).mean(axis=(1, 2, 3, 4)) / 255
    np.testing.assert_allclose(found['brightness'], means, rtol=1e-5)
    absent = facts.brightness(tiny.cohort(20, absent=True)).numeric
    self.assertTrue(np.isnan(absent['brightness'][0]))
    self.assertNotIn('channel 0 mean', found)

  def test_channels_of_colour_images(self):
    cohort = tiny.cohort(12)
    images = np.repeat(tiny.images(cohort), 3, axis=-1).copy()
    images[..., 1] //= 2
    found = facts.brightness(tiny.changed(cohort, images=images)).numeric
    self.assertTrue(
      (found['channel 1 mean'] < 0.6 * found['channel 0 mean']).all()
    )

  def test_identifiers(self):
    cohort = tiny.cohort(12)
    names = [f'scan{"x" if i % 3 else ""}-{100 - i}' for i in range(12)]
    cohort = dataclasses.replace(cohort, study=np.array(names))
    found = facts.identifiers(cohort)
    np.testing.assert_array_equal(
      found.numeric['study number'], 100.0 - np.arange(12)
    )
    np.testing.assert_array_equal(
      found.numeric['study length'], [len(x) for x in names]
    )
    self.assertEqual(found.categorical['patient leading characters'][0], 'p00')
    order = np.argsort(found.numeric['study order'])
    self.assertEqual([names[i] for i in order], sorted(names))

  def test_patients_who_are_studies_are_named_once(self):
    cohort = tiny.cohort(12)
    cohort = dataclasses.replace(cohort, patient=cohort.study)
    self.assertNotIn('patient number', facts.identifiers(cohort).numeric)

  def test_varying_drops_constants_and_repeats(self):
    a = np.array([0.0, 1.0, np.nan])
    found = facts.Facts(
      {'a': a, 'same': a.copy(), 'flat': np.ones(3), 'b': a[::-1].copy()},
      {
        'one': np.array(['x'] * 3, object),
        'two': np.array(['x', 'y', 'x'], object),
      },
    ).varying()
    self.assertEqual(list(found.numeric), ['a', 'b'])
    self.assertEqual(list(found.categorical), ['two'])
    self.assertLen(found, 3)

  def test_groups_and_site(self):
    cohort = dataclasses.replace(
      tiny.cohort(4),
      groups={'sex': np.array(['f', 'm', 'f', 'm'])},
      site=np.array(['a', 'a', 'b', 'b']),
    )
    self.assertEqual(list(facts.subgroups(cohort).categorical), ['sex', 'site'])
    self.assertEmpty(facts.subgroups(tiny.cohort(4)).categorical)

  def test_a_cohort_without_images(self):
    cohort = tiny.changed(tiny.cohort(4), images=None, image_mask=None)
    self.assertEmpty(facts.acquisition(cohort))
    self.assertEmpty(facts.brightness(cohort))


if __name__ == '__main__':
  absltest.main()
