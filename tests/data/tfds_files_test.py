"""Tests of fusion_jax.data.tfds_files."""

import dataclasses
import os
import pathlib
import sys
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.data import config as config_lib
from fusion_jax.data import reader, synthetic, tfds_files
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

  @parameterized.parameters(np.uint8, np.uint16, np.int16)
  def test_what_is_read_back_equals_the_cohort(self, dtype):
    self._need_tfds()
    c = _cohort(dtype)
    folder = tfds_files.export(c, self.out)
    self.assertEqual(os.listdir(self.out), ['my_cohort_2'])
    builder = tfds.builder_from_directory(str(folder))
    self.assertEqual(builder.info.citation, 'C')
    source = builder.as_data_source(split='studies')
    self.assertLen(source, len(c))
    for row, study in enumerate(source):
      self.assertEqual(study['study'].decode(), c.study[row])
      self.assertEqual(study['image']['images'].dtype, dtype)
      self.assertEqual(study['fold'], c.fold[row])
      self.assertEqual(study['group_sex'], b'f')
    again = tfds_files.load(folder)
    self.assertEqual(again.digest, c.digest)
    self._assert_same(again, c)

  def _assert_same(self, again, c):
    # With an empty digest the content is hashed anew.
    a, b = (dataclasses.replace(x, digest='') for x in (again, c))
    self.assertEqual(a.digest, b.digest)
    self.assertEqual(list(again.modalities), list(c.modalities))
    for name, x in c.modalities.items():
      y = again.modalities[name]
      self.assertEqual((x.kind, x.side), (y.kind, y.side))
      np.testing.assert_array_equal(x.present, y.present)
    self.assertEqual((again.notes, again.licence), (c.notes, c.licence))

  def test_every_kind_is_read_back(self):
    self._need_tfds()
    c = synthetic.make_five(n=30, size=16, seed=0)
    c = dataclasses.replace(c, oracle={})
    folder = tfds_files.export(c, self.out)
    self._assert_same(tfds_files.load(folder), c)
    config = config_lib.CohortConfig(name=f'tfds:{folder}')
    self.assertEqual(reader.open_cohort(config).digest, c.digest)
    with self.assertRaisesRegex(errors.UserError, 'means nothing for a data'):
      reader.open_cohort(dataclasses.replace(config, image_size=8))

  def test_what_a_cohort_lacks_is_left_out(self):
    self._need_tfds()
    c = _cohort(images=None, image_mask=None, fold=None, site=None, groups={})
    folder = tfds_files.export(c, self.out)
    study = tfds.builder_from_directory(str(folder)).as_data_source(
      split='studies'
    )[0]
    self.assertNotIn('image', study)
    self.assertNotIn('fold', study)
    self._assert_same(tfds_files.load(folder), c)

  def test_a_table_without_names_or_numbers(self):
    self._need_tfds()
    c = _cohort(categorical=None, categorical_names=())
    self._assert_same(tfds_files.load(tfds_files.export(c, self.out)), c)

  def test_what_is_no_data_set_is_one_line(self):
    self._need_tfds()
    with self.assertRaisesRegex(errors.UserError, 'holds no TFDS data set'):
      tfds_files.load(self.out)
    (self.out / 'dataset_info.json').write_text('{}')
    with self.assertRaisesRegex(errors.UserError, 'is no data set that'):
      tfds_files.load(self.out)

  def test_nothing_is_overwritten(self):
    self._need_tfds()
    tfds_files.export(_cohort(), self.out)
    with self.assertRaisesRegex(errors.UserError, 'exists'):
      tfds_files.export(_cohort(), self.out)

  def test_a_place_that_cannot_be_written(self):
    self._need_tfds()
    (self.out / 'file').write_text('')
    with self.assertRaisesRegex(errors.UserError, 'Cannot write'):
      tfds_files.export(_cohort(), self.out / 'file')

  def test_without_the_package_it_says_what_to_install(self):
    with mock.patch.dict(sys.modules, {'tensorflow_datasets': None}):
      with self.assertRaisesRegex(
        errors.MissingPackageError, 'pip install tensorflow-datasets$'
      ):
        tfds_files.export(_cohort(), self.out)


if __name__ == '__main__':
  absltest.main()
