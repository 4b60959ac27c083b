import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.evaluation import bands, resampling
from fusion_jax.evaluation import folds as folds_lib

BINARY = types.Task(types.BINARY, ('y',))
MULTICLASS = types.Task(types.MULTICLASS, ('a', 'b'))


def _fold(number, values, *, weight=None):
  n = len(values)
  patient = np.char.add(f'{number}-', (np.arange(n) // 2).astype(str))
  return folds_lib.Fold(
    repeat=0,
    fold=number,
    study=np.arange(n).astype(str),
    patient=patient,
    labels=np.zeros((n, 1)),
    weight=np.ones(n) if weight is None else weight,
    complete=np.ones(n, bool),
    scores={'a': {0: np.array(values)[:, None], 1: np.ones((n, 1))}},
  )


def _mean(y, s):
  del y
  return lambda w: ((s @ w) / np.maximum(w.sum(axis=0), 1e-9))[None]


class MeansTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.folds = [_fold(0, rng.random(20)), _fold(1, rng.random(30))]
    self.resamples = resampling.draw(
      np.concatenate([f.patient for f in self.folds]), replicates=500, seed=0
    )

  def _means(self, folds, arm='a'):
    return bands.means(
      folds, lambda f: bands.kernels(BINARY, f, arm, _mean), self.resamples
    )

  def test_mean_over_seeds_then_folds_and_the_same_resamples(self):
    found = self._means(self.folds)
    self.assertEqual(found.shape, (1, 1 + bands.MOST_REPLICATES))
    of_fold = [(f.scores['a'][0].mean() + 1) / 2 for f in self.folds]
    self.assertAlmostEqual(found[0, 0], np.mean(of_fold))
    expected = []
    for fold in self.folds:
      w = self.resamples.counts[self.resamples.rows(fold.patient), 7]
      expected.append((w @ fold.scores['a'][0][:, 0] / w.sum() + 1) / 2)
    self.assertAlmostEqual(found[0, 8], np.mean(expected))

  def test_bounds(self):
    found = self._means(self.folds)
    low, high = bands.bounds(found)
    expected = np.quantile(found[0, 1:], [0.025, 0.975])
    np.testing.assert_allclose([low[0], high[0]], expected)
    found[0, 5:] = np.nan
    self.assertTrue(np.isnan(bands.bounds(found)).all())

  def test_no_model(self):
    self.assertIsNone(self._means(self.folds, 'none'))
    found = bands.band(None, np.zeros(1))
    self.assertIn('no model', found['reason'])
    self.assertEmpty(found['y'])

  def test_fold_without_models_is_left_out(self):
    lonely = _fold(2, np.ones(4))
    lonely = folds_lib.Fold(**{**vars(lonely), 'scores': {}})
    np.testing.assert_array_equal(
      self._means([*self.folds, lonely]), self._means(self.folds)
    )

  def test_json(self):
    found = bands.band(np.full((1, 5), np.nan), np.array([0.123456789]))
    self.assertEqual(found['x'], [0.12346])
    self.assertEqual(found['y'], [None])
    self.assertIn('undefined', found['reason'])

  def test_one_class_against_the_rest(self):
    fold = _fold(0, np.ones(3))
    fold.labels[:] = [[0.0], [1.0], [np.nan]]
    scores = np.array([[0.2, 0.8], [0.4, 0.6], [1.0, 0.0]])
    y, s = bands.column(MULTICLASS, fold, scores, 'b')
    np.testing.assert_array_equal(y, [0, 1, np.nan])
    np.testing.assert_array_equal(s, [0.8, 0.6, 0.0])


if __name__ == '__main__':
  absltest.main()
