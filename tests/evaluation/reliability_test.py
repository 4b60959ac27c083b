import numpy as np
from absl.testing import absltest, parameterized
from sklearn import calibration as sk_calibration

from fusion_jax.evaluation import reliability


def _data(seed, *, n=200, ties=False):
  rng = np.random.default_rng(seed)
  p = rng.random(n)
  if ties:
    p = np.round(p, 1)
  return rng.random(n) < p**2, p, rng.exponential(size=n)


def _decompose(y, p, w, bins=reliability.BINS):
  values = reliability.decompose(y, p, bins)(w[:, None])[:, 0]
  return dict(zip(reliability.DECOMPOSITION, values, strict=True))


class DecompositionTest(parameterized.TestCase):
  @parameterized.product(seed=[0, 1, 2, 3], ties=[False, True], bins=[1, 3, 10])
  def test_parts_sum_to_the_brier_score(self, seed, ties, bins):
    y, p, w = _data(seed, ties=ties)
    found = _decompose(y, p, w, bins)
    brier = w @ (p - y) ** 2 / w.sum()
    self.assertAlmostEqual(
      found['reliability']
      - found['resolution']
      + found['uncertainty']
      + found['within_bin'],
      brier,
      places=12,
    )
    base = w @ y / w.sum()
    self.assertAlmostEqual(found['uncertainty'], base * (1 - base))
    if bins == 1:
      self.assertAlmostEqual(found['resolution'], 0)
      self.assertAlmostEqual(found['ece'], abs(w @ (p - y)) / w.sum())

  def test_constant_within_bins_leaves_nothing_within(self):
    y, p, w = _data(0, ties=True)
    p = np.round(p * 4) / 4
    self.assertAlmostEqual(_decompose(y, p, w, 200)['within_bin'], 0)

  def test_debiased_is_zero_on_average_if_calibrated(self):
    rng = np.random.default_rng(0)
    found, plain = [], []
    for _ in range(800):
      p = rng.random(150)
      values = _decompose(rng.random(150) < p, p, np.ones(150))
      found.append(values['reliability_debiased'])
      plain.append(values['reliability'])
    error = np.std(found) / np.sqrt(len(found))
    self.assertLess(abs(np.mean(found)), 4 * error)
    self.assertGreater(np.mean(plain), 20 * error)

  def test_debiased_finds_what_is_wrong(self):
    rng = np.random.default_rng(1)
    p = np.full(40_000, 0.5)
    p[::2] = 0.7
    y = rng.random(40_000) < p - 0.1
    values = _decompose(y, p, np.ones(40_000))
    self.assertAlmostEqual(values['ece_debiased'], 0.1, delta=0.01)
    self.assertAlmostEqual(values['ece'], 0.1, delta=0.01)

  def test_few_studies_and_one_class(self):
    found = _decompose(
      np.array([True, False, True]), np.array([0.2, 0.4, 0.9]), np.ones(3)
    )
    self.assertAlmostEqual(found['ece'], (0.8 + 0.4 + 0.1) / 3)
    self.assertTrue(np.isnan(found['ece_debiased']))
    found = _decompose(np.ones(3, bool), np.full(3, 0.5), np.ones(3))
    self.assertAlmostEqual(found['ece'], 0.5)
    self.assertAlmostEqual(found['ece_debiased'], 0.5)
    self.assertEqual(found['uncertainty'], 0)
    empty = _decompose(np.ones(3, bool), np.full(3, 0.5), np.zeros(3))
    self.assertTrue(np.isnan(list(empty.values())).all())


class CurveTest(absltest.TestCase):
  def test_equals_scikit_learn(self):
    y, p, _ = _data(3)
    found = reliability.curve(y, p)(np.ones((200, 1)))[..., 0]
    observed, predicted = sk_calibration.calibration_curve(
      y, p, n_bins=10, strategy='quantile'
    )
    np.testing.assert_allclose(found[0], predicted)
    np.testing.assert_allclose(found[1], observed)

  def test_ties_stay_together(self):
    p = np.array([0.1] * 9 + [0.9])
    y = np.array([1] + [0] * 8 + [1])
    found = reliability.curve(y, p, 2)(np.ones((10, 1)))[..., 0]
    np.testing.assert_allclose(found, [[0.1, 0.9], [1 / 9, 1]])
    found = reliability.curve(y, np.full(10, 0.2), 4)(np.ones((10, 1)))[..., 0]
    self.assertEqual((~np.isnan(found[0])).sum(), 1)


class WeightsTest(parameterized.TestCase):
  @parameterized.parameters(
    reliability.ece, reliability.decompose, reliability.curve
  )
  def test_weight_is_repetition(self, build):
    y, p, _ = _data(5, ties=True)
    counts = np.random.default_rng(0).poisson(1, size=(200, 4))
    found = build(y, p)(counts.astype(float))
    for i in range(4):
      rows = np.repeat(np.arange(200), counts[:, i])
      expected = build(y[rows], p[rows])(np.ones((len(rows), 1)))
      np.testing.assert_allclose(
        found[..., i], expected[..., 0], rtol=1e-9, atol=1e-12
      )

  def test_ece_is_the_first_part(self):
    y, p, w = _data(6)
    np.testing.assert_allclose(
      reliability.ece(y, p)(w[:, None]), _decompose(y, p, w)['ece']
    )


if __name__ == '__main__':
  absltest.main()
