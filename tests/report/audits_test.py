"""Tests of audits."""

import copy

from absl.testing import absltest

from fusion_jax.report import audits, text
from tests.report import parts, reader, samples


class AuditsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = parts.rich(samples.sample())

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def test_audits_begin_with_alarms(self):
    found = audits.audits(self.summary)
    self.assertEqual(found[0].name, 'missingness')
    self.assertTrue(found[0].alarm)
    self.assertEqual([x.alarm for x in found].count(True), 1)
    self.assertEqual(found[0].number, text.Number(0.871, 0.851, 0.891))
    self.assertNotIn('tuning', [x.name for x in found])
    self.assertEqual(
      [x.name for x in audits.alarms(self.summary)], ['missingness']
    )

  def test_audits_say_their_outcome(self):
    table = audits.table(audits.audits(self.summary))
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
    found = audits.audits(self.summary)
    self.assertEqual([x.name for x in found], ['grouped: a', 'grouped: b'])
    self.assertEqual(found[0].metric, 'auroc')
    self.assertEqual(found[1].number, text.Number(None, reason='not tried'))

  def test_warnings_that_repeat_an_alarm(self):
    alarms = audits.alarms(self.summary)
    lines = ['one', f'Audit missingness: {alarms[0].sentence}']
    self.assertEqual(audits.other_warnings(lines, alarms), ['one'])
    self.assertEqual(audits.other_warnings(lines, []), lines)

  def test_audits_that_came_to_nothing(self):
    found = {x.name: x.possible() for x in audits.audits(self.summary)}
    self.assertFalse(found['time'])
    self.assertTrue(found['row order'])

  def test_nothing_of_it(self):
    self.summary['audits'] = None
    self.assertEmpty(audits.audits(self.summary))

  def test_files_say_why_a_cell_is_empty(self):
    self.summary['audits']['odd'] = {'alarm': True, 'sentence': 'Odd.'}
    table = audits.table(audits.audits(self.summary))
    self.assertEmpty(reader.unexplained(table))


if __name__ == '__main__':
  absltest.main()
