import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import vector_files

STUDY = np.array(['s1', 's2', 's3'])


class VectorFilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)

  def _one(self, missing='absent', **arrays):
    np.savez(self.root / 'v.npz', **arrays)
    return vector_files.read_one(self.root, 'v.npz', STUDY, missing=missing)

  def test_rows_are_found_by_study(self):
    values, notes = self._one(
      study=np.array(['s3', 'x', 's1']), vector=np.arange(6.0).reshape(3, 2)
    )
    np.testing.assert_array_equal(values, [[4, 5], [np.nan] * 2, [0, 1]])
    self.assertEqual(notes, ("'v.npz': 1 of 3 vectors are of other studies.",))

  def test_numbers_name_studies_too(self):
    np.savez(self.root / 'v.npz', study=np.array([7, 8]), vector=np.eye(2))
    study = np.array(['8', '7'])
    values, _ = vector_files.read_one(
      self.root, 'v.npz', study, missing='error'
    )
    np.testing.assert_array_equal(values, [[0, 1], [1, 0]])

  @parameterized.named_parameters(
    ('none', {}, "lacks the array 'study'"),
    ('no_vector', {'study': STUDY}, "lacks the array 'vector'"),
    (
      'objects',
      {'study': STUDY.astype(object), 'vector': np.eye(3)},
      'cannot be read: Object arrays',
    ),
    ('flat', {'study': STUDY, 'vector': np.ones(3)}, r'expected \(k, c\)'),
    ('short', {'study': STUDY, 'vector': np.eye(2)}, '3 studies and 2 vectors'),
    (
      'twice',
      {'study': np.array(['s1', 's1']), 'vector': np.eye(2)},
      "'s1' has two vectors",
    ),
    ('float_ids', {'study': np.ones(2), 'vector': np.eye(2)}, 'whole numbers'),
    (
      'lacking',
      {'study': np.array(['s1']), 'vector': np.eye(1)},
      "no vector of 2 of 3 studies .'s2', 's3'.",
    ),
  )
  def test_what_is_wrong_is_one_line(self, arrays, message):
    with self.assertRaisesRegex(errors.UserError, message):
      self._one('error', **arrays)

  def test_one_file_a_study(self):
    np.save(self.root / 'a.npy', np.arange(3.0))
    np.save(self.root / 'b.npy', np.ones((1, 3)))
    paths = [['a.npy'], [], ['b.npy']]
    values = vector_files.read_each(self.root, paths, STUDY)
    np.testing.assert_array_equal(values[0], [0, 1, 2])
    self.assertTrue(np.isnan(values[1]).all())
    np.save(self.root / 'b.npy', np.ones(4))
    with self.assertRaisesRegex(errors.UserError, "'b.npy' has 4 numbers"):
      vector_files.read_each(self.root, paths, STUDY)
    with self.assertRaisesRegex(errors.UserError, "'s1' has 2 vectors"):
      vector_files.read_each(self.root, [['a.npy', 'b.npy'], [], []], STUDY)

  def test_files_that_are_not_there_or_elsewhere(self):
    for name, message in (
      ('none.npy', "No such file of vectors: 'none.npy'"),
      ('../x.npy', 'leads out of the data folder'),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        vector_files.read_each(self.root, [[name]], STUDY[:1])
    (self.root / 'text.npy').write_text('no array')
    with self.assertRaisesRegex(errors.UserError, "'text.npy' cannot be read"):
      vector_files.read_each(self.root, [['text.npy']], STUDY[:1])


if __name__ == '__main__':
  absltest.main()
