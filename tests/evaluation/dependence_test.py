import numpy as np
from absl.testing import absltest

from fusion_jax.evaluation import dependence, folds


def _fold(fold, patients, repeat=0):
  n = len(patients)
  return folds.Fold(
    repeat=repeat,
    fold=fold,
    study=np.array([f's{x}' for x in patients]),
    patient=np.array([f'p{x}' for x in patients]),
    labels=np.zeros((n, 1)),
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={},
  )


class FactorTest(absltest.TestCase):
  def test_cross_validation_shares_training_data(self):
    factor = dependence.factor([_fold(0, [1, 2]), _fold(1, [3, 4])])
    self.assertEqual(factor.value, dependence.FACTOR)
    self.assertGreater(factor.value, 1)
    self.assertTrue(factor.shared)

  def test_repeated_hold_outs_do(self):
    factor = dependence.factor([_fold(0, [1, 2]), _fold(0, [2, 3], repeat=1)])
    self.assertTrue(factor.shared)

  def test_one_test_part_does_not(self):
    for parts in (
      [_fold(0, [1, 2])],
      # Models of several folds on another cohort or one held-out part.
      [_fold(0, [1, 2]), _fold(1, [2, 1])],
    ):
      factor = dependence.factor(parts)
      self.assertEqual((factor.value, factor.shared), (1.0, False))
      self.assertTrue(factor.reason)


if __name__ == '__main__':
  absltest.main()
