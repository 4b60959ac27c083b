import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.data import config as config_lib
from fusion_jax.data import inner, splits, synthetic
from tests import tiny


class HalvesTest(absltest.TestCase):
  def test_by_patient_stratified_and_complete(self):
    cohort = synthetic.make('complementary', n=300, size=16)
    split = splits.make_splits(cohort, config_lib.SplitConfig(folds=3))[1]
    a, b = inner.halves(split, cohort, seed=0)
    np.testing.assert_array_equal(np.sort(np.r_[a, b]), split.train)
    self.assertEmpty({*cohort.patient[a]} & {*cohort.patient[b]})
    self.assertAlmostEqual(len(a), len(b), delta=3)
    y = cohort.labels[:, 0]
    self.assertAlmostEqual(y[a].mean(), y[b].mean(), delta=0.03)
    again = inner.halves(split, cohort, seed=0)
    np.testing.assert_array_equal(again[0], a)
    self.assertFalse(np.array_equal(inner.halves(split, cohort, 1)[0], a))

  def test_one_patient(self):
    cohort = tiny.cohort(8)  # two studies a patient
    split = splits.Split(0, 0, *(np.array(x) for x in ([0, 1], [2], [4])))
    with self.assertRaisesRegex(errors.UserError, 'one training patient'):
      inner.halves(split, cohort, 0)

  def test_each_cut_is_drawn_on_its_own(self):
    cohort = tiny.cohort(96)
    split = splits.make_splits(cohort, config_lib.SplitConfig(folds=3))[0]
    cuts = [inner.halves(split, cohort, 0, number)[0] for number in range(3)]
    self.assertLen({x.tobytes() for x in cuts}, 3)


class FoldsTest(absltest.TestCase):
  def test_by_patient_and_stratified(self):
    cohort = synthetic.make('complementary', n=200, size=16)
    rows = np.arange(0, 150)
    fold = inner.folds(cohort, rows, 5, seed=0)
    self.assertEqual(sorted({*fold}), [0, 1, 2, 3, 4])
    for patient in np.unique(cohort.patient[rows]):
      self.assertLen({*fold[cohort.patient[rows] == patient]}, 1)
    shares = [cohort.labels[rows][fold == k].mean() for k in range(5)]
    self.assertLess(np.ptp(shares), 0.15)
    again = inner.folds(cohort, rows, 5, seed=0)
    np.testing.assert_array_equal(again, fold)
    self.assertFalse(np.array_equal(inner.folds(cohort, rows, 5, 1), fold))

  def test_no_more_folds_than_patients(self):
    cohort = tiny.cohort(8)
    self.assertEqual(inner.folds(cohort, np.arange(6), 5, 0).max(), 2)
    with self.assertRaisesRegex(errors.UserError, 'one patient'):
      inner.folds(cohort, np.arange(2), 5, 0)


if __name__ == '__main__':
  absltest.main()
