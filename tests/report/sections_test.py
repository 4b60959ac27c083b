"""Tests of the sections of a report."""

import copy

from absl.testing import absltest, parameterized

from fusion_jax.report import choices, content, sections
from tests.report import parts, samples


class SectionsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.rich = parts.rich(samples.sample(missing=True))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.rich)

  @parameterized.parameters(
    ('Joint 1', 'joint_1'), ('../x', 'x'), ('é', 'x'), ('a/b', 'a_b')
  )
  def test_slug(self, name, expected):
    self.assertEqual(sections.slug(name), expected)

  def test_arms_that_are_not_drawn_are_in_the_table(self):
    captions = self.captions()
    self.assertNotIn('without a value', ' '.join(captions.values()))
    entry = self.summary['tradeoffs']['arms']['joint']
    entry |= {'parameters': None, 'parameters_reason': 'nobody counted'}
    captions = self.captions()
    self.assertIn('without a value', captions['tradeoff_parameters'])
    self.assertNotIn('without a value', captions['tradeoff_latency_seconds'])

  def captions(self):
    section = sections.tradeoffs(self.summary, content.build(self.summary))
    return {x.name: x.caption for x in section.figures}

  @parameterized.parameters(
    ('survival', 'Calibration at 365'), ('multilabel', 'Calibration, 365')
  )
  def test_curves_of_a_time_or_a_label(self, kind, title):
    self.summary['task']['kind'] = kind
    points = {'x': [0.1, 0.9], 'y': [0.2, 0.8]}
    section = sections.curves(
      self.summary, {'joint': {'calibration/365': points}}
    )
    self.assertEqual([x.title for x in section.figures], [title])

  def test_curves_say_which_arms_are_left_out(self):
    points = {'x': [0.1, 0.9], 'y': [0.2, 0.8]}
    curves = {a: {'calibration': points} for a in self.summary['arms']}
    (lead,) = sections.curves(self.summary, curves).lead
    self.assertStartsWith(lead, 'The arms that were the reference of some fold')
    self.assertNotIn('At most', lead)
    arms = self.summary['arms']
    for k in range(4):
      arms[f'other_{k}'] = {**arms['joint'], 'strategy': f's{k}'}
    section = sections.curves(self.summary, curves)
    (lead,) = section.lead
    out = choices.crowded_out(self.summary)
    self.assertNotEmpty(out)
    self.assertIn(f'At most 6 are drawn, without {", ".join(out)}. ', lead)

  def test_curves_of_arms_that_nothing_chose(self):
    curves = {'x': {'calibration': {'x': [0.1, 0.9], 'y': [0.2, 0.8]}}}
    (lead,) = sections.curves(self.summary, curves).lead
    self.assertStartsWith(lead, 'Means over folds')

  def test_without_costs_there_is_no_word_of_them(self):
    section = sections.tradeoffs(self.summary, content.build(self.summary))
    self.assertEqual(section.title, 'Costs and trade-offs')
    self.summary['tradeoffs'] = None
    for entry in self.summary['arms'].values():
      entry['cost'] = {}
    section = sections.tradeoffs(self.summary, content.build(self.summary))
    self.assertEqual(section.title, 'Calibration and spread')

  def test_the_difference_names_its_reference(self):
    self.summary['evaluation']['reference'] = 'ehr'
    section = sections.arms(self.summary, content.build(self.summary))
    self.assertEqual(section.figures[0].title, "Difference in auroc from 'ehr'")

  def test_deviations_are_told(self):
    section = sections.registration(self.summary)
    self.assertEqual(
      section.lead, ["Deviation: arm 'late_mean' was not registered"]
    )
    self.summary['registration']['deviations'] = []
    self.summary['registration']['unchecked'] = ['Its digest is not known.']
    self.assertEqual(
      sections.registration(self.summary).lead,
      ['No deviation was found.', 'Its digest is not known.'],
    )


if __name__ == '__main__':
  absltest.main()
