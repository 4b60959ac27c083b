"""Tests of how files of the kind 'vector' are read."""

from absl.testing import absltest

from fusion_jax.core import errors
from tests.data.readers import folder


class ReaderTest(folder.TestCase):
  def test_a_vector_that_must_be_there(self):
    with self.assertRaisesRegex(errors.UserError, 'no vector of 1 of 12'):
      self.open('[modalities.note]\nkind = "vector"\npath = "notes.npz"\n')


if __name__ == '__main__':
  absltest.main()
