"""Tests of experiments.studies.published.synthesis."""

import json
import math

import numpy as np
from absl.testing import absltest

from experiments.studies.published import reported, studies, synthesis
from fusion_jax.evaluation import meta_analysis
from tests.experiments.studies.published import studies_test


class SynthesisTest(studies_test.PublishedCase):
  def rows(self, k, **change):
    rng = np.random.default_rng(0)
    return [
      studies_test.COMPLETE
      | {
        'id': f's{i}',
        'events': str(40 + 5 * i),
        'non_events': '60',
        'n_test': '',
        'fusion': f'{0.8 + 0.02 * rng.normal():.3f}',
      }
      | change
      for i in range(k)
    ]

  def of(self, *rows):
    return synthesis.synthesise(self.read(*rows))

  def test_pools_only_rows_with_known_events(self):
    rows = self.rows(4)
    rows[1] |= {'events': ''}
    rows[2] |= {'unverified': 'events'}
    result = self.of(*rows)
    self.assertEqual(result['primary']['rows'], ['s0', 's3'])
    self.assertIn('events is unknown', result['primary']['left_out']['s1'])
    self.assertIn('events is unknown', result['primary']['left_out']['s2'])
    self.assertEqual({p['k'] for p in result['pooled'][:9]}, {2})

  def test_numbers_are_those_of_the_functions(self):
    result = self.of(*self.rows(4, use_interval='no'))
    gains, ses = [], []
    for study in result['studies']:
      cells = {k: c['text'] for k, c in study['cells'].items()}
      f, e = float(cells['fusion']), int(cells['events'])
      gains.append(f - 0.75)
      ses.append(
        reported.difference_se(
          reported.auroc_se(f, e, 60),
          reported.auroc_se(0.75, e, 60),
          0.3,
        )
      )
    found = next(
      p
      for p in result['pooled']
      if p['correlation'] == 0.3 and p['estimator'] == 'reml'
    )
    expected = meta_analysis.pool(gains, np.square(ses))
    self.assertAlmostEqual(found['estimate'], expected.estimate)
    self.assertAlmostEqual(found['high'], expected.high)
    plain = meta_analysis.pool(gains, np.square(ses), modified=False)
    self.assertAlmostEqual(found['unmodified']['high'], plain.high)
    self.assertIsNone(found['prediction_high'])
    self.assertIn('4 studies', found['prediction_reason'])
    self.assertAlmostEqual(result['studies'][0]['gain']['se'], ses[0])

  def test_one_single_is_no_best_single(self):
    rows = self.rows(7, ehr_low='', use_interval='no')
    rows[2] |= {'single_image': ''}
    rows[4] |= {'single_ehr': ''}
    result = self.of(*rows)
    self.assertEqual(result['one_single'], ['s2', 's4'])
    self.assertEqual(result['counts']['one_single'], 2)
    self.assertEqual({p['k'] for p in result['pooled']}, {5})
    left_out = result['primary']['left_out']
    self.assertIn('no result of the image alone', left_out['s2'])
    self.assertIn('no result of the record alone', left_out['s4'])
    self.assertNotIn('s2', result['wider_rows'])
    # Shown apart: with an interval, but marked.
    gain = result['studies'][2]['gain']
    self.assertFalse(gain['both'])
    self.assertLess(gain['low'], gain['estimate'])
    others = self.of(*(r for i, r in enumerate(rows) if i not in (2, 4)))
    self.assertEqual(result['pooled'], others['pooled'])
    for p in result['pooled']:
      self.assertLessEqual(p['prediction_low'], p['low'])
      self.assertEqual(p['prediction_reason'], '')

  def test_interval_goes_before_counts(self):
    rows = self.rows(2, ehr_low='0.65', ehr_high='0.85', use_interval='yes')
    result = self.of(*rows)
    expected = reported.difference_se(
      reported.se_from_interval(0.7, 0.9),
      reported.se_from_interval(0.65, 0.85),
      0.3,
    )
    self.assertAlmostEqual(result['studies'][0]['gain']['se'], expected)
    by_source = {p['errors']: p['estimate'] for p in result['pooled']}
    self.assertLen(set(by_source.values()), 2)

  def test_too_few_to_pool(self):
    for rows in (self.rows(1), [self.rows(1)[0] | {'events': ''}]):
      result = self.of(*rows)
      for pooled in result['pooled'][:18]:
        self.assertIsNone(pooled['estimate'])
        self.assertIn('two are needed', pooled['reason'])
      self.assertIsNone(result['egger']['p'])

  def test_egger_from_ten_studies_on(self):
    self.assertIn('9 studies', self.of(*self.rows(9))['egger']['reason'])
    found = self.of(*self.rows(10))['egger']
    self.assertEqual(found['reason'], '')
    self.assertGreater(found['p'], 0)

  def test_unknown_is_null_with_a_reason(self):
    unknown = {'id': 'x', 'confidence': 'unknown', 'in_review': 'yes'}
    other = self.rows(1, metric='accuracy')[0]
    result = self.of(*self.rows(2), unknown, other | {'id': 'y'})
    gain = result['studies'][2]['gain']
    self.assertIsNone(gain['estimate'])
    self.assertIn('no established', gain['reason'])
    self.assertAlmostEqual(
      result['studies'][3]['gain']['estimate'], float(other['fusion']) - 0.75
    )
    self.assertIn('accuracy', result['studies'][3]['gain']['reason'])
    self.assertEqual(result['counts']['unknown'], 1)
    json.dumps(result, allow_nan=False)

  def test_own_table(self):
    result = synthesis.synthesise(studies.read(studies_test.OWN))
    self.assertGreaterEqual(result['counts']['pooled'], 2)
    both = {
      s['cells']['id']['text']: s['gain'].get('both') for s in result['studies']
    }
    self.assertGreaterEqual(result['counts']['one_single'], 3)
    for name in (*result['primary']['rows'], *result['wider_rows']):
      self.assertTrue(both[name], name)
    for study in result['studies']:
      if study['cells']['confidence']['text'] == 'memory':
        self.assertIsNone(study['gain']['estimate'])
    for p in result['pooled']:
      self.assertTrue(math.isfinite(p['estimate']))


if __name__ == '__main__':
  absltest.main()
