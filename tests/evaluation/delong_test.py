"""Tests of DeLong's variances, against stored values of R's pROC."""

import json
import math
import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special
from sklearn import metrics as sk

from fusion_jax.evaluation import delong

# Made by reference/proc.R.
REFERENCE = json.loads(
  (pathlib.Path(__file__).parent / 'reference' / 'proc.json').read_text()
)
CASES = {c['name']: c for c in REFERENCE['cases']}


def _arrays(name):
  case = CASES[name]
  scores = np.array([case['first'], case['second']])
  return case, np.array(case['label']) == 1, scores


def _near(found, expected):
  np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


class ProcTest(parameterized.TestCase):
  def test_reference_says_how_it_was_made(self):
    self.assertSameElements(REFERENCE['made_by'], ['R', 'pROC'])
    self.assertGreaterEqual(len(CASES), 5)

  @parameterized.parameters(*CASES)
  def test_areas_variances_and_test(self, name):
    case, positive, scores = _arrays(name)
    found = delong.areas(positive, scores)
    _near(found.auroc, case['auroc'])
    _near(np.diagonal(found.covariance), case['variance'])
    _near(found.covariance[0, 1], case['covariance'])
    reach = special.ndtri(0.975) * found.se[0]
    interval = found.auroc[0] - reach, found.auroc[0] + reach
    _near(np.clip(interval, 0, 1), case['interval'])
    test = delong.difference(found, 0, 1)
    _near(test.difference / test.se, case['z'])
    _near(test.p_two_sided, case['p_two_sided'])
    _near(test.p, case['p_greater'])

  @parameterized.parameters(*CASES)
  def test_partial_areas(self, name):
    case, positive, scores = _arrays(name)
    partial = delong.partial_auroc
    _near(partial(positive, scores[0]), case['partial'])
    _near(
      partial(positive, scores[0], specificity=(0.65, 0.9)),
      case['partial_inner'],
    )
    _near(
      partial(positive, scores[0], corrected=True), case['partial_corrected']
    )


class AreasTest(parameterized.TestCase):
  def test_plain_definition(self):
    rng = np.random.default_rng(0)
    positive = rng.random(40) < 0.4
    scores = rng.integers(0, 6, size=(3, 40)).astype(float)
    found = delong.areas(positive, scores)
    x, y = scores[:, positive], scores[:, ~positive]
    won = (x[:, :, None] > y[:, None]) + (x[:, :, None] == y[:, None]) / 2
    np.testing.assert_allclose(found.auroc, won.mean(axis=(1, 2)))
    expected = sum(
      np.cov(won.mean(axis=axis)) / won.shape[3 - axis] for axis in (1, 2)
    )
    np.testing.assert_allclose(found.covariance, expected)

  def test_variance_is_that_of_new_samples(self):
    rng = np.random.default_rng(1)
    estimates, differences, variances = [], [], []
    for _ in range(400):
      positive = np.arange(80) < 30
      common = rng.normal(size=80)
      scores = positive + common + rng.normal(size=(2, 80))
      found = delong.areas(positive, scores)
      estimates.append(found.auroc[0])
      differences.append(found.auroc[0] - found.auroc[1])
      test = delong.difference(found, 0, 1)
      variances.append([found.se[0] ** 2, test.se**2])
    mean = np.mean(variances, axis=0)
    self.assertAlmostEqual(mean[0] / np.var(estimates), 1, delta=0.2)
    self.assertAlmostEqual(mean[1] / np.var(differences), 1, delta=0.2)

  def test_variance_is_near_that_of_the_bootstrap(self):
    rng = np.random.default_rng(2)
    positive = rng.random(300) < 0.4
    scores = positive + rng.normal(size=300)
    drawn = []
    for _ in range(400):
      rows = rng.integers(0, 300, size=300)
      drawn.append(sk.roc_auc_score(positive[rows], scores[rows]))
    se = delong.areas(positive, scores[None]).se[0]
    self.assertAlmostEqual(se / np.std(drawn), 1, delta=0.12)

  def test_equal_scores_and_constants(self):
    rng = np.random.default_rng(3)
    positive = rng.random(50) < 0.5
    score = rng.normal(size=50)
    flat = np.zeros(50)
    found = delong.areas(positive, np.stack([score, score, flat, flat]))
    same = delong.difference(found, 0, 1)
    self.assertEqual((same.difference, same.se, same.p), (0, 0, 1))
    self.assertEqual((same.low, same.high), (0, 0))
    self.assertEqual(found.auroc[2], 0.5)
    self.assertEqual(found.se[2], 0)

  def test_a_difference_without_variance_has_no_test(self):
    positive = np.arange(20) < 10
    perfect, flat = positive.astype(float), np.zeros(20)
    found = delong.areas(positive, np.stack([perfect, flat]))
    test = delong.difference(found, 0, 1)
    self.assertEqual(test.difference, 0.5)
    self.assertTrue(math.isnan(test.p))
    self.assertIn('does not vary', test.reason)

  @parameterized.parameters(
    ([1, 1, 1], math.nan), ([0, 0, 0], math.nan), ([1, 0, 0], 0.5)
  )
  def test_too_few_of_a_class(self, labels, area):
    found = delong.areas(np.array(labels) > 0, np.array([[2.0, 1.0, 3.0]] * 2))
    np.testing.assert_equal(found.auroc[0], area)
    self.assertTrue(np.isnan(found.se).all())
    test = delong.difference(found, 0, 1)
    self.assertTrue(math.isnan(test.low))
    self.assertIn('two studies of each class', test.reason)

  def test_means_of_areas(self):
    rng = np.random.default_rng(4)
    positive = rng.random(30) < 0.5
    scores = rng.normal(size=(3, 30))
    found = delong.areas(positive, scores)
    weights = np.array([[0.5, 0.5, 0], [0, 0, 1]])
    both = found.combine(weights)
    np.testing.assert_allclose(both.auroc, weights @ found.auroc)
    np.testing.assert_allclose(
      both.covariance, weights @ found.covariance @ weights.T
    )


class PartialTest(absltest.TestCase):
  def test_whole_area(self):
    rng = np.random.default_rng(5)
    positive = rng.random(60) < 0.4
    scores = rng.integers(0, 9, size=60).astype(float)
    whole = delong.partial_auroc(positive, scores, specificity=(0, 1))
    self.assertAlmostEqual(whole, sk.roc_auc_score(positive, scores))

  def test_scikit_learn(self):
    rng = np.random.default_rng(6)
    positive = rng.random(60) < 0.4
    scores = positive + rng.normal(size=60)
    self.assertAlmostEqual(
      delong.partial_auroc(
        positive, scores, specificity=(0.7, 1), corrected=True
      ),
      sk.roc_auc_score(positive, scores, max_fpr=0.3),
    )

  def test_one_class(self):
    self.assertTrue(math.isnan(delong.partial_auroc(np.ones(3), np.arange(3))))


if __name__ == '__main__':
  absltest.main()
