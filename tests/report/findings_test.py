import copy
import csv
import io

from absl.testing import absltest

from fusion_jax.report import findings, tables, text
from tests.report import parts, samples


def rows(table):
  """By the texts of the word columns, the other cells."""
  return {
    tuple(c.text for c, k in zip(row, table.columns, strict=True) if k.word): [
      c for c, k in zip(row, table.columns, strict=True) if not k.word
    ]
    for row in table.rows()
  }


class FindingsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = parts.rich(samples.sample())

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def test_audits_begin_with_alarms(self):
    found = findings.audits(self.summary)
    self.assertEqual(found[0].name, 'missingness')
    self.assertTrue(found[0].alarm)
    self.assertEqual([x.alarm for x in found].count(True), 1)
    self.assertEqual(found[0].number, text.Number(0.871, 0.851, 0.891))
    self.assertNotIn('tuning', [x.name for x in found])
    self.assertEqual(
      [x.name for x in findings.alarms(self.summary)], ['missingness']
    )

  def test_audits_say_their_outcome(self):
    table = findings.audit_table(findings.audits(self.summary))
    outcome = {row[0].text: row[5].text for row in table.rows()}
    self.assertEqual(
      outcome,
      {
        'missingness': 'alarm',
        'row order': 'no alarm',
        'time': 'not possible',
        'duplicates': 'no alarm',
      },
    )

  def test_audits_of_other_forms(self):
    self.summary['audits'] = {
      'external': {'trained_on': 'x', 'models': {'image': 5}},
      'grouped': {
        'a': {'auroc': parts.entry(0.7), 'alarm': True, 'sentence': 'A.'},
        'b': {'alarm': False, 'reason': 'not tried', 'sentence': ''},
      },
    }
    found = findings.audits(self.summary)
    self.assertEqual([x.name for x in found], ['grouped: a', 'grouped: b'])
    self.assertEqual(found[0].metric, 'auroc')
    self.assertEqual(found[1].number, text.Number(None, reason='not tried'))

  def test_warnings_that_repeat_an_alarm(self):
    alarms = findings.alarms(self.summary)
    lines = ['one', f'Audit missingness: {alarms[0].sentence}']
    self.assertEqual(findings.not_said(lines, alarms), ['one'])
    self.assertEqual(findings.not_said(lines, []), lines)

  def test_controls_are_the_summary_s(self):
    found = rows(findings.controls(self.summary))
    entry = self.summary['controls']['joint']['conditions']['image_permuted']
    left, lost = found['joint', 'image permuted']
    self.assertEqual(left.number, text.number(entry['metrics']['auroc']))
    self.assertEqual(lost.number, text.number(entry['loss']))
    self.assertLen(found, 8 * 3)

  def test_a_control_that_was_not_run_is_left_out(self):
    entry = self.summary['controls']['joint']
    entry['conditions'] = {}
    entry['ensemble'] = parts.entry(None, reason='not run')
    names = [x.name for x in findings.control_lines(self.summary, 'joint')]
    self.assertEqual(names, ['EMAP (no interactions)'])

  def test_fusion_answers_know_three_states(self):
    found = {
      row[0].text: [c.text for c in row[1:]]
      for row in findings.fusion_answers(self.summary).rows()
    }
    self.assertEqual(found['joint'], ['yes', 'not shown', 'not tested'])

  def test_the_ensemble_is_said_to_be_what_it_is(self):
    for entry in self.summary['controls'].values():
      entry['fusion']['beats_ensemble'] = True
    table = findings.fusion_answers(self.summary)
    self.assertEqual(
      table.columns[-1].title, 'beats an ensemble of the best single modality'
    )
    self.assertIn('single modality that is best on these studies', table.note)
    for entry in self.summary['controls'].values():
      entry['fusion']['beats_ensemble'] = None
    self.assertEqual(findings.fusion_answers(self.summary).note, '')

  def test_shapley_without_values_is_empty(self):
    self.assertTrue(findings.shapley(self.summary))
    for entry in self.summary['controls'].values():
      entry['shapley'] = {'reason': 'needs other conditions'}
    self.assertFalse(findings.shapley(self.summary))

  def test_shapley_of_many_modalities_and_their_sides(self):
    entry = self.summary['controls']['joint']
    value = {'estimate': 0.1, 'low': 0.0, 'high': 0.2}
    entry['shapley'] = {m: value for m in ('xray', 'ct', 'labs', 'all')}
    entry['sides'] = {'image': ['xray', 'ct'], 'ehr': ['labs']}
    entry['shapley_of_sides'] = {'image': value, 'ehr': value}
    table = findings.shapley(self.summary)
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
    table = findings.shapley(self.summary)
    self.assertLen(table.columns, 4)
    shown = [r[3].text for r in table.rows() if r[1].text == 'ct']
    self.assertEqual(shown, ['.013'])

  def test_controls_are_called_by_the_modalities_of_the_cohort(self):
    sides = {'image': ['scan'], 'ehr': ['labs', 'notes']}
    named = {
      x: findings.control_name(x, sides)
      for x in ('image_permuted', 'ehr_noise', 'emap')
    }
    self.assertEqual(named['image_permuted'], 'scan permuted')
    self.assertEqual(named['ehr_noise'], 'record (labs, notes) noise')
    self.assertEqual(findings.control_name('ehr_absent'), 'record absent')

  def test_subgroups_tell_size_metric_and_gain(self):
    table = findings.subgroups(self.summary)
    heading, group = table.groups[0]
    self.assertEqual(heading, 'sex female')
    row = next(row for row in group if row[0].text == 'joint')
    entry = self.summary['subgroups'][0]['arms']['joint']
    self.assertEqual([c.value for c in row[1:4]], [300, 200, 90])
    self.assertEqual(row[4].number, text.number(entry['metrics']['auroc']))
    self.assertEqual(row[5].number, text.number(entry['gain']))

  def test_subgroups_without_events_have_no_such_column(self):
    for part in self.summary['subgroups']:
      part['events'] = None
    table = findings.subgroups(self.summary)
    self.assertNotIn('events', [c.title for c in table.columns])
    self.assertLen(next(table.rows()), len(table.columns))

  def test_small_groups_are_counted_but_not_named(self):
    self.assertEqual(
      findings.suppressed(self.summary),
      ['sex: 1 group was too small to be reported.'],
    )
    told = tables.to_csv(findings.subgroups(self.summary))
    self.assertNotIn('unknown', told)

  def test_subgroup_lines_have_a_heading_for_each_column(self):
    lines = findings.subgroup_lines(self.summary, 'joint')
    self.assertEqual(
      [x.heading for x in lines],
      ['sex', '', 'age', '', 'sex x age', 'available'],
    )
    self.assertEqual(lines[0].name, 'female (n 300)')
    self.assertEmpty(findings.subgroup_lines(self.summary, 'image'))

  def test_equalised_odds(self):
    self.summary['equalised_odds'][0]['label'] = 'x'
    found = rows(findings.equalised_odds(self.summary))
    self.assertIn(('sex, x', 'image'), found)
    self.assertEqual(found['sex', 'joint'][0].number.estimate, 0.06)

  def test_declared_groups_are_of_people_and_not_too_small(self):
    self.summary['subgroups'].append(
      {'group': {'available_image': 'no'}, 'suppressed': None, 'arms': {}}
    )
    groups = [x['group'] for x in findings.declared(self.summary)]
    self.assertIn({'sex': 'female'}, groups)
    self.assertNotIn({'sex': 'unknown'}, groups)
    self.assertNotIn({'available_image': 'no'}, groups)

  def test_arms_without_models_of_some_folds(self):
    self.assertEqual(findings.without_models(self.summary), {})
    arm = self.summary['arms']['joint']
    arm['folds'] = arm['folds'][:1]
    self.assertEqual(findings.without_models(self.summary), {'joint': 1})

  def test_audits_that_came_to_nothing(self):
    found = {x.name: x.possible() for x in findings.audits(self.summary)}
    self.assertFalse(found['time'])
    self.assertTrue(found['row order'])

  def test_files_say_why_a_cell_is_empty(self):
    self.summary['audits']['odd'] = {'alarm': True, 'sentence': 'Odd.'}
    self.summary['equalised_odds'][0]['tpr_gap'] = None
    for table in (
      findings.audit_table(findings.audits(self.summary)),
      findings.controls(self.summary),
      findings.subgroups(self.summary),
      findings.equalised_odds(self.summary),
    ):
      for row in csv.DictReader(io.StringIO(tables.to_csv(table))):
        numbers = [
          row[column.title] for column in table.columns if not column.word
        ]
        if '' in numbers:
          self.assertNotEqual(row['reason'], '', row)

  def test_nothing_of_it(self):
    for key in ('audits', 'controls', 'subgroups', 'equalised_odds'):
      self.summary[key] = None
    self.assertEmpty(findings.audits(self.summary))
    self.assertFalse(findings.controls(self.summary))
    self.assertFalse(findings.subgroups(self.summary))
    self.assertFalse(findings.equalised_odds(self.summary))
    self.assertEmpty(findings.control_sentences(self.summary))


if __name__ == '__main__':
  absltest.main()
