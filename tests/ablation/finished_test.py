"""Tests of what is made of a finished run."""

import numpy as np
from absl.testing import absltest

from fusion_jax.ablation import finished
from fusion_jax.core import types
from tests import tiny


class TableTest(absltest.TestCase):
  def test_rows_of_a_condition(self):
    cohort = tiny.cohort(absent=True)
    rows, logits = np.array([4, 5, 6]), np.array([[-1.0], [0.0], [1.0]])
    found = finished.table(
      cohort, 'joint', (1, 2, 3), 'image_absent', rows, logits
    )
    self.assertEqual(set(found.condition), {'image_absent'})
    self.assertEqual(set(found.part), {'test'})
    self.assertEqual((found.repeat[0], found.fold[0], found.seed[0]), (1, 2, 3))
    np.testing.assert_array_equal(found.study_id, cohort.study[rows])
    np.testing.assert_allclose(found.scores[1], 0.5)
    # What the study has, not what the model was shown.
    np.testing.assert_array_equal(
      found.available[types.IMAGE], cohort.present[types.IMAGE][rows]
    )


if __name__ == '__main__':
  absltest.main()
