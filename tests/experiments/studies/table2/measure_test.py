"""Tests of experiments.studies.table2.measure."""

import numpy as np
from absl.testing import absltest
from sklearn import metrics

from experiments.studies.table2 import measure
from fusion_jax.core import types
from fusion_jax.evaluation import folds

TASK = types.Task(types.BINARY, ('y',))


def fold(number, n=40):
  rng = np.random.default_rng(number)
  labels = (np.arange(n) % 2).astype(float)
  scores = {
    arm: {0: (shift * labels + rng.normal(size=n))[:, None]}
    for arm, shift in (('weak', 0.5), ('strong', 2.0))
  }
  return folds.Fold(
    repeat=0,
    fold=number,
    study=np.array([f's{number}{i:03}' for i in range(n)]),
    patient=np.array([f'p{number}{i // 2:03}' for i in range(n)]),
    labels=labels[:, None],
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores=scores,
  )


class MeasureTest(absltest.TestCase):
  def test_areas_are_means_over_folds(self):
    parts = [fold(0), fold(1)]
    areas = measure.Areas(TASK, parts, replicates=50)

    def auroc(part, arm):
      return metrics.roc_auc_score(part.labels[:, 0], part.scores[arm][0][:, 0])

    expected = np.mean([auroc(p, 'weak') for p in parts])
    self.assertAlmostEqual(areas['weak'].value, expected)
    mixed = areas.by_fold(['weak', 'strong'])
    expected = (auroc(parts[0], 'weak') + auroc(parts[1], 'strong')) / 2
    self.assertAlmostEqual(mixed.value, expected)
    self.assertLen(mixed.replicates, 50)

  def test_differences_are_paired(self):
    areas = measure.Areas(TASK, [fold(0), fold(1)], replicates=50)
    nothing = (areas['weak'] - areas['weak']).numbers()
    self.assertEqual(nothing, {'estimate': 0.0, 'low': 0.0, 'high': 0.0})
    gain = areas['strong'] - areas['weak']
    np.testing.assert_allclose(
      gain.replicates, areas['strong'].replicates - areas['weak'].replicates
    )
    self.assertLess(gain.numbers()['low'], gain.value)
    self.assertGreater(gain.numbers()['high'], gain.value)

  def test_a_ratio_to_nothing_is_undefined(self):
    one = measure.Quantity(1.0, np.ones(40))
    none = measure.Quantity(0.0, np.zeros(40))
    self.assertEqual(
      one.over(none).to_json(), {'estimate': None, 'low': None, 'high': None}
    )
    half = one.over(2.0 * one)
    self.assertEqual(half.value, 0.5)
    self.assertEqual(measure.mean([one, none]).value, 0.5)
    self.assertEqual(one.shifted(-0.25).value, 0.75)


if __name__ == '__main__':
  absltest.main()
