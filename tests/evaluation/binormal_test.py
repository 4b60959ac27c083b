"""Tests of fusion_jax.evaluation.binormal."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from fusion_jax.evaluation import binormal, delong

AUROC = np.array([0.7, 0.8, 0.93])
CORRELATION = np.array([[1, 0.5, 0.6], [0.5, 1, 0.8], [0.6, 0.8, 1]])


def estimates(runs, folds=1, **design) -> np.ndarray:
  """(runs, a) mean over folds of AUROCs of simulated studies."""
  rng = np.random.default_rng(3)
  found = []
  for _ in range(runs):
    drawn = [
      binormal.draw(rng, auroc=AUROC, correlation=CORRELATION, **design)
      for _ in range(folds)
    ]
    areas = [delong.areas(label, scores).auroc for _, label, scores in drawn]
    found.append(np.mean(areas, axis=0))
  return np.array(found)


def scatter(n) -> float:
  """Four standard errors of a standard deviation from n runs, as a ratio."""
  return 4 / np.sqrt(2 * n)


class ExcessTest(parameterized.TestCase):
  @parameterized.parameters(-0.99, -0.5, 0.0, 0.3, 0.999, 1.0)
  def test_is_that_of_scipy(self, correlation):
    h = np.array([-0.4, 0.5, 0.84, 3.0])
    found = binormal.excess(h, np.full((4, 4), correlation))
    matrix = [[1, correlation], [correlation, 1]]
    for i in range(4):
      for j in range(4):
        both = stats.multivariate_normal.cdf(
          [h[i], h[j]], cov=matrix, allow_singular=True
        )
        expected = both - stats.norm.cdf(h[i]) * stats.norm.cdf(h[j])
        self.assertAlmostEqual(found[i, j], expected, places=10)


class CovarianceTest(parameterized.TestCase):
  def test_variance_without_discrimination(self):
    # With AUROC 1/2 the variance is (m + n + 1) / (12 m n) (Wilcoxon).
    found = binormal.covariance(
      np.array([0.5]), np.eye(1), patients=100, prevalence=0.2
    )
    self.assertAlmostEqual(found[0, 0], 101 / (12 * 20 * 80), places=12)

  def test_is_what_delong_estimates(self):
    rng = np.random.default_rng(1)
    _, label, scores = binormal.draw(
      rng, auroc=AUROC, correlation=CORRELATION, patients=60_000, prevalence=0.3
    )
    found = binormal.covariance(
      AUROC, CORRELATION, patients=60_000, prevalence=0.3
    )
    ratio = found / delong.areas(label, scores).covariance
    np.testing.assert_allclose(ratio, 1, atol=0.04)

  @parameterized.named_parameters(
    ('one_fold', {'patients': 80}, 1, binormal.Clusters()),
    ('small_folds', {'patients': 20}, 4, binormal.Clusters()),
    ('clusters', {'patients': 80}, 1, binormal.Clusters(3, 0.6)),
    ('mixed_clusters', {'patients': 80}, 1, binormal.Clusters(1.5, 0.9)),
  )
  def test_is_that_of_simulated_estimates(self, size, folds, clusters):
    runs = 3000
    values = estimates(runs, folds, prevalence=0.25, clusters=clusters, **size)
    found = binormal.covariance(
      AUROC,
      CORRELATION,
      patients=folds * size['patients'],
      prevalence=0.25,
      clusters=clusters,
      folds=folds,
    )
    limit = scatter(runs)
    # Of the arms, and of the difference between two that are alike.
    weights = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, -1, 1]])
    expected = np.sqrt(np.diag(weights @ found @ weights.T))
    observed = (values @ weights.T).std(axis=0)
    np.testing.assert_allclose(observed / expected, 1, atol=limit)

  def test_folds_cost_little_unless_they_are_small(self):
    def variance(patients, folds):
      return binormal.covariance(
        AUROC, CORRELATION, patients=patients, prevalence=0.2, folds=folds
      )[0, 0]

    self.assertLess(variance(1000, 5) / variance(1000, 1), 1.01)
    self.assertGreater(variance(50, 5) / variance(50, 1), 1.03)

  def test_alike_studies_of_a_patient(self):
    def found(mean, icc):
      return binormal.covariance(
        AUROC,
        CORRELATION,
        patients=200,
        prevalence=0.2,
        clusters=binormal.Clusters(mean, icc),
      )

    np.testing.assert_allclose(
      found(4, 0.0)[0, 0] / found(1, 0)[0, 0], 0.25, 0.02
    )
    # Copies of one study are worth one.
    np.testing.assert_allclose(found(4, 1.0), found(1, 0.0), rtol=0.02)

  def test_labels_that_differ_within_a_patient_vary_less(self):
    # What docs/plan.md says of patients whose studies differ in label.
    rng = np.random.default_rng(0)
    patients, mean, icc = 200, 3, 0.5
    patient = np.repeat(np.arange(patients), mean)
    root = np.linalg.cholesky(CORRELATION)
    values = []
    for _ in range(800):
      label = rng.random(len(patient)) < 0.25
      own = rng.standard_normal((3, patients))[:, patient]
      noise = rng.standard_normal((3, len(patient)))
      scores = root @ (np.sqrt(icc) * own + np.sqrt(1 - icc) * noise)
      scores += binormal.shift(AUROC)[:, None] * label
      values.append(delong.areas(label, scores).auroc)
    expected = binormal.covariance(
      AUROC,
      CORRELATION,
      patients=patients,
      prevalence=0.25,
      clusters=binormal.Clusters(mean, icc),
    )
    ratio = np.std(values, axis=0) / np.sqrt(np.diag(expected))
    self.assertLess(ratio.max(), 0.9)


class ClustersTest(absltest.TestCase):
  def test_design_effect(self):
    self.assertAlmostEqual(binormal.Clusters(3, 0.4).design_effect, 1.8)
    # Half the patients have one study and half have two: a study's patient has
    # 2/3 others on average, not 1/2.
    self.assertAlmostEqual(binormal.Clusters(1.5, 0.3).design_effect, 1.2)

  def test_is_close_to_what_clusters_cost(self):
    clusters = binormal.Clusters(3, 0.5)
    common = {'patients': 1000, 'prevalence': 0.2}
    alike = binormal.covariance(AUROC, CORRELATION, clusters=clusters, **common)
    common['patients'] *= 3
    apart = binormal.covariance(AUROC, CORRELATION, **common)
    ratio = alike[0, 0] / apart[0, 0] / clusters.design_effect
    self.assertBetween(ratio, 0.93, 1.0)


class DrawTest(absltest.TestCase):
  def test_is_of_the_model(self):
    rng = np.random.default_rng(0)
    patient, label, scores = binormal.draw(
      rng,
      auroc=AUROC,
      correlation=CORRELATION,
      patients=30_000,
      prevalence=0.2,
      clusters=binormal.Clusters(1.5, 0.3),
    )
    self.assertAlmostEqual(len(label) / 30_000, 1.5, delta=0.02)
    sick = np.unique(patient[label])
    self.assertLen(sick, 6000)
    self.assertFalse(set(sick) & set(patient[~label]))
    np.testing.assert_allclose(
      delong.areas(label, scores).auroc, AUROC, atol=0.01
    )
    np.testing.assert_allclose(
      np.corrcoef(scores[:, ~label]), CORRELATION, atol=0.02
    )
    pairs = np.flatnonzero(patient[1:] == patient[:-1])
    again = np.corrcoef(scores[0, pairs], scores[0, pairs + 1])
    self.assertGreater(again[0, 1], 0.3)
    well = pairs[~label[pairs]]
    again = np.corrcoef(scores[0, well], scores[0, well + 1])[0, 1]
    self.assertAlmostEqual(again, 0.3, delta=0.03)


if __name__ == '__main__':
  absltest.main()
