"""Tests of fusion_jax.data.tfds_export."""

import os
import pathlib
import sys
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.data import tfds_export
from tests import tiny

try:
  import tensorflow_datasets as tfds
except ImportError:
  tfds = None


def _cohort(dtype=np.uint8, **changes):
  n = 7
  rng = np.random.default_rng(0)
  top = np.iinfo(dtype).max
  values = {
    'name': 'My cohort-2',
    'task': types.Task(types.BINARY, ('label',)),
    'digest': 'abc',
    'study': np.array([f's{i}é' for i in range(n)]),
    'patient': np.array([f'p{i // 2}' for i in range(n)]),
    'labels': np.where(np.arange(n) % 3 == 0, np.nan, 1.0)[:, None],
    'images': rng.integers(0, top, (n, 2, 4, 4, 3), dtype=dtype),
    'image_mask': np.arange(2) < (np.arange(n) % 3)[:, None],
    'numeric': np.array([[i, np.nan] for i in range(n)], float),
    'numeric_names': ('age', 'x/y'),
    'categorical': np.array([['a', None]] * n, object),
    'categorical_names': ('c', 'd'),
    'fold': np.arange(n) % 2,
    'site': np.array(['s'] * n),
    'weight': np.arange(n) + 0.5,
    'groups': {'sex': np.array(['f'] * n)},
    'citation': 'C',
    'licence': 'L',
  }
  return tiny.pair(**{**values, **changes})


class ExportTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.out = pathlib.Path(self.create_tempdir().full_path)

  def _need_tfds(self):
    if tfds is None:
      self.skipTest('tensorflow-datasets is not installed')

  @parameterized.parameters(np.uint8, np.uint16)
  def test_what_is_read_back_equals_the_cohort(self, dtype):
    self._need_tfds()
    c = _cohort(dtype)
    folder = tfds_export.export(c, self.out)
    self.assertEqual(os.listdir(self.out), ['my_cohort_2'])
    builder = tfds.builder_from_directory(str(folder))
    self.assertEqual(builder.info.metadata['numeric_names'], ['age', 'x/y'])
    self.assertEqual(builder.info.metadata['digest'], 'abc')
    self.assertEqual(builder.info.citation, 'C')
    source = builder.as_data_source(split='studies')
    self.assertLen(source, len(c))
    for row, study in enumerate(source):
      self.assertEqual(study['study'].decode(), c.study[row])
      self.assertEqual(study['patient'].decode(), c.patient[row])
      self.assertEqual(study['images'].dtype, dtype)
      for key in ('images', 'labels', 'numeric', 'image_mask'):
        np.testing.assert_array_equal(study[key], getattr(c, key)[row])
      self.assertEqual(study['categorical_observed'].tolist(), [1, 0])
      self.assertEqual(list(study['categorical']), [b'a', b''])
      self.assertEqual(study['fold'], c.fold[row])
      self.assertEqual(study['weight'], c.weight[row])
      self.assertEqual(study['group_sex'], b'f')

  def test_what_a_cohort_lacks_is_left_out(self):
    self._need_tfds()
    c = _cohort(images=None, image_mask=None, fold=None, site=None, groups={})
    folder = tfds_export.export(c, self.out)
    builder = tfds.builder_from_directory(str(folder))
    study = builder.as_data_source(split='studies')[0]
    self.assertNotIn('images', study)
    self.assertNotIn('fold', study)

  def test_nothing_is_overwritten(self):
    self._need_tfds()
    tfds_export.export(_cohort(), self.out)
    with self.assertRaisesRegex(errors.UserError, 'exists'):
      tfds_export.export(_cohort(), self.out)

  def test_a_place_that_cannot_be_written(self):
    self._need_tfds()
    (self.out / 'file').write_text('')
    with self.assertRaisesRegex(errors.UserError, 'Cannot write'):
      tfds_export.export(_cohort(), self.out / 'file')

  def test_without_the_package_it_says_what_to_install(self):
    with mock.patch.dict(sys.modules, {'tensorflow_datasets': None}):
      with self.assertRaisesRegex(
        errors.MissingPackageError, 'pip install tensorflow-datasets$'
      ):
        tfds_export.export(_cohort(), self.out)


if __name__ == '__main__':
  absltest.main()
