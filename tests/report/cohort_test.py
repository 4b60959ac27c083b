"""Tests of what a report says of who was studied."""

from absl.testing import absltest

from fusion_jax.report import cohort, html, tables
from tests.report import samples


def _step(step, rows, studies, patients, reason=''):
  return {
    'step': step,
    'rows': rows,
    'studies': studies,
    'patients': patients,
    'reason': reason,
  }


FLOW = [
  _step('rows read', 1120, 1110, 555),
  _step('excluded', 20, 10, 5, 'dx = x: why'),
  _step('kept', 1100, 1100, 550),
  _step('studies', None, 1100, 550),
  _step('without image', None, 0, 0),
  _step('without record', None, 12, 9),
  _step('with all modalities', None, 1088, 541),
]
_NUMBERS = {'mean': 61.25, 'sd': 12.5, 'median': 60.0, 'q1': 50.5, 'q3': 70.0}
TABLE1 = {
  'columns': [
    {'name': 'all', 'by': 'all', 'studies': 1100, 'patients': 550},
    {'name': 'y: yes', 'by': 'outcome', 'studies': 100, 'patients': 60},
  ],
  'rows': [
    {
      'feature': 'age',
      'kind': 'numeric',
      'level': None,
      'cells': [_NUMBERS, None],
      'missing': [3, 0],
      'reason': 'known of few',
    },
    {
      'feature': 'fever',
      'kind': 'boolean',
      'level': 'true',
      'cells': [{'count': 1000, 'share': 0.925}, {'count': 0, 'share': None}],
      'missing': [0, 0],
    },
    {
      'feature': 'side',
      'kind': 'categorical',
      'level': 'left',
      'cells': [{'count': 4, 'share': 0.4}] * 2,
      'missing': [1, 2],
    },
    {
      'feature': 'side',
      'kind': 'categorical',
      'level': 'right',
      'cells': [{'count': 6, 'share': 0.6}] * 2,
      'missing': [1, 2],
    },
  ],
  'notes': ['2 of 14 sites are told as one.'],
}
SPLITS = [
  {
    'repeat': repeat,
    'fold': 1,
    'train': {'studies': 60, 'patients': 30, 'events': 12},
    'valid': {'studies': 20, 'patients': 10, 'events': 4},
    'test': {'studies': 20, 'patients': 10, 'events': {'a': 1, 'b': 2}},
  }
  for repeat in (0, 1)
]


class CohortTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.summary = samples.sample()
    self.summary['cohort'] |= {
      'table1': TABLE1,
      'flow': FLOW,
      'splits': SPLITS,
    }

  def test_table1(self):
    table = cohort.table1(self.summary['cohort'])
    shown = [
      (heading, [[cell.text for cell in row] for row in rows])
      for heading, rows in table.groups
    ]
    self.assertEqual(
      shown,
      [
        ('', [['studies', '1,100', '100'], ['patients', '550', '60']]),
        (
          'age',
          [
            ['mean (sd)', '61.25 (12.5)', 'n/a'],
            ['median [q1, q3]', '60 [50.5, 70]', 'n/a'],
            ['missing', '3', '0'],
          ],
        ),
        ('fever', [['yes', '1,000 (92.5%)', '0']]),
        (
          'side',
          [
            ['left', '4 (40.0%)', '4 (40.0%)'],
            ['right', '6 (60.0%)', '6 (60.0%)'],
            ['missing', '1', '2'],
          ],
        ),
      ],
    )
    self.assertFalse(table.shown)
    self.assertIn('2 of 14 sites', table.note)
    self.assertIn('61.25 (12.5)', tables.to_csv(table))
    self.assertIn('known of few', tables.to_csv(table))
    self.assertIn('mean (sd)', tables.to_tex(table))

  def test_flow(self):
    rows = [*cohort.flow(self.summary['cohort']).rows()]
    self.assertEqual(
      [x.text for x in rows[1]], ['excluded', '20', '10', '5', 'dx = x: why']
    )
    self.assertEqual([x.text for x in rows[3]][:3], ['studies', '', '1,100'])
    self.assertEqual(
      cohort.flow_in_words(self.summary),
      '1120 rows read; 20 excluded (dx = x: why); 1100 studies of 550 '
      'patients; 12 without record',
    )

  def test_a_flow_without_a_table_says_nothing_new(self):
    self.summary['cohort']['flow'] = FLOW[3:5]
    self.assertEqual(cohort.flow_in_words(self.summary), '')

  def test_splits(self):
    table = cohort.splits(self.summary['cohort'])
    rows = [[x.text for x in row] for row in table.rows()]
    self.assertLen(rows, 6)
    self.assertEqual(rows[0], ['0/1', 'training', '60', '30', '12'])
    self.assertEqual(rows[5], ['1/1', 'test', '20', '10', 'a 1, b 2'])

  def test_the_page_has_it(self):
    self.assertIn('Table 1: characteristics', html.render(self.summary))

  def test_predictions_of_other_people_have_none_of_it(self):
    summary = samples.sample()
    self.assertFalse(cohort.section(summary))
    self.assertNotIn('Who was studied', html.render(summary))


if __name__ == '__main__':
  absltest.main()
