import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics as sk

from fusion_jax.evaluation import roc


def _data(seed, *, n=70, ties=False):
  rng = np.random.default_rng(seed)
  y = rng.random(n) < 0.4
  s = y + rng.normal(size=n)
  return y, np.round(s) if ties else s, rng.exponential(size=n)


class RocTest(parameterized.TestCase):
  @parameterized.product(seed=[0, 1, 2], ties=[False, True])
  def test_lies_on_scikit_learns_curve(self, seed, ties):
    y, s, w = _data(seed, ties=ties)
    false, true, _ = sk.roc_curve(
      y, s, sample_weight=w, drop_intermediate=False
    )
    grid = (np.arange(50) + 0.5) / 50
    found = roc.roc(y, s, grid)(w[:, None])[:, 0]
    np.testing.assert_allclose(found, np.interp(grid, false, true), atol=1e-9)
    fine = (np.arange(20_000) + 0.5) / 20_000
    area = roc.roc(y, s, fine)(w[:, None]).mean()
    self.assertAlmostEqual(
      area, sk.roc_auc_score(y, s, sample_weight=w), places=3
    )

  def test_ends_and_vertical_steps(self):
    y = np.array([True, False, True, False])
    s = np.array([4.0, 3.0, 2.0, 1.0])
    found = roc.roc(y, s, np.array([0, 0.25, 0.5, 1]))(np.ones((4, 1)))
    np.testing.assert_allclose(found[:, 0], [0.5, 0.5, 1, 1])

  def test_constant_scores_are_the_diagonal(self):
    y = np.array([True, False, True])
    found = roc.roc(y, np.ones(3))(np.ones((3, 1)))[:, 0]
    np.testing.assert_allclose(found, roc.GRID)
    found = roc.precision_recall(y, np.ones(3))(np.ones((3, 1)))
    np.testing.assert_allclose(found, 2 / 3)

  @parameterized.parameters(False, True)
  def test_precision_is_that_of_the_first_threshold(self, ties):
    y, s, w = _data(1, ties=ties)
    found = roc.precision_recall(y, s)(w[:, None])[:, 0]
    for i in range(1, 101):
      for t in np.unique(s)[::-1]:
        called = s >= t
        if w @ (called & y) >= (roc.GRID[i] - 1e-12) * (w @ y):
          break
      self.assertAlmostEqual(found[i], w @ (called & y) / (w @ called))
    fine = (np.arange(20_000) + 0.5) / 20_000
    area = roc.precision_recall(y, s, fine)(w[:, None]).mean()
    self.assertAlmostEqual(
      area, sk.average_precision_score(y, s, sample_weight=w), places=3
    )

  @parameterized.parameters(roc.roc, roc.precision_recall)
  def test_weight_is_repetition(self, build):
    y, s, _ = _data(2, ties=True)
    counts = np.random.default_rng(0).poisson(1, size=(70, 4))
    found = build(y, s)(counts.astype(float))
    for i in range(4):
      rows = np.repeat(np.arange(70), counts[:, i])
      expected = build(y[rows], s[rows])(np.ones((len(rows), 1)))
      np.testing.assert_allclose(found[:, i], expected[:, 0], atol=1e-12)

  def test_one_class(self):
    s, ones = np.arange(3.0), np.ones((3, 1))
    every, none = np.ones(3, bool), np.zeros(3, bool)
    self.assertTrue(np.isnan(roc.roc(every, s)(ones)).all())
    self.assertTrue(np.isnan(roc.roc(none, s)(ones)).all())
    self.assertTrue(np.isnan(roc.precision_recall(none, s)(ones)).all())
    np.testing.assert_array_equal(roc.precision_recall(every, s)(ones), 1)


if __name__ == '__main__':
  absltest.main()
