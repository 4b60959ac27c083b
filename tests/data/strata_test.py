import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.data import strata
from tests.data import splits_test


class StratumTest(absltest.TestCase):
  def test_multilabel_is_the_rarest_that_a_study_has(self):
    labels = [[1, 0], [1, 1], [1, np.nan], [0, 0], [np.nan, np.nan]]
    cohort = splits_test.bare(
      [*range(5)], labels, kind=types.MULTILABEL, names=('a', 'b')
    )
    np.testing.assert_array_equal(strata.stratum(cohort), [0, 1, 0, 2, -1])

  def test_regression_quartiles(self):
    labels = [*range(8), np.nan]
    cohort = splits_test.bare([*range(9)], labels, kind=types.REGRESSION)
    np.testing.assert_array_equal(
      strata.stratum(cohort), [0, 0, 1, 1, 2, 2, 3, 3, -1]
    )


class DivideTest(absltest.TestCase):
  def test_patients_stay_whole_and_strata_are_shared(self):
    rng = np.random.default_rng(0)
    patient = rng.integers(0, 120, 400)
    levels = (rng.random(400) < 0.2).astype(int)
    part = strata.divide(patient, levels, np.array([0.5, 0.3, 0.2]), rng)
    for one in np.unique(patient):
      self.assertLen(np.unique(part[patient == one]), 1)
    for level in (0, 1):
      shares = np.bincount(part[levels == level]) / (levels == level).sum()
      np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.05)


if __name__ == '__main__':
  absltest.main()
