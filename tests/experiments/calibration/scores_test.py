"""Tests of experiments.calibration.scores."""

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics

from experiments.calibration import cells, scores
from fusion_jax.evaluation import comparison, predictions, summary
from fusion_jax.evaluation import config as config_lib

SETTINGS = cells.Settings(replicates=100)


class GeneratorTest(parameterized.TestCase):
  @parameterized.parameters(1, 5)
  def test_true_auroc(self, per_patient):
    cell = cells.Cell('scores', 2, 60000, per_patient, 0.05)
    true = scores.truth(cell)
    self.assertEqual(list(true.values()), [0.80, 0.75, 0.80 + 0.05, 0.80])
    _, label, values = scores.draw(cell, np.random.default_rng(0), cell.n)
    for expected, value in zip(true.values(), values, strict=True):
      found = metrics.roc_auc_score(label, value)
      self.assertAlmostEqual(found, expected, delta=0.012)

  def test_arms_correlate_within_a_class(self):
    cell = cells.Cell('scores', 2, 40000, 5)
    patient, label, values = scores.draw(cell, np.random.default_rng(0), cell.n)
    found = np.corrcoef(values[:, ~label])
    self.assertAlmostEqual(found[0, 2], 0.8, delta=0.03)
    self.assertAlmostEqual(found[1, 2], 0.3, delta=0.03)
    # Half of the variance is the patient's, who has one label.
    rows = np.flatnonzero(~label)[::5]
    within = np.corrcoef(values[0, rows], values[0, rows + 1])[0, 1]
    self.assertAlmostEqual(within, 0.5, delta=0.05)
    for p in (0, 7, 99):
      self.assertLen(set(label[patient == p]), 1)

  @parameterized.parameters(2, 3, 10)
  def test_smallest_worlds_have_two_classes(self, n):
    for seed in range(20):
      _, label, _ = scores.draw(
        cells.Cell('scores', 1, n, 1), np.random.default_rng(seed), n
      )
      self.assertLen(set(label), 2)


class VerdictTest(parameterized.TestCase):
  @parameterized.parameters((1, 1, 0.0), (3, 5, 0.0), (2, 1, 0.12))
  def test_is_the_procedure_of_the_summary(self, k, per_patient, gain):
    """The same data through predictions and `summarise`."""
    cell = cells.Cell('scores', k, 200, per_patient, gain)
    test, valid = scores.parts(cell, SETTINGS, 4)
    tables = [
      predictions.create(
        task=scores.TASK,
        study_id=np.char.add(part, fold.study),
        patient_id=np.char.add(part, fold.patient),
        arm=arm,
        labels=fold.labels,
        scores=by_seed[0],
        part=part,
      )
      for part, fold in ((predictions.TEST, test), (predictions.VALID, valid))
      for arm, by_seed in fold.scores.items()
    ]
    result = summary.summarise(
      predictions.concat(tables),
      singles=scores.SINGLES,
      fusions=scores.fusions(cell),
      config=config_lib.EvaluationConfig(replicates=100, seed=4),
    )
    superior = {
      c['arm']: c['verdict'] == comparison.SUPERIOR
      for c in result['comparisons']
    }
    true = scores.truth(cell)
    inside = [
      m['metrics']['auroc']['low'] <= true[a] <= m['metrics']['auroc']['high']
      for a, m in result['arms'].items()
    ]
    reference = result['best_single']['by_fold'][0]['arm']
    covered = all(
      c['low'] <= true[c['arm']] - true[reference] <= c['high']
      for c in result['comparisons']
    )
    found = scores.verdict(cell, SETTINGS, 4)
    self.assertAlmostEqual(found['arm_covered'], np.mean(inside))
    self.assertEqual(found['differences_covered'], covered)
    if gain:
      self.assertEqual(found['found'], superior['fusion0'])
      self.assertEqual(found['superior'], superior['fusion1'])
    else:
      self.assertEqual(found['superior'], any(superior.values()))
      self.assertTrue(np.isnan(found['found']))

  def test_a_large_gain_is_found(self):
    cell = cells.Cell('power', 1, 600, 1, 0.15)
    self.assertEqual(scores.verdict(cell, SETTINGS, 0)['found'], 1)

  def test_deterministic(self):
    cell = cells.Cell('scores', 2, 80, 5)
    for function in (scores.verdict, scores.naive):
      np.testing.assert_equal(
        function(cell, SETTINGS, 3), function(cell, SETTINGS, 3)
      )

  def test_naive_sees_the_same_data(self):
    cell = cells.Cell('scores', 2, 80, 5)
    self.assertEqual(
      scores.verdict(cell, SETTINGS, 3)['fewest'],
      scores.naive(cell, SETTINGS, 3)['fewest'],
    )

  def test_naive_claims_more(self):
    cell = cells.Cell('naive', 15, 250, 5)
    found = [scores.naive(cell, SETTINGS, run) for run in range(60)]
    best, weaker, one = (
      sum(x[name] for x in found)
      for name in ('best_of_k', 'against_weaker', 'one_arm')
    )
    self.assertGreater(best, 0.15 * 60)
    self.assertGreaterEqual(weaker, best)
    self.assertLess(one, best)


if __name__ == '__main__':
  absltest.main()
