from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from sksurv import metrics as sksurv
from sksurv import util

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


def _plain_uno(time, event, scores, weights, tau):
  """The definition, pair by pair, for one weighting."""
  g = []
  for t in time:
    left = 1.0
    for u in np.unique(time[(time <= t) & ~event]):
      risk = weights[time > u].sum() + weights[(time == u) & ~event].sum()
      gone = weights[(time == u) & ~event].sum()
      left *= 1 - gone / risk if gone else 1
    g.append(left)
  won = pairs = 0.0
  for i in np.flatnonzero(event & (time < tau) & (weights > 0)):
    for j in range(len(time)):
      if time[i] < time[j] or (time[i] == time[j] and not event[j]):
        both = weights[i] * weights[j] / g[i] ** 2
        pairs += both
        won += both * (np.sign(scores[i] - scores[j]) + 1) / 2
  return won / pairs


class NearTiesTest(parameterized.TestCase):
  """Scores that are equal but for rounding are two scores here."""

  def _data(self):
    """60 pairs of studies, 1e-10 apart: in a pair the later one is riskier."""
    rng = np.random.default_rng(4)
    base = np.repeat(rng.normal(size=60), 2)
    time = rng.exponential(size=120) * np.exp(-base)
    second = np.arange(120) % 2
    later = time > time.reshape(60, 2)[:, ::-1].reshape(-1)
    self.assertEqual(later.sum(), 60)
    self.assertGreater(later[second == 1].sum(), 10)
    return time, rng.random(120) < 0.7, base + 1e-10 * later, base

  def test_scikit_survival_ties_them(self):
    time, event, scores, equal = self._data()
    ones = np.ones((120, 1))
    y = util.Surv.from_arrays(event, time)
    tau = float(np.quantile(time, 0.9))
    for kernel, theirs in (
      (
        survival.c_index,
        lambda s, **o: sksurv.concordance_index_censored(event, time, s, **o),
      ),
      (
        lambda t, e, s: survival.c_index_uno(t, e, s, tau),
        lambda s, **o: sksurv.concordance_index_ipcw(y, y, s, tau, **o),
      ),
    ):
      ours = kernel(time, event, scores)(ones)[0]
      tied = kernel(time, event, equal)(ones)[0]
      self.assertAlmostEqual(theirs(scores, tied_tol=0)[0], ours, places=9)
      self.assertAlmostEqual(theirs(scores)[0], tied, places=9)
      # All comparable pairs of twins are discordant for us, half right there.
      self.assertGreater(tied - ours, 1e-3)

  def test_their_ties_depend_on_the_scale(self):
    time, event, _, scores = self._data()
    ones = np.ones((120, 1))
    small = 1e-10 * scores
    found = survival.c_index(time, event, scores)(ones)[0]
    self.assertEqual(survival.c_index(time, event, small)(ones)[0], found)
    theirs = sksurv.concordance_index_censored(event, time, small)[0]
    self.assertEqual(theirs, 0.5)
    self.assertGreater(found, 0.6)


class UnoTest(parameterized.TestCase):
  def _data(self, seed, *, n=90, ties=False):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=n)
    time = rng.exponential(size=n) * np.exp(-scores)
    if ties:
      time, scores = np.ceil(4 * time), np.round(scores)
    return time, rng.random(n) < 0.6, scores

  @parameterized.product(seed=[0, 1, 2], ties=[False, True])
  def test_equals_scikit_survival(self, seed, ties):
    time, event, scores = self._data(seed, ties=ties)
    y = util.Surv.from_arrays(event, time)
    for tau in (np.quantile(time, 0.5), np.quantile(time, 0.9)):
      expected = sksurv.concordance_index_ipcw(y, y, scores, tau)[0]
      found = survival.c_index_uno(time, event, scores, tau)(np.ones((90, 1)))
      self.assertAlmostEqual(found[0], expected, places=9)

  @parameterized.parameters(False, True)
  def test_equals_the_definition_for_any_weights(self, ties):
    time, event, scores = self._data(5, ties=ties)
    rng = np.random.default_rng(0)
    weights = rng.poisson(1, size=(90, 3)) * rng.exponential(size=(90, 1))
    tau = np.quantile(time, 0.8)
    found = survival.c_index_uno(time, event, scores, tau)(weights)
    expected = [_plain_uno(time, event, scores, w, tau) for w in weights.T]
    np.testing.assert_allclose(found, expected, rtol=1e-9)

  def test_default_tau_leaves_a_tenth_followed(self):
    time, event, scores = self._data(6)
    ones = np.ones((90, 1))
    tau = np.sort(time)[-9]
    np.testing.assert_array_equal(
      survival.c_index_uno(time, event, scores)(ones),
      survival.c_index_uno(time, event, scores, tau)(ones),
    )

  def test_without_censoring_it_is_harrells(self):
    time, event, scores = self._data(7)
    ones, event = np.ones((90, 1)), np.ones(90, bool)
    np.testing.assert_allclose(
      survival.c_index_uno(time, event, scores, np.inf)(ones),
      survival.c_index(time, event, scores)(ones),
    )

  def test_undefined_and_three_studies(self):
    ones, time = np.ones((3, 1)), np.arange(3.0)
    none = np.zeros(3, bool)
    self.assertTrue(np.isnan(survival.c_index_uno(time, none, time)(ones)))
    event = np.array([True, False, True])
    found = survival.c_index_uno(time, event, -time)(ones)
    self.assertEqual(found[0], 1)
    self.assertEqual(survival.c_index_uno(time, event, 0 * time)(ones), 0.5)


if __name__ == '__main__':
  absltest.main()
