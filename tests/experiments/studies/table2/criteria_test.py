"""Tests of experiments.studies.table2.criteria."""

import math

from absl.testing import absltest, parameterized

from experiments.studies.table2 import criteria

NAN = math.nan


class CriteriaTest(parameterized.TestCase):
  @parameterized.parameters(
    (-0.04, 0.01, 'yes'),
    (-0.2, -0.06, 'no'),
    (-0.06, 0.0, 'unclear'),
    (NAN, NAN, 'unclear'),
  )
  def test_missing(self, low, high, expected):
    self.assertEqual(criteria.predicts_without(low, high), expected)

  @parameterized.parameters(
    (0.3, 0.9, 'yes'), (-0.1, 0.2, 'no'), (0.2, 0.3, 'unclear')
  )
  def test_interactions(self, low, high, expected):
    self.assertEqual(criteria.interacts(low, high), expected)

  @parameterized.parameters(
    (0.03, 0.1, 'yes'),
    (0.005, 0.015, 'no'),
    (-0.1, -0.05, 'no'),
    (-0.01, 0.05, 'unclear'),
    (NAN, NAN, 'unclear'),
  )
  def test_features(self, low, high, expected):
    self.assertEqual(criteria.more_compatible(low, high), expected)

  @parameterized.parameters((0.0, 'no'), (1e-7, 'no'), (0.01, 'yes'))
  def test_features_that_move(self, change, expected):
    self.assertEqual(criteria.depends(change), expected)

  @parameterized.parameters(
    (0.02, 0.01, 0.03, 'yes'),
    (0.02, -0.03, -0.01, 'no'),
    (0.02, -0.01, 0.01, 'unclear'),
    # Without a gain there is nothing to lose.
    (-0.01, 0.01, 0.03, 'unclear'),
    (NAN, 0.01, 0.03, 'unclear'),
  )
  def test_data(self, all_low, low, high, expected):
    self.assertEqual(
      criteria.needs_little_data(all_low=all_low, kept_low=low, kept_high=high),
      expected,
    )

  @parameterized.parameters((1, 'yes'), (2, 'no'))
  def test_models(self, count, expected):
    self.assertEqual(criteria.needs_one_model(count), expected)

  @parameterized.parameters(
    (-0.01, 0.019, 'yes'),
    (0.021, 0.05, 'no'),
    (0.01, 0.03, 'unclear'),
    (NAN, NAN, 'unclear'),
  )
  def test_design(self, low, high, expected):
    self.assertEqual(criteria.needs_no_design(low, high), expected)

  def test_fact(self):
    self.assertEqual(criteria.holds(True), 'yes')
    self.assertEqual(criteria.holds(False), 'no')


if __name__ == '__main__':
  absltest.main()
