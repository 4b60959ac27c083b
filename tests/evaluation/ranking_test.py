import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import ranking


class RankingTest(parameterized.TestCase):
  @parameterized.parameters(0.1, 0.5, 0.9)
  def test_auroc_is_the_share_of_pairs_won(self, prevalence):
    rng = np.random.default_rng(0)
    positive = rng.random(60) < prevalence
    scores = np.round(rng.normal(size=60), 1)
    weights = rng.poisson(1, size=(60, 5)).astype(float)
    won = np.sign(scores[positive][:, None] - scores[~positive]) / 2 + 0.5
    pairs = np.einsum('ir,jr->ijr', weights[positive], weights[~positive])
    expected = (won[..., None] * pairs).sum((0, 1)) / pairs.sum((0, 1))
    found = ranking.auroc(positive, scores)(weights)
    np.testing.assert_allclose(found, expected, rtol=1e-12)

  def test_constant_scores(self):
    positive = np.array([True, False, False])
    weights = np.ones((3, 1))
    self.assertEqual(ranking.auroc(positive, np.ones(3))(weights), 0.5)
    precision = ranking.average_precision(positive, np.ones(3))(weights)
    self.assertAlmostEqual(precision[0], 1 / 3)

  def test_no_weight_on_a_class_is_nan(self):
    positive = np.array([True, False, False])
    scores = np.array([0.3, 0.2, 0.1])
    weights = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 0.0, 1.0]])
    area = ranking.auroc(positive, scores)(weights)
    np.testing.assert_array_equal(area, [np.nan, np.nan, 1.0])
    precision = ranking.average_precision(positive, scores)(weights)
    np.testing.assert_array_equal(precision, [np.nan, 1.0, 1.0])

  @parameterized.parameters(0, 1, 31, 32, 33, 100)
  def test_cumulative(self, n):
    weights = np.random.default_rng(0).integers(0, 5, (n, 3)).astype(float)
    found = ranking.cumulative(weights)
    np.testing.assert_array_equal(found[0], 0)
    np.testing.assert_array_equal(found[1:], np.cumsum(weights, axis=0))

  def test_ratio(self):
    found = ranking.ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    np.testing.assert_array_equal(found, [0.5, np.nan])


class FirstAtLeastTest(absltest.TestCase):
  def test_equals_searchsorted(self):
    rng = np.random.default_rng(0)
    for u in (1, 2, 7, 64):
      columns = np.sort(rng.integers(0, 9, size=(u, 5)), axis=0)
      targets = rng.integers(-1, 11, size=(6, 5))
      found = ranking.first_at_least(columns, targets)
      for i in range(5):
        np.testing.assert_array_equal(
          found[:, i], np.searchsorted(columns[:, i], targets[:, i])
        )


if __name__ == '__main__':
  absltest.main()
