"""Tests of experiments.studies.calibration.scores."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics

from experiments.studies.calibration import cells, scores
from fusion_jax.evaluation import comparison, predictions, summary
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import verdict as verdict_lib

SETTINGS = cells.Settings(replicates=100)


class GeneratorTest(parameterized.TestCase):
  @parameterized.parameters(1, 5)
  def test_true_auroc(self, per_patient):
    cell = cells.Cell('scores', 2, 60000, per_patient, 0.05, singles=(0.8, 0.7))
    true = scores.truth(cell)
    self.assertEqual(list(true.values()), [0.80, 0.70, 0.80 + 0.05, 0.80])
    _, label, values = scores.draw(cell, np.random.default_rng(0), cell.n)
    for expected, value in zip(true.values(), values[0], strict=True):
      area = metrics.roc_auc_score(label, value)
      self.assertAlmostEqual(area, expected, delta=0.012)

  def test_arms_correlate_within_a_class(self):
    cell = cells.Cell('scores', 2, 40000, 5)
    patient, label, values = scores.draw(cell, np.random.default_rng(0), cell.n)
    seen = np.corrcoef(values[0][:, ~label])
    np.testing.assert_allclose(seen, scores.correlation(cell), atol=0.04)
    # Half of the variance is the patient's, who has one label.
    rows = np.flatnonzero(~label)[::5]
    within = np.corrcoef(values[0, 0, rows], values[0, 0, rows + 1])[0, 1]
    self.assertAlmostEqual(within, 0.5, delta=0.05)
    for p in (0, 7, 99):
      self.assertLen(set(label[patient == p]), 1)

  def test_seeds_twins_and_events(self):
    cell = cells.Cell('scores', 3, 4000, 1, seeds=2, events=40, twins=True)
    _, label, values = scores.draw(cell, np.random.default_rng(0), cell.n)
    self.assertEqual(values.shape, (2, 5, 4000))
    self.assertEqual(label.sum(), 40)
    self.assertBetween(
      np.corrcoef(values[0, 1], values[1, 1])[0, 1], 0.9, 0.999
    )
    for place, count in ((3, 1), (4, 3)):
      differ = (values[0, place] != values[0, 0]).sum()
      self.assertEqual(differ, count)

  @parameterized.parameters(2, 3, 10)
  def test_smallest_worlds_have_two_classes(self, n):
    for seed in range(20):
      _, label, _ = scores.draw(
        cells.Cell('scores', 1, n, 1), np.random.default_rng(seed), n
      )
      self.assertLen(set(label), 2)


class VerdictTest(parameterized.TestCase):
  @parameterized.parameters((1, 1, 1), (3, 5, 1), (2, 1, 3))
  def test_is_the_procedure_of_the_summary(self, k, per_patient, seeds):
    """The same data through predictions and `summarise`, one test part."""
    cell = cells.Cell('scores', k, 200, per_patient, seeds=seeds)
    test, valid = scores.parts(cell, SETTINGS, 4)
    tables = [
      predictions.create(
        task=scores.TASK,
        study_id=np.char.add(part, fold.study),
        patient_id=np.char.add(part, fold.patient),
        arm=arm,
        labels=fold.labels,
        scores=values,
        part=part,
        seed=seed,
      )
      for part, fold in (
        (predictions.TEST, test[0]),
        (predictions.VALID, valid),
      )
      for arm, by_seed in fold.scores.items()
      for seed, values in by_seed.items()
    ]
    result = summary.summarise(
      predictions.concat(tables),
      singles=scores.singles(cell),
      fusions=scores.fusions(cell),
      config=config_lib.EvaluationConfig(replicates=100, seed=4),
    )
    outcomes = scores.verdict(cell, SETTINGS, 4)
    gains = result['comparisons']
    self.assertEqual(
      outcomes['superior'], any(c['verdict'] == 'superior' for c in gains)
    )
    self.assertEqual(
      outcomes['covered'], all(c['low'] <= 0 <= c['high'] for c in gains)
    )
    self.assertAlmostEqual(
      outcomes['width'], np.mean([c['high'] - c['low'] for c in gains])
    )
    self.assertEqual(outcomes['same'], gains[0]['verdict'] == 'equivalent')

  def test_a_large_gain_is_found_and_a_large_loss_is_no_error(self):
    cell = cells.Cell('power', 1, 600, 1, 0.15)
    outcomes = scores.verdict(cell, SETTINGS, 0)
    self.assertEqual((outcomes['found'], outcomes['former_found']), (1, 1))
    worse = dataclasses.replace(cell, gain=-0.15)
    outcomes = scores.verdict(worse, SETTINGS, 0)
    self.assertTrue(np.isnan(outcomes['inferior']))
    self.assertEqual(outcomes['superior'], 0)

  def test_folds_are_divided_by_patient(self):
    cell = cells.Cell('scores', 1, 100, 5, folds=4)
    test, _ = scores.parts(cell, SETTINGS, 0)
    patients = [set(f.patient) for f in test]
    self.assertLen(set.union(*patients), 20)
    self.assertEqual(sum(map(len, patients)), 20)

  def test_deterministic(self):
    cell = cells.Cell('scores', 2, 80, 5)
    for function in (scores.verdict, scores.naive):
      np.testing.assert_equal(
        function(cell, SETTINGS, 3), function(cell, SETTINGS, 3)
      )

  def test_naive_claims_more(self):
    cell = cells.Cell('naive', 15, 250, 5)
    outcomes = [scores.naive(cell, SETTINGS, run) for run in range(60)]
    best, weaker, one = (
      sum(x[name] for x in outcomes)
      for name in ('best_of_k', 'against_weaker', 'one_arm')
    )
    self.assertGreater(best, 0.05 * 60)
    self.assertGreaterEqual(weaker, best)
    self.assertLess(one, best)


class JudgedTest(absltest.TestCase):
  def test_errors_are_about_the_truth(self):
    cell = cells.Cell('scores', 1, 4000, 1, gain=0.1)
    test, _ = scores.parts(cell, SETTINGS, 0)
    values, _, families = scores.assess(cell, SETTINGS, 0, test)
    gains = comparison.compare(
      arms=list(scores.truth(cell)),
      values=values,
      margin=0.02,
      families=families,
      fusions=scores.fusions(cell),
      singles=scores.singles(cell),
    ).gains
    self.assertEqual(gains[0].verdict, verdict_lib.SUPERIOR)
    right = scores.judged(gains, [0.1])
    self.assertTrue(np.isnan(right['superior']))
    self.assertEqual((right['inferior'], right['covered']), (0, 1))
    wrong = scores.judged(gains, [0.0])
    self.assertEqual((wrong['superior'], wrong['covered']), (1, 0))


if __name__ == '__main__':
  absltest.main()
