"""Tests of the sections that ask what a gain is worth."""

import copy

from absl.testing import absltest

from fusion_jax.report import content, facts, scrutiny
from tests.report import parts, samples


class ScrutinyTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.rich = parts.rich(samples.sample(missing=True))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.rich)

  def test_arms_that_are_not_drawn_are_in_the_table(self):
    captions = self.captions()
    self.assertNotIn('without a value', ' '.join(captions.values()))
    entry = self.summary['tradeoffs']['arms']['joint']
    entry |= {'parameters': None, 'parameters_reason': 'nobody counted'}
    captions = self.captions()
    self.assertIn('without a value', captions['tradeoff_parameters'])
    self.assertNotIn('without a value', captions['tradeoff_latency_seconds'])

  def facts(self):
    return facts.of(self.summary)

  def tradeoffs(self):
    page = content.build(self.summary)
    return scrutiny.tradeoffs(self.summary, page)

  def captions(self):
    section = self.tradeoffs()
    return {x.name: x.caption for x in section.figures}

  def test_without_costs_there_is_no_word_of_them(self):
    self.summary['tradeoffs'] = None
    section = self.tradeoffs()
    self.assertEqual(section.tables[0].name, 'costs')
    for entry in self.summary['arms'].values():
      entry['cost'] = {}
    section = self.tradeoffs()
    self.assertFalse(any(section.tables) or any(section.figures))

  def test_costs_stand_in_one_table(self):
    section = self.tradeoffs()
    self.assertLen([x for x in section.tables if x], 1)

  def test_audits_are_told_in_one_line(self):
    self.assertEqual(
      scrutiny.audits(self.summary, self.facts()).brief,
      '1 of 4 alarms: missingness; 1 not possible',
    )
    self.summary['audits'] = {}
    self.assertFalse(any(scrutiny.audits(self.summary, self.facts()).tables))
    self.assertEqual(scrutiny.audits(self.summary, self.facts()).brief, '')

  def test_groups_are_counted_and_small_ones_not_named(self):
    section = scrutiny.subgroups(self.summary, self.facts())
    self.assertEqual(section.brief, '6 groups; 1 too small to be shown')


if __name__ == '__main__':
  absltest.main()
