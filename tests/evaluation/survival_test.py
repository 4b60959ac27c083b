from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import survival


def _plain(time, event, scores, weights):
  """The definition, pair by pair."""
  won, pairs = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
  for i in np.flatnonzero(event):
    for j in range(len(time)):
      tied = time[i] == time[j] and not event[j]
      if time[i] < time[j] or tied:
        both = weights[i] * weights[j]
        pairs += both
        won += both * (np.sign(scores[i] - scores[j]) + 1) / 2
  return won / pairs


class ConcordanceTest(parameterized.TestCase):
  # The pairwise part and the cumulative part must count the same pairs.
  @parameterized.product(dense=[1, 8, 256], ties=[False, True])
  def test_equals_the_definition(self, dense, ties):
    rng = np.random.default_rng(0)
    time = rng.exponential(size=70)
    scores = rng.normal(size=70) - time
    if ties:
      time, scores = np.ceil(4 * time), np.round(scores)
    event = rng.random(70) < 0.6
    weights = rng.poisson(1, size=(70, 4)) * rng.exponential(size=(70, 1))
    with mock.patch.object(survival, '_DENSE', dense):
      found = survival.c_index(time, event, scores)(weights)
    expected = _plain(time, event, scores, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-12)

  def test_constant_scores_and_equal_times(self):
    weights = np.ones((3, 1))
    event = np.array([True, False, True])
    time = np.array([1.0, 1.0, 1.0])
    self.assertEqual(survival.c_index(time, event, np.ones(3))(weights), 0.5)
    scores = np.array([2.0, 1.0, 0.0])
    self.assertEqual(survival.c_index(time, event, scores)(weights), 0.5)

  def test_no_comparable_pair_is_nan(self):
    kernel = survival.c_index(np.arange(3.0), np.zeros(3, bool), np.arange(3.0))
    self.assertTrue(np.isnan(kernel(np.ones((3, 1)))).all())


if __name__ == '__main__':
  absltest.main()
