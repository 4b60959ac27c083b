"""Tests of what is said of controls."""

import copy

from absl.testing import absltest

from fusion_jax.report import controls, text
from tests.report import parts, reader, samples


class ControlsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = parts.rich(samples.sample())

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def test_controls_are_the_summary_s(self):
    found = reader.rows(controls.table(self.summary))
    entry = self.summary['controls']['joint']['conditions']['image_permuted']
    left, lost = found['joint', 'image permuted']
    self.assertEqual(left.number, text.number(entry['metrics']['auroc']))
    self.assertEqual(lost.number, text.number(entry['loss']))
    self.assertLen(found, 8 * 3)

  def test_a_control_that_was_not_run_is_left_out(self):
    entry = self.summary['controls']['joint']
    entry['conditions'] = {}
    entry['ensemble'] = parts.entry(None, reason='not run')
    names = [x.name for x in controls.lines(self.summary, 'joint')]
    self.assertEqual(names, ['EMAP (no interactions)'])

  def test_fusion_answers_know_three_states(self):
    found = {
      row[0].text: [c.text for c in row[1:]]
      for row in controls.fusion_answers(self.summary).rows()
    }
    self.assertEqual(found['joint'], ['yes', 'not shown', 'not tested'])

  def test_the_ensemble_is_said_to_be_what_it_is(self):
    for entry in self.summary['controls'].values():
      entry['fusion']['beats_ensemble'] = True
    table = controls.fusion_answers(self.summary)
    self.assertEqual(
      table.columns[-1].title, 'beats an ensemble of the best single modality'
    )
    self.assertIn('single modality that is best on these studies', table.note)
    for entry in self.summary['controls'].values():
      entry['fusion']['beats_ensemble'] = None
    self.assertEqual(controls.fusion_answers(self.summary).note, '')

  def test_shapley_without_values_is_empty(self):
    self.assertTrue(controls.shapley(self.summary))
    for entry in self.summary['controls'].values():
      entry['shapley'] = {'reason': 'needs other conditions'}
    self.assertFalse(controls.shapley(self.summary))

  def test_shapley_of_many_modalities_and_their_sides(self):
    entry = self.summary['controls']['joint']
    value = {'estimate': 0.1, 'low': 0.0, 'high': 0.2}
    entry['shapley'] = {m: value for m in ('xray', 'ct', 'labs', 'all')}
    entry['sides'] = {'image': ['xray', 'ct'], 'ehr': ['labs']}
    entry['shapley_of_sides'] = {'image': value, 'ehr': value}
    table = controls.shapley(self.summary)
    names = [r[1].text for r in table.rows() if r[0].text == 'joint']
    self.assertEqual(
      names,
      [
        *('xray', 'ct', 'labs'),
        'imaging (xray, ct), together',
        'labs, together',
        'all',
      ],
    )
    self.assertLen(table.columns, 3)
    entry['shapley']['ct'] = {**value, 'sampling_se': 0.013}
    table = controls.shapley(self.summary)
    self.assertLen(table.columns, 4)
    shown = [r[3].text for r in table.rows() if r[1].text == 'ct']
    self.assertEqual(shown, ['.013'])

  def test_controls_are_called_by_the_modalities_of_the_cohort(self):
    sides = {'image': ['scan'], 'ehr': ['labs', 'notes']}
    named = {
      x: controls.name_of(x, sides)
      for x in ('image_permuted', 'ehr_noise', 'emap')
    }
    self.assertEqual(named['image_permuted'], 'scan permuted')
    self.assertEqual(named['ehr_noise'], 'record (labs, notes) noise')
    self.assertEqual(controls.name_of('ehr_absent'), 'record absent')

  def test_nothing_of_it(self):
    self.summary['controls'] = None
    self.assertFalse(controls.table(self.summary))
    self.assertEmpty(controls.sentences(self.summary))

  def test_files_say_why_a_cell_is_empty(self):
    self.summary['controls']['joint']['conditions'] = {}
    table = controls.table(self.summary)
    self.assertEmpty(reader.unexplained(table))


if __name__ == '__main__':
  absltest.main()
