"""Tests of the missing-modality curves."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import metrics, missing, resampling

_TASK = types.Task(types.BINARY, ('sick',))
_N = 200


def _fold(fold=0, seed=0):
  """Two informative modalities; 'joint' knows both."""
  rng = np.random.default_rng(seed)
  y = (rng.random(_N) < 0.4).astype(float)
  image, ehr = (rng.normal(size=_N) + y for _ in range(2))

  def probability(x):
    return 1 / (1 + np.exp(-x))[:, None]

  scores = {
    'image': {0: probability(image)},
    'ehr': {0: probability(ehr)},
    'joint': {0: probability(image + ehr), 1: probability(image + 2 * ehr)},
  }
  constant = np.full((_N, 1), y.mean())
  without = {
    'image': {0: constant},
    'joint': {0: scores['ehr'][0], 1: scores['ehr'][0]},
  }
  common = {
    'repeat': 0,
    'fold': fold,
    'study': np.array([f's{i:03}' for i in range(_N)]),
    'patient': np.array([f'p{i // 2:03}' for i in range(_N)]),
    'labels': y[:, None],
    'weight': np.ones(_N),
    'complete': np.ones(_N, bool),
  }
  return (
    folds_lib.Fold(**common, scores=scores),
    folds_lib.Fold(**common, scores=without),
  )


def _curves(**changes):
  intact, absent = _fold()
  arguments = {
    'arms': ['image', 'ehr', 'joint'],
    'references': ['ehr'],
    'others': {'image': ['ehr']},
    'metric': 'auroc',
    'resamples': resampling.draw(intact.patient, replicates=60, seed=0),
  }
  return missing.curves(
    _TASK, [intact], {'image': [absent]}, **{**arguments, **changes}
  )


class ReplicatesTest(parameterized.TestCase):
  @parameterized.parameters((60, 60), (700, 500))
  def test_rows_say_how_often_patients_were_redrawn(self, drawn, used):
    intact, _ = _fold()
    resamples = resampling.draw(intact.patient, replicates=drawn, seed=0)
    rows = _curves(resamples=resamples, rates=(0.5,))
    self.assertEqual({x['replicates'] for x in rows}, {used})


class OrderTest(parameterized.TestCase):
  @parameterized.parameters(*missing.MECHANISMS)
  def test_is_a_permutation_that_the_seed_fixes(self, mechanism):
    scores = np.linspace(0, 1, 50)[:, None]

    def order(seed):
      return missing.order(
        _TASK, scores, mechanism=mechanism, n=50, seed=(seed, 0, 0)
      )

    np.testing.assert_array_equal(np.sort(order(0)), np.arange(50))
    np.testing.assert_array_equal(order(0), order(0))
    self.assertFalse(np.array_equal(order(0), order(1)))

  def test_informative_loses_high_risk_first(self):
    scores = np.linspace(0, 1, 500)[:, None]
    ranks = {
      m: missing.order(_TASK, scores, mechanism=m, n=500, seed=(0, 0, 0))
      for m in missing.MECHANISMS
    }
    high = scores[:, 0] > 0.5
    self.assertLess(
      ranks['informative'][high].mean(),
      ranks['informative'][~high].mean() - 100,
    )
    self.assertLess(
      abs(ranks['random'][high].mean() - ranks['random'][~high].mean()), 50
    )

  def test_constant_risk_is_as_random(self):
    ranks = missing.order(
      _TASK, np.full((9, 1), 0.3), mechanism='informative', n=9, seed=(1,)
    )
    np.testing.assert_array_equal(np.sort(ranks), np.arange(9))

  def test_multiclass_risk_is_not_being_of_the_common_class(self):
    task = types.Task(types.MULTICLASS, ('a', 'b', 'c'))
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([6, 1, 1], size=300)
    ranks = missing.order(
      task, scores, mechanism='informative', n=300, seed=(0,)
    )
    rare = scores[:, 0] < np.median(scores[:, 0])
    self.assertLess(ranks[rare].mean(), ranks[~rare].mean())


class MixTest(absltest.TestCase):
  def test_takes_each_study_from_one_side(self):
    intact, absent = _fold()
    lost = np.arange(_N) % 3 == 0
    mixed = missing.mix(intact, absent, lost)
    for seed in (0, 1):
      np.testing.assert_array_equal(
        mixed.scores['joint'][seed][lost], absent.scores['joint'][seed][lost]
      )
      np.testing.assert_array_equal(
        mixed.scores['joint'][seed][~lost], intact.scores['joint'][seed][~lost]
      )
    np.testing.assert_array_equal(
      mixed.scores['ehr'][0], intact.scores['ehr'][0]
    )


class CurvesTest(absltest.TestCase):
  def test_ends_are_the_two_conditions(self):
    intact, absent = _fold()
    rows = {(r['mechanism'], r['rate']): r for r in _curves()}
    self.assertLen(rows, 2 * len(missing.RATES))
    for mechanism in missing.MECHANISMS:
      for rate, fold in ((0.0, intact), (1.0, absent)):
        expected = np.mean(
          [
            metrics.evaluate(_TASK, fold.labels, s)['auroc'].estimate
            for s in fold.scores['joint'].values()
          ]
        )
        found = rows[mechanism, rate]['arms']['joint']
        self.assertAlmostEqual(found['estimate'], expected)
        self.assertLessEqual(found['low'], found['estimate'])
        self.assertGreaterEqual(found['high'], found['estimate'])

  def test_an_arm_blind_to_the_modality_stays(self):
    values = {r['arms']['ehr']['estimate'] for r in _curves()}
    self.assertLen(values, 1)

  def test_fusion_falls_to_the_other_modality(self):
    rows = [r for r in _curves() if r['mechanism'] == 'random']
    joint = [r['arms']['joint']['estimate'] for r in rows]
    self.assertGreater(joint[0], joint[-1] + 0.02)
    self.assertAlmostEqual(rows[-1]['gain']['joint']['estimate'], 0)
    self.assertGreater(rows[0]['gain']['joint']['low'], 0)

  def test_without_a_reference_there_is_no_gain(self):
    self.assertEmpty(_curves(references=[None])[0]['gain'])

  def test_undefined_has_a_reason(self):
    intact, absent = _fold()
    one = [
      folds_lib.Fold(**{**vars(f), 'labels': np.zeros((_N, 1))})
      for f in (intact, absent)
    ]
    rows = missing.curves(
      _TASK,
      [one[0]],
      {'image': [one[1]]},
      arms=['joint'],
      references=['ehr'],
      others={},
      metric='auroc',
      resamples=resampling.draw(intact.patient, replicates=60, seed=0),
    )
    entry = rows[0]['arms']['joint']
    self.assertTrue(np.isnan(entry['estimate']))
    self.assertNotEmpty(entry['reason'])


if __name__ == '__main__':
  absltest.main()
