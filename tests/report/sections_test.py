"""Tests of the sections of a report."""

import copy

from absl.testing import absltest, parameterized

from fusion_jax.report import choices, content, facts, sections
from tests.report import parts, samples


class SectionsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.rich = parts.rich(samples.sample(missing=True))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.rich)

  def section(self, build):
    page = content.build(self.summary)
    return build(self.summary, page)

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
    self.assertStartsWith(lead, 'The best single modality')
    arms = self.summary['arms']
    self.assertIn('At most 4', lead)
    few = {**self.summary, 'arms': {a: arms[a] for a in ('ehr', 'joint')}}
    (lead,) = sections.curves(few, curves).lead
    self.assertNotIn('At most', lead)
    for k in range(4):
      arms[f'other_{k}'] = {**arms['joint'], 'strategy': f's{k}'}
    section = sections.curves(self.summary, curves)
    (lead,) = section.lead
    out = choices.crowded_out(self.summary)
    self.assertNotEmpty(out)
    self.assertIn(f'At most 4 are drawn, without {", ".join(out)}. ', lead)

  def test_curves_of_arms_that_nothing_chose(self):
    curves = {'x': {'calibration': {'x': [0.1, 0.9], 'y': [0.2, 0.8]}}}
    (lead,) = sections.curves(self.summary, curves).lead
    self.assertStartsWith(lead, 'Means over folds')

  def test_the_difference_names_its_reference(self):
    self.summary['evaluation']['reference'] = 'ehr'
    section = self.section(sections.arms)
    self.assertEqual(section.figures[0].title, "Gain in AUROC over 'ehr'")

  def test_deviations_are_told(self):
    section = sections.registration(self.summary, facts.of(self.summary))
    self.assertEqual(
      section.lead, ["Deviation: arm 'late_mean' was not registered"]
    )
    self.summary['registration']['deviations'] = []
    self.summary['registration']['unchecked'] = ['Its digest is not known.']
    self.assertEqual(
      sections.registration(self.summary, facts.of(self.summary)).lead,
      ['No deviation was found.', 'Its digest is not known.'],
    )

  def test_a_run_in_which_all_finished_is_one_line(self):
    self.assertTrue(sections.history(self.summary).holds_more())
    for entry in self.summary['history']:
      entry['status'] = 'finished'
    section = sections.history(self.summary)
    self.assertFalse(section.holds_more())
    count = len(self.summary['history'])
    self.assertEqual(section.brief, f'all {count} finished')

  def complete(self, lacking, verdict):
    studies = self.summary['cohort']['studies']
    self.summary['complete_cases']['studies'] = studies - lacking
    self.summary['question'].update(complete_cases=verdict, verdict='superior')
    return self.section(sections.complete)

  def test_complete_cases_are_one_line_where_few_lack_a_modality(self):
    section = self.complete(1, 'superior')
    self.assertIn('119 of 120 studies have all modalities', section.brief)
    self.assertIn('the answer is the same', section.brief)
    self.assertFalse(section.holds_more())

  def test_complete_cases_are_in_full_where_it_matters(self):
    self.assertTrue(self.complete(2, 'superior').holds_more())
    section = self.complete(1, 'inconclusive')
    self.assertIn('there it is inconclusive', section.brief)
    self.assertTrue(section.holds_more())

  def test_without_complete_cases_there_is_no_word_of_them(self):
    self.summary['complete_cases'] = None
    self.assertFalse(self.section(sections.complete))


if __name__ == '__main__':
  absltest.main()
