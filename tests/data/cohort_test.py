"""Tests of fusion_jax.data.cohort."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from tests import tiny


def _cohort(**changes):
  n = 4
  values = {
    'name': 'tiny',
    'task': types.Task(types.BINARY, ('label',)),
    'digest': 'd',
    'study': np.array(['a', 'b', 'c', 'd']),
    'patient': np.array(['p', 'p', 'q', 'r']),
    'labels': np.array([[0.0], [1], [0], [1]]),
    'images': np.zeros((n, 2, 3, 3, 1), np.uint8),
    'image_mask': np.array([[1, 1], [1, 0], [0, 0], [1, 0]], bool),
    'numeric': np.array([[1.0], [np.nan], [np.nan], [2]]),
    'numeric_names': ('age',),
    'categorical': np.array([['x'], [None], ['y'], [None]], object),
    'categorical_names': ('region',),
    'fold': np.array([0, 0, 1, 1]),
    'site': np.array(['s', 's', 't', 't']),
    'index_time': np.array([3.0, 4, 1, 2]),
    'groups': {'sex': np.array(['f', 'f', 'm', 'f'])},
    'oracle': {'both': np.arange(4.0)},
  }
  return tiny.pair(**{**values, **changes})


class CohortTest(parameterized.TestCase):
  def test_presence_is_any_image_and_any_observed_value(self):
    c = _cohort()
    self.assertEqual(list(c.modalities), ['image', 'ehr'])
    self.assertEqual(c.present['image'].tolist(), [True, True, False, True])
    self.assertEqual(c.present['ehr'].tolist(), [True, False, True, True])

  def test_modalities_are_those_with_columns(self):
    no_images = _cohort(images=None, image_mask=None)
    self.assertEqual(list(no_images.modalities), ['ehr'])
    no_ehr = _cohort(
      numeric=None, numeric_names=(), categorical=None, categorical_names=()
    )
    self.assertEqual(list(no_ehr.modalities), ['image'])
    self.assertEqual(list(no_ehr.present), ['image'])

  def test_subset_takes_every_array(self):
    rows = np.array([3, 0])
    part = _cohort().subset(rows)
    self.assertLen(part, 2)
    self.assertEqual(part.study.tolist(), ['d', 'a'])
    self.assertEqual(part.index_time.tolist(), [2, 3])
    self.assertEqual(part.groups['sex'].tolist(), ['f', 'f'])
    self.assertEqual(part.oracle['both'].tolist(), [3, 0])
    for field in dataclasses.fields(part):
      value = getattr(part, field.name)
      if isinstance(value, np.ndarray):
        self.assertLen(value, 2)
    mask = np.array([True, False, False, True])
    self.assertEqual(_cohort().subset(mask).study.tolist(), ['a', 'd'])

  @parameterized.parameters(
    ('labels', np.zeros(4), 'labels has shape (4,), expected (4, 1)'),
    ('fold', np.zeros(3, int), 'fold has shape (3,)'),
    ('index_time', np.zeros((4, 1)), 'index_time has shape (4, 1)'),
    ('groups', {'sex': np.zeros(2, str)}, 'sex has shape (2,)'),
    ('images', np.zeros((4, 3, 3, 1), np.uint8), 'images have shape'),
    ('images', np.zeros((4, 2, 3, 3, 1), float), 'images are float64'),
    ('study', np.array(['a', 'b', 'a', 'd']), "study 'a' appears more"),
  )
  def test_wrong_shapes_are_named(self, name, value, message):
    with self.assertRaises(errors.UserError) as caught:
      _cohort(**{name: value})
    self.assertIn(message, str(caught.exception))

  def test_every_part_of_the_content_is_hashed(self):
    base = _cohort(digest='')
    self.assertEqual(base.digest, _cohort(digest='').digest)
    zeros = np.zeros((4, 2, 3, 3, 1), np.uint8)
    ones, more = zeros + 1, np.array([[1.0], [np.nan], [np.nan], [3]])
    mask = np.array([[1, 1], [1, 1], [0, 0], [1, 0]], bool)
    for changes in (
      {'images': ones},
      {'images': zeros.astype(np.uint16)},
      {'image_mask': mask},
      {'orientation_free': True},
      {'numeric': more},
      {'numeric_names': ('Age',)},
      {'categorical': np.array([['x'], [None], ['y'], ['']], object)},
      {'unknown_codes': {'region': ('x',)}},
      {'labels': np.array([[0.0], [1], [1], [1]])},
      {'patient': np.array(['p', 'q', 'q', 'r'])},
      {'fold': None},
      {'groups': {}},
      {'weight': np.ones(4)},
      {'patient_note': 'none was kept'},
    ):
      other = _cohort(digest='', **changes)
      self.assertNotEqual(base.digest, other.digest, changes)
    # What it is called is no content.
    self.assertEqual(base.digest, _cohort(digest='', name='other').digest)

  def test_a_subset_copies_no_pixel(self):
    c = _cohort()
    part = c.subset(np.array([3, 0]))
    self.assertIs(
      part.modalities['image'].data.images, c.modalities['image'].data.images
    )

  def test_unlabelled_studies_are_of_a_patient_each(self):
    cohort = tiny.cohort(12)
    rows = np.array([3, 3, 7])
    shown = {m: x.take(rows) for m, x in cohort.modalities.items()}
    found = cohort.unlabelled(shown)
    self.assertLen(set(found.patient), 3)
    self.assertTrue(np.isnan(found.labels).all())
    self.assertEqual(found.labels.shape[1:], cohort.labels.shape[1:])
    np.testing.assert_array_equal(tiny.images(found), tiny.images(cohort)[rows])


if __name__ == '__main__':
  absltest.main()
