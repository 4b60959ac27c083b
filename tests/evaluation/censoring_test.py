import numpy as np
from absl.testing import absltest, parameterized
from sksurv import nonparametric

from fusion_jax.evaluation import censoring


def _data(seed, n=60, ties=True):
  rng = np.random.default_rng(seed)
  time = rng.exponential(size=n) + 0.01
  return np.ceil(5 * time) if ties else time, rng.random(n) < 0.5


class SurvivalTest(parameterized.TestCase):
  @parameterized.product(seed=[0, 1, 2], ties=[False, True])
  def test_equals_scikit_survival(self, seed, ties):
    time, event = _data(seed, ties=ties)
    times, curve = censoring.survival(time, event)
    found = curve(np.ones((60, 1)))[:, 0]
    at, expected = nonparametric.kaplan_meier_estimator(
      event, time, reverse=True
    )
    np.testing.assert_array_equal(times, at)
    self.assertEqual(found[0], 1)
    np.testing.assert_allclose(found[1:], expected, atol=1e-12)

  def test_weight_is_repetition(self):
    time, event = _data(7)
    counts = np.random.default_rng(0).poisson(1, size=(60, 3))
    times, curve = censoring.survival(time, event)
    found = curve(counts.astype(float))
    for i in range(3):
      rows = np.repeat(np.arange(60), counts[:, i])
      at, other = censoring.survival(time[rows], event[rows])
      one = other(np.ones((len(rows), 1)))[:, 0]
      np.testing.assert_allclose(
        found[censoring.place(times, at), i], one[1:], atol=1e-12
      )

  def test_nobody_censored_and_everybody_censored(self):
    time = np.array([1.0, 2.0, 3.0])
    ones = np.ones((3, 1))
    _, curve = censoring.survival(time, np.ones(3, bool))
    np.testing.assert_array_equal(curve(ones)[:, 0], 1)
    _, curve = censoring.survival(time, np.zeros(3, bool))
    np.testing.assert_allclose(curve(ones)[:, 0], [1, 2 / 3, 1 / 3, 0])


class InverseTest(absltest.TestCase):
  def test_only_what_is_needed(self):
    found = censoring.inverse(
      np.array([0.5, 0.0, 0.0]), np.array([True, False, True])
    )
    np.testing.assert_array_equal(found, [2, 0, np.nan])


class HorizonTest(absltest.TestCase):
  def test_last_time_with_enough_followed(self):
    time = np.arange(1.0, 11.0)
    ones = np.ones((10, 1))
    self.assertEqual(censoring.horizon(time, 0.1)(ones), 10)
    self.assertEqual(censoring.horizon(time, 0.25)(ones), 8)
    weights = np.array([[1.0, 0.0]] * 8 + [[0.0, 0.0]] * 2)
    found = censoring.horizon(time, 0.1)(weights)
    self.assertEqual(found[0], 8)
    self.assertTrue(np.isnan(found[1]))


if __name__ == '__main__':
  absltest.main()
