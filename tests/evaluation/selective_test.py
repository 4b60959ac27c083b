import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import selective


def _data(seed, *, n=60, ties=False):
  rng = np.random.default_rng(seed)
  certain = rng.random(n)
  if ties:
    certain = np.round(certain, 1)
  return rng.random(n) < 0.5 - certain / 2, certain, rng.exponential(size=n)


class RiskTest(parameterized.TestCase):
  @parameterized.product(seed=[0, 1, 2], ties=[False, True])
  def test_full_coverage_is_the_overall_risk(self, seed, ties):
    loss, certain, w = _data(seed, ties=ties)
    found = selective.risk_coverage(loss, certain)(w[:, None])[:, 0]
    self.assertAlmostEqual(found[-1], w @ loss / w.sum())

  def test_without_ties_it_is_the_mean_of_the_most_certain(self):
    loss, certain, _ = _data(0, n=50)
    found = selective.risk_coverage(loss, certain)(np.ones((50, 1)))[:, 0]
    ranked = loss[np.argsort(-certain)]
    for k in range(1, 51):
      self.assertAlmostEqual(found[2 * k - 1], ranked[:k].mean())

  def test_constant_certainty(self):
    loss, _, w = _data(0)
    certain = np.full(60, 0.7)
    risk = w @ loss / w.sum()
    found = selective.risk_coverage(loss, certain)(w[:, None])
    np.testing.assert_allclose(found, risk)
    np.testing.assert_allclose(selective.aurc(loss, certain)(w[:, None]), risk)

  @parameterized.parameters(False, True)
  def test_area_is_the_integral(self, ties):
    loss, certain, w = _data(1, ties=ties)
    fine = (np.arange(200_000) + 0.5) / 200_000
    risk = selective.risk_coverage(loss, certain, fine)(w[:, None])
    area = selective.aurc(loss, certain)(w[:, None])
    self.assertAlmostEqual(area[0], risk.mean(), places=5)

  def test_weight_is_repetition(self):
    loss, certain, _ = _data(2, ties=True)
    counts = np.random.default_rng(0).poisson(1, size=(60, 4))
    for build in (selective.risk_coverage, selective.aurc):
      found = build(loss, certain)(counts.astype(float))
      for i in range(4):
        rows = np.repeat(np.arange(60), counts[:, i])
        expected = build(loss[rows], certain[rows])(np.ones((len(rows), 1)))
        np.testing.assert_allclose(found[..., i], expected[..., 0])

  def test_no_weight(self):
    loss, certain, _ = _data(0, n=3)
    nothing = np.zeros((3, 1))
    self.assertTrue(np.isnan(selective.aurc(loss, certain)(nothing)).all())
    risk = selective.risk_coverage(loss, certain)(nothing)
    self.assertTrue(np.isnan(risk).all())


class CertaintyTest(absltest.TestCase):
  def test_binary_and_classes(self):
    p = np.array([0.3, 0.7, 0.5])
    found = selective.certainty(p)
    self.assertEqual(found[0], found[1])
    self.assertEqual(found[2], 0.5)
    y = np.array([0.0, 0.0, 1.0])
    self.assertEqual(selective.mistaken(y, p).tolist(), [False, True, False])
    classes = np.array([[0.2, 0.8], [0.9, 0.1]])
    np.testing.assert_allclose(selective.certainty(classes), [0.8, 0.9])
    self.assertEqual(
      selective.mistaken(np.array([1.0, 1.0]), classes).tolist(), [False, True]
    )


if __name__ == '__main__':
  absltest.main()
