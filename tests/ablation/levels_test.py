"""Tests of fusion_jax.ablation.levels."""

import numpy as np
from absl.testing import absltest

from fusion_jax.ablation import levels
from fusion_jax.data import preprocess
from tests import tiny


def spelt(*cells, n=24):
  cohort = tiny.cohort(n)
  column = np.array([cells[i % len(cells)] for i in range(n)], object)
  return tiny.changed(cohort, categorical=column[:, None])


def fits(cohort):
  fit = preprocess.Preprocessor().fit
  return [fit(cohort, np.arange(len(cohort)))]


class LevelsTest(absltest.TestCase):
  def test_known_levels_say_nothing(self):
    known = fits(spelt('1', '2', '3'))
    self.assertEqual(levels.warnings(spelt('1', '2', None), known), [])
    self.assertEqual(levels.warnings(spelt('1', '2', '2', 'x'), known), [])
    self.assertEqual(levels.warnings(spelt(None), known), [])

  def test_most_cells_are_unknown(self):
    (name,) = ('side',)
    (line,) = levels.warnings(
      spelt('a', 'b', 'c', 'd', '1', None), fits(spelt('1', '2', '3', '4'))
    )
    self.assertStartsWith(
      line,
      f"Column '{name}': 16 of 20 cells with a value (80%) are levels that "
      "the models do not know: 'a', 'b', 'c' and 1 more. They know '1', '2', "
      "'3' and 1 more. ",
    )

  def test_the_training_part_that_knows_least(self):
    known = fits(spelt('1', '2')) + fits(spelt('3', '4'))
    (line,) = levels.warnings(spelt('1', '2'), known)
    self.assertIn('24 of 24 cells with a value (100%)', line)

  def test_cells_taken_for_a_level_of_their_number(self):
    (line,) = levels.warnings(spelt('1.0', '2.0'), fits(spelt('1', '2')))
    self.assertEndsWith(line, "in another way: '1.0' for '1', '2.0' for '2'.")


if __name__ == '__main__':
  absltest.main()
