import numpy as np
from absl.testing import absltest

from experiments.studies.zoo import grounds, scores, trials
from fusion_jax.core import types
from fusion_jax.data import cohort as cohorts
from fusion_jax.evaluation import delong


def _gained(low, where='test'):
  return scores.Gained('image', 'random', where, 0.8, 0.8, low, low + 0.01)


class PairedTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.positive = rng.random(400) < 0.4
    self.first, self.second = (
      self.positive + rng.normal(size=(1, 400)) for _ in range(2)
    )

  def test_of_patients_with_one_study_it_is_delongs(self):
    found = scores.paired(
      self.positive, self.first, self.second, np.arange(400)
    )
    areas = delong.areas(
      self.positive, np.concatenate([self.first, self.second])
    )
    expected = areas.combine(np.array([[1.0, -1.0]]))
    self.assertAlmostEqual(found[0], expected.auroc[0])
    # But for n / (n - 1) of classes instead of all patients.
    half = 1.959964 * expected.se[0]
    np.testing.assert_allclose(found[2] - found[0], half, rtol=0.01)
    np.testing.assert_allclose(found[0] - found[1], half, rtol=0.01)

  def test_studies_shown_twice_tell_no_more(self):
    once = scores.paired(self.positive, self.first, self.second, np.arange(400))
    twice = scores.paired(
      np.tile(self.positive, 2),
      np.tile(self.first, 2),
      np.tile(self.second, 2),
      np.tile(np.arange(400), 2),
    )
    np.testing.assert_allclose(once, twice, atol=1e-12)

  def test_is_the_mean_over_seeds(self):
    found = scores.paired(
      self.positive,
      np.concatenate([self.first, self.second]),
      np.concatenate([self.second, self.first]),
      np.arange(400),
    )
    np.testing.assert_allclose(found, 0, atol=1e-12)

  def test_covers(self):
    """About 95% of true differences, where studies of a patient are alike."""
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(300):
      patient = np.repeat(np.arange(100), 2)
      positive = (rng.random(100) < 0.5)[patient]
      alike = rng.normal(size=(2, 1, 100))[:, :, patient]
      one, two = positive + alike + 0.3 * rng.normal(size=(2, 1, 200))
      _, low, high = scores.paired(positive, one, two, patient)
      inside.append(low <= 0 <= high)
    self.assertBetween(np.mean(inside), 0.91, 0.98)


class SynergyTest(absltest.TestCase):
  def test_share_of_the_best_lift(self):
    found = scores.Synergy(0.8, (0.7, 0.9), 0.9)
    self.assertAlmostEqual(found.share, 0.75)

  def test_worst_bound_of_a_place(self):
    found = [_gained(-0.01), _gained(-0.03), _gained(-0.5, 'both')]
    self.assertEqual(scores.worst(found, 'test'), -0.03)


class CurveTest(absltest.TestCase):
  def test_mixes_predictions_with_and_without_the_modality(self):
    n, m = 40, 'a'
    labels = (np.arange(n) % 2).astype(float)
    half = scores.gap_of(m, 0.5, 'random')
    gone = scores.gap_of(m, 1, 'random')
    gaps = (grounds.WHOLE, half, gone)
    lost = {
      grounds.WHOLE: np.zeros(n, bool),
      half: np.arange(n) < n // 2,
      gone: np.ones(n, bool),
    }
    cohort = cohorts.Cohort(
      name='x',
      task=types.Task('binary', ('y',)),
      study=np.arange(3 * n).astype(str),
      patient=np.arange(3 * n).astype(str),
      labels=np.tile(labels, 3)[:, None],
    )
    ground = grounds.Ground(
      cohort,
      {},
      {('w', g): np.arange(n) + n * k for k, g in enumerate(gaps)},
      {('w', g): x for g, x in lost.items()},
      {'w': (np.arange(0), np.arange(0), np.arange(n))},
    )
    # Right with the modality, wrong without it.
    logits = np.concatenate([labels, labels, -labels])
    trial = trials.Trial({trials.Cell('w', grounds.WHOLE, 0): logits}, 1, 0.0)
    found = scores.curve(
      ground, trial, m, 'random', train=(0.0,), test=(0.0, 0.5, 1.0), world='w'
    )
    self.assertEqual(found[0, 0], 1.0)
    self.assertEqual(found[0, 2], 0.0)
    self.assertBetween(found[0, 1], 0.3, 0.7)


if __name__ == '__main__':
  absltest.main()
