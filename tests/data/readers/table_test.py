"""Tests of how files of the kind 'table' are read."""

import numpy as np
from absl.testing import absltest

from tests.data.readers import folder


class ReaderTest(folder.TestCase):
  def test_images_tables_and_vectors(self):
    cohort = self.open("""
      [modalities.frontal]
      kind = "image"
      path = "f/{study}.png"
      [modalities.lateral]
      kind = "image"
      path = "l/{study}.png"
      missing = "absent"
      orientation = "free"
      [modalities.labs]
      kind = "table"
      numeric = ["crp"]
      [modalities.history]
      kind = "table"
      categorical = ["sex"]
      boolean = ["fever"]
      [modalities.note]
      kind = "vector"
      path = "notes.npz"
      missing = "absent"
    """)
    kinds = {name: x.kind for name, x in cohort.modalities.items()}
    self.assertEqual(
      kinds,
      {
        'frontal': 'image',
        'lateral': 'image',
        'labs': 'table',
        'history': 'table',
        'note': 'vector',
      },
    )
    self.assertTrue(cohort.present['frontal'].all())
    self.assertEqual(cohort.present['lateral'].sum(), 8)
    self.assertTrue(cohort.modalities['lateral'].data.orientation_free)
    self.assertFalse(cohort.modalities['frontal'].data.orientation_free)
    self.assertEqual(cohort.modalities['labs'].data.numeric_names, ('crp',))
    self.assertEqual(
      cohort.modalities['history'].data.categorical_names, ('sex', 'fever')
    )
    np.testing.assert_allclose(
      cohort.modalities['note'].data.values[1:], self.vectors, rtol=1e-6
    )
    self.assertEqual(cohort.present['note'].tolist(), [False] + [True] * 11)

  def test_any_of_them_is_enough(self):
    cohort = self.open(
      '[modalities.history]\nkind = "table"\ncategorical = ["sex"]\n'
    )
    self.assertEqual(list(cohort.modalities), ['history'])


if __name__ == '__main__':
  absltest.main()
