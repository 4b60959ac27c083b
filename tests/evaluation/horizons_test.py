import numpy as np
from absl.testing import absltest, parameterized
from sksurv import metrics as sksurv
from sksurv import util

from fusion_jax.evaluation import horizons

TIMES = (0.3, 0.8, 1.4)


def _data(seed, *, n=120, ties=False):
  rng = np.random.default_rng(seed)
  risk = rng.normal(size=n)
  if ties:
    risk = np.round(risk)
  time = rng.exponential(size=n) * np.exp(-risk) + 0.01
  event = rng.random(n) < 0.6
  if ties:
    time = np.ceil(10 * time) / 10
  # The last study is followed longest, so that G is never 0 at an event.
  time[-1], event[-1] = time.max() + 1, False
  alive = np.exp(-np.exp(risk)[:, None] * np.array(TIMES))
  return time, event, risk, alive


class HorizonsTest(parameterized.TestCase):
  @parameterized.product(seed=[0, 1, 2], ties=[False, True])
  def test_equals_scikit_survival(self, seed, ties):
    time, event, risk, alive = _data(seed, ties=ties)
    ones = np.ones((len(time), 1))
    y = util.Surv.from_arrays(event, time)
    areas, _ = sksurv.cumulative_dynamic_auc(y, y, risk, TIMES)
    _, briers = sksurv.brier_score(y, y, alive, TIMES)
    scores = []
    for i, t in enumerate(TIMES):
      found = horizons.auroc(time, event, risk, t)(ones)
      np.testing.assert_allclose(found, areas[i], rtol=1e-9)
      scores.append(horizons.brier(time, event, alive[:, i], t)(ones))
      np.testing.assert_allclose(scores[-1], briers[i], rtol=1e-9)
    expected = sksurv.integrated_brier_score(y, y, alive, TIMES)
    np.testing.assert_allclose(
      horizons.integrated(scores, TIMES), expected, rtol=1e-9
    )

  def test_weight_is_repetition(self):
    time, event, risk, alive = _data(0, ties=True)
    counts = np.random.default_rng(1).poisson(1, size=(len(time), 4))
    for build in (
      lambda r: horizons.auroc(time[r], event[r], risk[r], 0.8),
      lambda r: horizons.brier(time[r], event[r], alive[r, 1], 0.8),
    ):
      found = build(np.arange(len(time)))(counts.astype(float))
      for i in range(4):
        rows = np.repeat(np.arange(len(time)), counts[:, i])
        expected = build(rows)(np.ones((len(rows), 1)))
        np.testing.assert_allclose(found[i], expected[0], rtol=1e-10)

  def test_without_censoring_they_are_the_plain_ones(self):
    time, _, risk, alive = _data(2)
    event = np.ones(len(time), bool)
    ones = np.ones((len(time), 1))
    plain = np.mean((alive[:, 1] - (time > 0.8)) ** 2)
    found = horizons.brier(time, event, alive[:, 1], 0.8)(ones)
    np.testing.assert_allclose(found, plain)

  def test_undefined(self):
    time, event = np.array([1.0, 2.0, 3.0]), np.array([True, False, True])
    ones, s = np.ones((3, 1)), np.array([0.5, 0.5, 0.5])
    self.assertTrue(np.isnan(horizons.auroc(time, event, s, 0.5)(ones)))
    self.assertTrue(np.isnan(horizons.auroc(time, event, s, 3.0)(ones)))
    self.assertTrue(np.isnan(horizons.brier(time, event, s, 3.0)(ones)))
    self.assertEqual(horizons.auroc(time, event, s, 1.5)(ones), 0.5)
    self.assertEqual(horizons.brier(time, event, s, 1.5)(ones), 0.25)
    self.assertTrue(np.isnan(horizons.integrated([np.ones(1)], [1.0])))
    none = np.zeros(3, bool)
    self.assertTrue(np.isnan(horizons.auroc(time, none, s, 1.5)(ones)))


if __name__ == '__main__':
  absltest.main()
