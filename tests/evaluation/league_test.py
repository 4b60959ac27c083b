"""Tests of fusion_jax.evaluation.league."""

import dataclasses
import json
import math

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.evaluation import league, league_runs, meta_analysis
from tests import league_samples

GAINS = (0.05, 0.01, 0.03, 0.02, 0.06)
SES = (0.01, 0.02, 0.015, 0.01, 0.03)


class NumbersTest(parameterized.TestCase):
  def test_no_correlation_has_a_larger_error_of_the_mean(self):
    """The bound is met at correlation 1 and by nothing above it."""
    rng = np.random.default_rng(0)
    ses = np.array([0.01, 0.03, 0.02])
    mean, bound = league.mean_effect([0.1, 0.2, 0.6], ses)
    self.assertAlmostEqual(mean, 0.3)
    self.assertAlmostEqual(bound, math.sqrt(np.outer(ses, ses).mean()))
    for _ in range(50):
      x = rng.normal(size=(3, 4))
      correlation = np.corrcoef(x)
      variance = (correlation * np.outer(ses, ses)).mean()
      self.assertLessEqual(math.sqrt(variance), bound + 1e-12)

  def test_holm_by_hand(self):
    found = league.holm([0.01, 0.04, 0.03, math.nan, 0.9])
    np.testing.assert_allclose(found[[0, 1, 2, 4]], [0.04, 0.09, 0.09, 0.9])
    self.assertTrue(math.isnan(found[3]))
    self.assertEmpty(league.holm([]))
    np.testing.assert_array_equal(league.holm([0.7, 0.8]), [1, 1])

  def test_holm_keeps_the_error_of_a_family(self):
    """Of families without any effect 5% have an adjusted p below .05."""
    rng = np.random.default_rng(1)
    wrong = np.mean(
      [(league.holm(rng.uniform(size=6)) < 0.05).any() for _ in range(4000)]
    )
    self.assertAlmostEqual(wrong, 0.05, delta=0.011)


class SummariseTest(league_samples.RunsCase):
  def league(self, *runs, **options):
    folders = [
      self.write(f'r{i}', **{'name': f'cohort{i}', **x})
      for i, x in enumerate(runs)
    ]
    return league.summarise(league_runs.read(folders), **options)

  def entry(self, found, by, name):
    (entry,) = (
      x for x in found['pooled'] if (x['by'], x['name']) == (by, name)
    )
    return entry

  @parameterized.parameters(*meta_analysis.ESTIMATORS)
  def test_a_method_is_pooled_as_the_meta_analysis_does(self, estimator):
    found = self.league(
      *(
        {'gains': {'joint': g}, 'se': s}
        for g, s in zip(GAINS, SES, strict=True)
      ),
      estimator=estimator,
    )
    expected = meta_analysis.pool(np.array(GAINS), np.square(SES), estimator)
    entry = self.entry(found, league.METHOD, 'joint')
    for field in dataclasses.fields(expected):
      self.assertEqual(entry[field.name], getattr(expected, field.name))
    self.assertLess(entry['prediction_low'], entry['low'])
    self.assertEqual([x['estimate'] for x in entry['effects']], list(GAINS))
    json.dumps(found, allow_nan=False)

  @parameterized.parameters(2, 4, 5)
  def test_a_prediction_interval_from_five_cohorts_on(self, k):
    found = self.league(*({'gains': {'joint': g}} for g in GAINS[:k]))
    entry = self.entry(found, league.ALL, league.EVERY_ARM)
    self.assertEqual(entry['prediction_low'] is None, k < 5)
    self.assertEqual(bool(entry['prediction_reason']), k < 5)

  def test_a_strategy_is_the_mean_of_its_arms_and_not_the_best(self):
    gains = {'joint': 0.05, 'gated': -0.01, 'late_mean': 0.03}
    se = {'joint': 0.02, 'gated': 0.01, 'late_mean': 0.01}
    found = self.league(*[{'gains': gains, 'se': se}] * 3)
    entry = self.entry(found, league.STRATEGY, 'joint')
    self.assertLen(entry['effects'], 3)
    effect = entry['effects'][0]
    self.assertAlmostEqual(effect['estimate'], 0.02)
    self.assertAlmostEqual(effect['se'], 0.015)
    self.assertEqual(effect['arms'], 2)
    self.assertAlmostEqual(entry['estimate'], 0.02)
    whole = self.entry(found, league.ALL, league.EVERY_ARM)
    self.assertAlmostEqual(whole['estimate'], 0.07 / 3)

  def test_p_is_adjusted_within_methods(self):
    rng = np.random.default_rng(0)
    found = self.league(
      *(
        {
          'gains': {
            'joint': 0.03 + rng.normal() / 99,
            'gated': rng.normal() / 99,
            'late_mean': -0.03 + rng.normal() / 99,
          }
        }
        for _ in range(6)
      )
    )
    methods = [x for x in found['pooled'] if x['by'] == league.METHOD]
    self.assertLen(methods, 3)
    np.testing.assert_allclose(
      [x['p_adjusted'] for x in methods],
      league.holm([x['p'] for x in methods]),
    )
    verdicts = {x['name']: x['verdict'] for x in methods}
    self.assertEqual(
      verdicts,
      {
        'joint': 'superior',
        'gated': 'inconclusive',
        'late_mean': 'inferior',
      },
    )

  def test_what_one_cohort_ran_is_not_pooled(self):
    found = self.league({'gains': {'joint': 0.1, 'gated': 0.2}}, {})
    gated = self.entry(found, league.METHOD, 'gated')
    self.assertEqual(gated['k'], 2)
    found = self.league(
      {'gains': {'joint': 0.1, 'gated': 0.2}}, {'gains': {'joint': 0.1}}
    )
    gated = self.entry(found, league.METHOD, 'gated')
    self.assertEqual((gated['k'], gated['estimate']), (1, None))
    self.assertIn('one cohort', gated['reason'])
    self.assertEqual(gated['verdict'], '')
    self.assertLen(gated['effects'], 1)

  def test_runs_of_one_cohort_are_not_independent(self):
    runs = (
      {'ids': 'x', 'gains': {'joint': 0.02}, 'se': 0.01},
      {'ids': 'x', 'gains': {'joint': 0.06}, 'se': 0.03},
      {'ids': 'y', 'gains': {'joint': 0.05}, 'se': 0.01},
    )
    with self.assertRaisesRegex(
      errors.UserError,
      'of one cohort .60 studies have the same id in both. and so are not '
      'independent',
    ):
      self.league(*runs)
    with self.subTest('their mean'):
      found = self.league(*runs, shared=league.AVERAGE)
      entry = self.entry(found, league.METHOD, 'joint')
      self.assertEqual(entry['k'], 2)
      self.assertAlmostEqual(entry['effects'][0]['estimate'], 0.04)
      self.assertAlmostEqual(entry['effects'][0]['se'], 0.02)
      self.assertIn('count as one', ' '.join(found['warnings']))
      self.assertEqual(
        [x['name'] for x in found['cohorts']],
        ['cohort0 and cohort1', 'cohort2'],
      )
    with self.subTest('ids that only happen to be the same'):
      found = self.league(*runs, shared=league.INDEPENDENT)
      self.assertEqual(self.entry(found, league.METHOD, 'joint')['k'], 3)

  def test_the_same_content_is_never_independent(self):
    runs = [{'name': 'a'}, {'name': 'a'}]
    for shared in (league.REFUSE, league.INDEPENDENT):
      with self.assertRaisesRegex(errors.UserError, 'content is the same'):
        self.league(*runs, shared=shared)
    with self.assertRaisesRegex(errors.UserError, 'All runs are of one'):
      self.league(*runs, shared=league.AVERAGE)

  def test_unknown_names(self):
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'reml'"):
      self.league({}, {}, estimator='rmel')
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'average'"):
      self.league({}, {}, shared='avrage')

  def test_warnings(self):
    made = {'learner': 'neural', 'inputs': [], 'combiner': 'concat'}
    arms = {'joint': {'strategy': 'joint', 'made_of': made}}
    other = {'joint': {'made_of': {**made, 'combiner': 'gated'}}}
    found = self.league(
      {'gains': {'joint': 0.1}, 'arms': arms},
      {'gains': {'joint': 0.1}, 'arms': other},
    )
    text = ' '.join(found['warnings'])
    self.assertIn("'joint' is not made of the same parts", text)
    self.assertIn('do not say by which strategy', text)
    self.assertIn('predictions are not there', text)
    same = self.league(
      {'gains': {'joint': 0.1}, 'arms': arms, 'ids': 'x'},
      {'gains': {'joint': 0.1}, 'arms': arms, 'ids': 'y'},
    )
    self.assertEmpty(same['warnings'])


if __name__ == '__main__':
  absltest.main()
