"""Tests of the search for nearly identical images."""

import pathlib
import stat

import numpy as np
from absl.testing import absltest, parameterized
from scipy import ndimage

from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import duplicates, splits
from tests import tiny

N = 60


def scenes(n=N, size=40, seed=0):
  """(n, 1, size, size, 1) uint8 smooth pictures that differ."""
  rng = np.random.default_rng(seed)
  x = ndimage.gaussian_filter(rng.normal(size=(n, size, size)), (0, 3, 3))
  x = 128 + 50 * x / x.std(axis=(1, 2), keepdims=True)
  return np.clip(x, 0, 255).astype(np.uint8)[:, None, :, :, None]


def cohort(images, *, patient=None, free=False) -> cohort_lib.Cohort:
  n = len(images)
  own = np.array([f'p{i:03d}' for i in range(n)])
  return tiny.pair(
    name='scenes',
    task=tiny.task_of('binary'),
    digest='scenes',
    study=np.array([f's{i:03d}' for i in range(n)]),
    patient=own if patient is None else patient,
    labels=np.zeros((n, 1)),
    images=images,
    orientation_free=free,
  )


def pairs(found):
  return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


class DuplicatesTest(parameterized.TestCase):
  def test_different_pictures_are_not_found(self):
    self.assertEmpty(pairs(duplicates.find(cohort(scenes()))))

  @parameterized.named_parameters(
    ('copied', lambda x, rng: x),
    (
      'noisy',
      lambda x, rng: np.clip(x + rng.normal(size=x.shape) * 4, 0, 255),
    ),
    ('darker', lambda x, rng: x * 0.7),
  )
  def test_near_copies_are_found(self, change):
    images = scenes()
    rng = np.random.default_rng(1)
    images[7] = change(images[40].astype(float), rng).astype(np.uint8)
    found = duplicates.find(cohort(images))
    self.assertEqual(pairs(found), [(7, 40)])
    self.assertGreater(found.correlation[0], 0.99)

  def test_copies_within_a_patient_are_not(self):
    images = scenes()
    images[7] = images[40]
    patient = np.array([f'p{i:03d}' for i in range(N)])
    patient[7] = patient[40]
    found = duplicates.find(cohort(images, patient=patient))
    self.assertEmpty(pairs(found))

  @parameterized.parameters(range(8))
  def test_turned_copies_where_orientation_is_free(self, variant):
    images = scenes()
    turned = images[40]
    if variant > 3:
      turned = turned[:, :, ::-1]
    images[7] = np.rot90(turned, variant % 4, axes=(1, 2))
    found = pairs(duplicates.find(cohort(images, free=True)))
    self.assertEqual(found, [(7, 40)])
    fixed = pairs(duplicates.find(cohort(images)))
    self.assertEqual(fixed, [(7, 40)] if variant == 0 else [])

  def test_blank_images_are_counted_not_compared(self):
    images = scenes()
    images[[3, 9, 12]] = 0
    images[4] = 77
    found = duplicates.find(cohort(images))
    self.assertEmpty(pairs(found))
    self.assertEqual(found.blank, 4)

  def test_much_blank_space_is_no_likeness(self):
    images = scenes()
    images[:, :, :10] = images[:, :, 30:] = 0
    images[:, :, :, :10] = images[:, :, :, 30:] = 0
    self.assertEmpty(pairs(duplicates.find(cohort(images))))

  def test_any_of_several_images_counts_once(self):
    images = scenes(2 * N).reshape(N, 2, 40, 40, 1).copy()
    images[7, 1] = images[40, 0]
    images[7, 0] = images[40, 1]
    self.assertEqual(pairs(duplicates.find(cohort(images))), [(7, 40)])

  def test_blocks_give_the_same(self):
    images = scenes()
    images[7] = images[40]
    images[8] = images[59]
    with absltest.mock.patch.object(duplicates, '_PAIRS', 3 * N):
      found = pairs(duplicates.find(cohort(images)))
    self.assertEqual(found, [(7, 40), (8, 59)])

  def test_only_pairs_across_the_split_count(self):
    images = scenes()
    images[1] = images[2]  # both in training
    images[3] = images[50]  # one in training, one in test
    images[51] = images[52]  # both in test
    images[45] = images[53]  # one in neither
    data = cohort(images)
    split = splits.Split(
      0, 0, np.arange(30), np.arange(30, 40), np.arange(50, 60)
    )
    found = duplicates.find(data)
    self.assertLen(found, 4)
    hit, across = found.tested(split, N)
    np.testing.assert_array_equal(np.flatnonzero(hit), [0])
    self.assertEqual(across.sum(), 1)
    path = pathlib.Path(self.create_tempdir().full_path) / 'pairs.csv'
    duplicates.write(found, data, [split], path)
    lines = path.read_text().splitlines()
    self.assertLen(lines, 2)
    self.assertStartsWith(lines[1], 's003,s050,')
    self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
    self.assertNotIn('p0', path.read_text())

  def test_hashes_do_not_depend_on_brightness(self):
    x = scenes()[:, 0, :32, :32, 0].astype(float)
    np.testing.assert_array_equal(
      duplicates.hashes(x), duplicates.hashes(0.5 * x + 9)
    )

  def test_no_images(self):
    data = tiny.changed(tiny.cohort(6), images=None, image_mask=None)
    self.assertEmpty(pairs(duplicates.find(data)))


if __name__ == '__main__':
  absltest.main()
