import numpy as np
from absl.testing import absltest

from fusion_jax.data import worlds


class WorldsTest(absltest.TestCase):
  def test_columns_are_standard_before_they_become_values(self):
    rng = np.random.default_rng(0)
    q, u, e = rng.standard_normal((3, 200_000))
    for m in worlds.MEASURES:
      x = m.signal * q + m.nuisance * u + m.noise * e
      self.assertAlmostEqual(float(x.var()), 1.0, places=1, msg=m.name)
      values = m.value(x)
      self.assertGreater(len(np.unique(values)), 20, m.name)

  def test_levels_of_a_grade_are_a_distribution(self):
    q, u = np.meshgrid(np.linspace(-3, 3, 7), np.linspace(-2, 2, 5))
    for grade in worlds.GRADES:
      p = np.exp(grade.log_probability(q, u))
      self.assertLen(p, len(grade.levels))
      np.testing.assert_allclose(p.sum(0), 1.0, atol=1e-12)
      rng = np.random.default_rng(0)
      x = grade.signal * 0.5 + rng.standard_normal(100_000)
      drawn = np.bincount(np.digitize(x, grade.cuts)) / 100_000
      at = np.array(0.5), np.array(0.0)
      expected = np.exp(grade.log_probability(*at))
      np.testing.assert_allclose(drawn, expected, atol=0.01)

  def test_the_grid_integrates_a_normal(self):
    z, u, log_weight = worlds.grid()
    weight = np.exp(log_weight)
    np.testing.assert_allclose(weight.sum(), 1.0)
    for moment, expected in ((z, 0.0), (z**2, 1.0), (u**2, 1.0), (z * u, 0.0)):
      np.testing.assert_allclose((weight * moment).sum(), expected, atol=2e-3)

  def test_synergy_depends_on_signs_alone(self):
    rule = worlds.RULES[worlds.SYNERGY]
    a, b = np.random.default_rng(0).standard_normal((2, 50))
    found = worlds.predictor(rule, a, b)
    np.testing.assert_array_equal(found, worlds.predictor(rule, 3 * a, b / 5))
    np.testing.assert_array_equal(found, -worlds.predictor(rule, -a, b))


if __name__ == '__main__':
  absltest.main()
