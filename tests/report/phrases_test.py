"""Tests of what numbers are said to mean."""

import copy

from absl.testing import absltest

from fusion_jax.report import content, facts, prose
from tests.report import parts, samples


class PhrasesTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.rich = parts.rich(samples.sample(missing=True))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.rich)

  def phrase(self, name):
    return prose.passage('phrases', name, facts.of(self.summary))

  def test_notes_say_how_intervals_were_made(self):
    self.assertIn(
      'standardised max-t', ' '.join(content.build(self.summary).footnotes)
    )
    self.summary['evaluation'].update(method='delong', reference='ehr')
    found = ' '.join(content.build(self.summary).footnotes)
    self.assertIn("by DeLong's method", found)
    self.assertIn('maximum of a normal vector', found)
    self.assertIn("'ehr', which was given by name", found)
    self.assertNotIn('redrawn', found)

  def test_means_are_over_what_there_was(self):
    self.assertEqual(
      self.phrase('averaged'), "on each fold's test part; mean over folds"
    )
    self.assertNotIn('seed sd', ' '.join(content.build(self.summary).footnotes))
    self.assertIn('fold sd', ' '.join(content.build(self.summary).footnotes))
    arm = self.summary['arms']['joint']
    for fold in arm['folds']:
      fold['seeds'] = [0, 1]
    arm['variability']['seed_sd'] = 0.01
    self.assertEndsWith(self.phrase('averaged'), 'over folds and seeds')
    self.assertIn('seed sd', ' '.join(content.build(self.summary).footnotes))

  def test_one_test_part(self):
    self.summary['folds'] = self.summary['folds'][:1]
    for arm in self.summary['arms'].values():
      arm['variability']['fold_sd'] = None
    self.assertEqual(self.phrase('averaged'), 'on the test part')
    found = ' '.join(content.build(self.summary).footnotes)
    self.assertIn('best single modality on these studies', found)
    self.assertNotIn('fold sd', found)

  def test_frozen_models(self):
    self.summary['audits']['external'] = {'trained_on': 'elsewhere'}
    self.assertStartsWith(self.phrase('averaged'), 'on all studies, for')

  def test_times_are_told_where_there_are_any(self):
    told = ' '.join(content.build(self.summary).footnotes)
    self.assertIn('time, compile: of the models of the arm itself', told)
    self.assertIn('first table of the page is that of those it builds', told)
    for arm in self.summary['arms'].values():
      arm['cost'].pop('compile_seconds', None)
    self.assertNotIn('compile', ' '.join(content.build(self.summary).footnotes))
    for arm in self.summary['arms'].values():
      arm['cost'] = {'parameters': 3}
    self.assertNotIn('compile', ' '.join(content.build(self.summary).footnotes))

  def test_bounds_say_what_they_are_corrected_for(self):
    self.summary['evaluation']['factor'] = {'value': 1.25, 'shared': True}
    self.assertIn('standard errors times 1.25', self.phrase('gain'))
    self.assertIn('all 3 fusion arms at once', self.phrase('gain'))
    self.summary['evaluation']['factor'] = {'value': 1.0, 'shared': False}
    self.assertNotIn('standard errors times', self.phrase('gain'))
    del self.summary['comparisons'][1:]
    self.assertIn('the one fusion arm', self.phrase('gain'))


if __name__ == '__main__':
  absltest.main()
