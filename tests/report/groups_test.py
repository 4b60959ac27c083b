"""Tests of the tables of interactions and of calibration by site."""

import copy

from absl.testing import absltest

from fusion_jax.report import groups, tables, text
from tests.report import parts, reader, samples


def interaction(column, arm, p, *, levels=('f', 'm')):
  return {
    'column': column,
    'arm': arm,
    'levels': [*levels],
    'contrast': {
      'level': levels[0],
      'against': [*levels[1:]],
      'estimate': 0.05,
      'low': 0.01,
      'high': 0.09,
    },
    'contrasts': [],
    'statistic': 2.4,
    'p': p / 2,
    'p_adjusted': p,
  }


UNTESTED = {
  'column': 'site',
  'arm': 'joint',
  'levels': ['north'],
  'contrast': None,
  'contrasts': [],
  'statistic': None,
  'p': None,
  'p_adjusted': None,
  'reason': 'fewer than two groups are large enough',
}


def summary(*found, sites=()):
  return {
    'evaluation': {'metric': 'auroc'},
    'interactions': found,
    'calibration_by_site': sites,
  }


def site(name, *, suppressed=None, **other):
  entry = {
    'calibration_slope': {'estimate': 0.8, 'low': 0.6, 'high': 1.1},
    'calibration_intercept': {'estimate': 0.3, 'low': -0.1, 'high': 0.7},
  }
  return {
    'site': name,
    **other,
    'studies': 3 if suppressed else 120,
    'patients': 2 if suppressed else 80,
    'events': 1 if suppressed else 30,
    'suppressed': suppressed,
    'arms': {} if suppressed else {'ehr': entry, 'joint': entry},
  }


class InteractionsTest(absltest.TestCase):
  def test_the_table(self):
    table = groups.interactions(
      summary(
        interaction('sex', 'joint', 0.0004),
        interaction('age', 'joint', 0.3, levels=('a', 'b', 'c')),
        UNTESTED,
      )
    )
    rows = [*table.rows()]
    self.assertEqual(
      [c.text for c in rows[0][:3]], ['sex', 'joint', 'f less m']
    )
    self.assertEqual(rows[0][3].number, text.Number(0.05, 0.01, 0.09))
    self.assertTrue(rows[0][3].signed)
    self.assertEqual([c.text for c in rows[0][4:]], ['<.001', '<.001'])
    self.assertEqual(rows[0][5].value, 0.0004)
    self.assertEqual(rows[1][2].text, 'a less the mean of the others')
    self.assertIsNone(rows[2][3].number.estimate)
    self.assertIn('fewer than two', rows[2][3].why())
    self.assertEqual(rows[2][5].value, '')
    self.assertIn('all columns and arms', table.note)
    self.assertIn('fewer than two groups', tables.to_csv(table))

  def test_without_groups_there_is_none(self):
    for found in (summary(), {'evaluation': {'metric': 'auroc'}}):
      self.assertFalse(groups.interactions(found))
      self.assertEqual(groups.interaction_lines(found), [])
    self.assertEqual(groups.interaction_lines(summary(UNTESTED)), [])

  def test_what_is_not_shown_is_not_denied(self):
    (line,) = groups.interaction_lines(
      summary(
        interaction('sex', 'joint', 0.051),
        interaction('age', 'joint', 0.3),
        UNTESTED,
      )
    )
    self.assertIn('not shown that the gain differs', line)
    self.assertIn('2 tests, smallest adjusted p .051', line)
    self.assertIn('Nor is it shown that it does not', line)

  def test_what_is_shown_is_said_once_for_each_column(self):
    lines = groups.interaction_lines(
      summary(
        interaction('sex', 'late', 0.04),
        interaction('sex', 'joint', 0.01),
        interaction('age', 'joint', 0.05, levels=('a', 'b', 'c')),
        interaction('ward', 'joint', 0.06),
      )
    )
    self.assertLen(lines, 2)
    for part in (
      'joint',
      'by sex: f less m',
      '+.050 [+.010, +.090]',
      'adjusted p .010',
      '1 other arm',
    ):
      self.assertIn(part, lines[0])
    self.assertIn('by age: a less the mean of the others', lines[1])
    self.assertNotIn('likewise', lines[1])


class SitesTest(absltest.TestCase):
  def test_the_table(self):
    table = groups.calibration_by_site(summary(sites=[site('north')]))
    ((heading, rows),) = table.groups
    self.assertEqual(heading, 'north')
    self.assertEqual([r[0].text for r in rows], ['ehr', 'joint'])
    self.assertEqual([c.value for c in rows[0][1:4]], [120, 80, 30])
    self.assertEqual(rows[0][4].number, text.Number(0.3, -0.1, 0.7))
    self.assertEqual(rows[0][5].number, text.Number(0.8, 0.6, 1.1))
    self.assertTrue(rows[0][4].signed)
    self.assertFalse(rows[0][5].signed)

  def test_small_sites_are_counted_but_not_named(self):
    found = summary(
      sites=[
        site('north', label='x'),
        site('hamlet', label='x', suppressed='2 patients, fewer than 20'),
        site('village', label='x', suppressed='2 patients, fewer than 20'),
        site('hamlet', label='y', suppressed='2 patients, fewer than 20'),
      ]
    )
    table = groups.calibration_by_site(found)
    self.assertEqual([heading for heading, _ in table.groups], ['north, x'])
    self.assertNotIn('hamlet', tables.to_csv(table))
    two, one = groups.small_sites(found)
    self.assertRegex(two, r'\(x\): 2 sites were ')
    self.assertRegex(one, r'\(y\): 1 site was ')
    self.assertNotIn('hamlet', two + one)

  def test_a_summary_of_another_kind_has_none(self):
    found = {'evaluation': {'metric': 'r2'}}
    self.assertFalse(groups.calibration_by_site(found))
    self.assertEqual(groups.small_sites(found), [])


class SubgroupsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = parts.rich(samples.sample())

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def test_subgroups_tell_size_metric_and_gain(self):
    table = groups.table(self.summary)
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
    table = groups.table(self.summary)
    self.assertNotIn('events', [c.title for c in table.columns])
    self.assertLen(next(table.rows()), len(table.columns))

  def test_small_groups_are_counted_but_not_named(self):
    (line,) = groups.small_groups(self.summary)
    self.assertStartsWith(line, 'sex: 1 group was ')
    self.assertNotIn('unknown', line)
    told = tables.to_csv(groups.table(self.summary))
    self.assertNotIn('unknown', told)

  def test_subgroup_lines_have_a_heading_for_each_column(self):
    lines = groups.lines(self.summary, 'joint')
    self.assertEqual(
      [x.heading for x in lines],
      ['sex', '', 'age', '', 'sex x age', 'available'],
    )
    self.assertEqual(lines[0].name, 'female (n 300)')
    self.assertEmpty(groups.lines(self.summary, 'image'))

  def test_equalised_odds(self):
    self.summary['equalised_odds'][0]['label'] = 'x'
    found = reader.rows(groups.equalised_odds(self.summary))
    self.assertIn(('sex, x', 'image'), found)
    self.assertEqual(found['sex', 'joint'][0].number.estimate, 0.06)

  def test_nothing_of_it(self):
    self.summary.update(subgroups=None, equalised_odds=None)
    self.assertFalse(groups.table(self.summary))
    self.assertFalse(groups.equalised_odds(self.summary))
    self.assertEmpty(groups.small_groups(self.summary))

  def test_files_say_why_a_cell_is_empty(self):
    self.summary['equalised_odds'][0]['tpr_gap'] = None
    for table in (
      groups.table(self.summary),
      groups.equalised_odds(self.summary),
    ):
      self.assertEmpty(reader.unexplained(table))


if __name__ == '__main__':
  absltest.main()
