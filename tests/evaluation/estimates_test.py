import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.evaluation import estimates, folds, thresholds

BINARY = types.Task(types.BINARY, ('y',))


def _fold(number, labels, scores, *, repeat=0, start=0):
  n = len(labels)
  return folds.Fold(
    repeat=repeat,
    fold=number,
    study=np.arange(start, start + n).astype(str),
    patient=np.arange(start, start + n).astype(str),
    labels=np.array(labels, float)[:, None],
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={
      'a': {k: np.array(s, float)[:, None] for k, s in enumerate(scores)}
    },
  )


def _estimate(parts):
  return estimates.estimate(BINARY, parts, arms=['a', 'b'], wanted=['auroc'])


class EstimateTest(absltest.TestCase):
  def test_models_are_never_pooled(self):
    # Each model ranks its own studies perfectly, on its own scale.
    parts = [
      _fold(0, [0, 1], [[0.1, 0.2]]),
      _fold(1, [0, 1], [[0.8, 0.9]], start=2),
    ]
    found = _estimate(parts)
    self.assertEqual(found.estimate['auroc'][0], 1.0)
    self.assertTrue(np.isnan(found.estimate['auroc'][1]))

  def test_mean_over_seeds_then_folds(self):
    parts = [
      _fold(0, [0, 1], [[0.1, 0.2], [0.2, 0.1]]),
      _fold(1, [0, 1], [[0.8, 0.9]], start=2),
    ]
    found = _estimate(parts)
    np.testing.assert_array_equal(found.values['auroc'][:, 0], [0.5, 1.0])
    self.assertEqual(found.estimate['auroc'][0], 0.75)

  def test_undefined_fold_is_left_out_and_counted(self):
    parts = [
      _fold(0, [0, 1], [[0.1, 0.2]]),
      _fold(1, [1, 1], [[0.8, 0.9]], start=2),
    ]
    found = _estimate(parts)
    self.assertEqual(found.estimate['auroc'][0], 1.0)
    self.assertEqual(
      found.undefined('a', 'auroc'), [(1, 'all 2 studies are positive')]
    )


class ThresholdsTest(absltest.TestCase):
  def test_every_model_is_called_at_its_own_threshold(self):
    part = _fold(0, [0, 1], [[0.1, 0.2], [0.7, 0.8]])
    (fold,) = thresholds.attach(BINARY, [part], [part])
    found = estimates.estimate(
      BINARY, [fold], arms=['a'], wanted=['accuracy', 'sensitivity']
    )
    self.assertEqual(found.estimate['accuracy'][0], 1)
    # At one half the first model calls nobody and the second one everybody.
    found = estimates.estimate(BINARY, [part], arms=['a'], wanted=['accuracy'])
    self.assertEqual(found.estimate['accuracy'][0], 0.5)


class VariabilityTest(absltest.TestCase):
  def test_seed_sd_is_pooled_within_folds(self):
    parts = [
      _fold(0, [0, 1], [[0.1, 0.2], [0.2, 0.1]]),
      _fold(1, [0, 1], [[0.8, 0.9], [0.8, 0.9]], start=2),
    ]
    sd = estimates.seed_sd(_estimate(parts), 'a', 'auroc')
    # Variances over seeds are .5 and 0 with one degree of freedom each.
    self.assertAlmostEqual(sd, 0.5)
    one = estimates.seed_sd(
      _estimate([_fold(0, [0, 1], [[0, 1]])]), 'a', 'auroc'
    )
    self.assertTrue(np.isnan(one))

  def test_corrected_sd(self):
    values = np.array([0.7, 0.8, 0.9, np.nan])
    expected = np.sqrt((1 / 3 + 0.5) * 0.01)
    self.assertAlmostEqual(estimates.corrected_sd(values, 0.5), expected)
    self.assertTrue(np.isnan(estimates.corrected_sd(values[:1], 0.5)))
    self.assertTrue(np.isnan(estimates.corrected_sd(values, np.nan)))

  def test_training_size_is_what_is_neither_tested_nor_validated_on(self):
    test = [
      _fold(k, [0, 1], [[0, 1]], start=2 * k, repeat=r)
      for r in range(2)
      for k in range(4)
    ]
    valid = [_fold(k, [1], [[1]], repeat=r) for r in range(2) for k in range(4)]
    self.assertAlmostEqual(estimates.test_to_train(test, valid), 2 / 5)
    self.assertAlmostEqual(estimates.test_to_train(test, []), 2 / 6)

  def test_training_size_is_unknown_on_another_cohort(self):
    test = [_fold(k, [0, 1], [[0, 1]]) for k in range(3)]
    self.assertTrue(np.isnan(estimates.test_to_train(test, [])))

  def test_training_size_is_unknown_where_folds_are_missing(self):
    # Study 9 was validated on, so it is of the cohort, but never tested.
    test = [_fold(k, [0, 1], [[0, 1]], start=2 * k) for k in range(3)]
    valid = [_fold(k, [1], [[1]], start=9) for k in range(3)]
    self.assertTrue(np.isnan(estimates.test_to_train(test, valid)))


if __name__ == '__main__':
  absltest.main()
