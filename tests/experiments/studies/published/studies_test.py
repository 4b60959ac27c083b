"""Tests of experiments.studies.published.studies."""

import csv
import io
import math
import pathlib

from absl.testing import absltest, parameterized

from experiments.studies.published import reported, studies
from fusion_jax.core import errors

ROOT = pathlib.Path(__file__).resolve().parents[4]
OWN = ROOT / 'experiments/studies/published/studies.csv'
SHARED = ROOT.parent / 'shared/evidence/studies.csv'

COMPLETE = {
  'id': 'a',
  'study': 'First',
  'year': '2020',
  'n_test': '100',
  'events': '40',
  'non_events': '60',
  'metric': 'AUROC',
  'fusion': '0.80',
  'fusion_low': '0.70',
  'fusion_high': '0.90',
  'single_image': '0.70',
  'single_ehr': '0.75',
  'in_review': 'no',
  'use_interval': 'yes',
  'source': 'abstract',
  'confidence': 'found',
}


def write(path, *rows, columns=studies.COLUMNS) -> pathlib.Path:
  with open(path, 'w', newline='', encoding='utf-8') as f:
    writer = csv.DictWriter(f, columns, restval='', extrasaction='ignore')
    writer.writeheader()
    writer.writerows(rows)
  return pathlib.Path(path)


class PublishedCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'studies.csv'

  def read(self, *rows):
    return studies.read(write(self.path, *rows))


class ReadTest(PublishedCase):
  def test_values_and_states(self):
    (study,) = self.read(
      COMPLETE | {'unverified': 'n_test; year', 'derived': 'non_events'}
    )
    self.assertEqual(study.get('events'), 40)
    self.assertEqual(study.state['events'], studies.FOUND)
    self.assertEqual(study.state['non_events'], studies.DERIVED)
    self.assertEqual(study.get('non_events'), 60)
    self.assertEqual(study.state['n_test'], studies.MEMORY)
    self.assertIsNone(study.get('n_test'))
    self.assertEqual(study.state['image_high'], studies.UNKNOWN)
    self.assertEqual(study.name, 'First 2020')
    self.assertTrue(study.get('use_interval'))

  def test_a_row_from_memory_establishes_nothing(self):
    (study,) = self.read(COMPLETE | {'confidence': 'memory'})
    self.assertIsNone(study.get('fusion'))
    self.assertEqual(study.state['fusion'], studies.MEMORY)
    self.assertIsNone(studies.gain(study)['estimate'])
    self.assertIn('no established', studies.gain(study)['reason'])
    self.assertIsNone(studies.risk_of_bias(study)['events_known'])
    self.assertTrue(
      math.isnan(studies.standard_error(study, 'fusion', source='counts')[0])
    )

  @parameterized.parameters(
    ({'year': 'soon'}, "row 2, column 'year': expected a whole number"),
    ({'events': '-1'}, "column 'events': expected 0 or more"),
    ({'fusion': '80%'}, "column 'fusion': expected a number, got '80%'"),
    ({'fusion': '1.2'}, 'expected a number from 0 to 1'),
    ({'use_interval': 'maybe'}, "expected 'yes' or 'no'"),
    ({'fusion_low': '0.85'}, 'leaves out 0.8'),
    ({'fusion_low': ''}, 'two ends'),
    ({'successes': '9', 'trials': '8'}, '9 of 8 is no proportion'),
    ({'successes': '9'}, 'no proportion'),
    ({'events': '41'}, '41 events and 60 others are not the 100'),
    ({'confidence': 'fuond'}, "Did you mean 'found'"),
    ({'confidence': 'unknown'}, 'has no facts'),
    ({'source': ''}, 'names its source'),
    ({'id': ''}, "column 'id': it is blank"),
    ({'unverified': 'evnets'}, "'evnets' is no filled column"),
    ({'group_rates': '0.7 0.6'}, "expected 'rate low high'"),
    ({'derived': 'events'}, 'which 0 sizes explain: none'),
  )
  def test_a_bad_cell_is_one_line(self, change, message):
    with self.assertRaises(errors.UserError) as caught:
      self.read(COMPLETE | change)
    self.assertIn(message, str(caught.exception))
    self.assertIn(str(self.path), str(caught.exception))
    self.assertNotIn('\n', str(caught.exception))

  def test_several_problems_are_listed(self):
    with self.assertRaises(errors.ProblemsError) as caught:
      self.read(COMPLETE | {'year': 'x'}, COMPLETE | {'fusion': '2'})
    self.assertLen(caught.exception.lines, 3)  # the id is there twice
    self.assertIn('row 3', caught.exception.lines[1])

  def test_a_file_as_spreadsheets_save_it(self):
    text = OWN.read_text(encoding='utf-8')
    rows = list(csv.reader(io.StringIO(text)))
    with open(self.path, 'w', newline='', encoding='utf-16') as f:
      f.write('sep=;\r\n')
      csv.writer(f, delimiter=';').writerows(rows)
    found = studies.read(self.path)
    self.assertEqual(
      [x.text for x in found], [x.text for x in studies.read(OWN)]
    )

  @parameterized.parameters(
    ('', 'has no rows'),
    ('id,study\na,b\n', "expected the column 'doi' once, found it 0 times"),
    ('id,stduy\na,b\n', "Did you mean 'study'"),
    (
      ','.join(studies.COLUMNS) + '\na,b\n',
      f'row 2: 2 cells, expected {len(studies.COLUMNS)}',
    ),
    ('id,"study\na,b', 'cannot be read'),
  )
  def test_a_bad_file(self, text, message):
    self.path.write_text(text)
    with self.assertRaises(errors.UserError) as caught:
      studies.read(self.path)
    self.assertIn(message, str(caught.exception))

  def test_no_file(self):
    with self.assertRaisesRegex(errors.UserError, 'No such file'):
      studies.read(self.path)


class NumbersTest(PublishedCase):
  def test_gain_is_over_the_best_single(self):
    (study,) = self.read(COMPLETE)
    found = studies.gain(study)
    self.assertAlmostEqual(found['estimate'], 0.05)
    self.assertEqual(found['single'], 'ehr')
    self.assertTrue(found['both'])

  def test_gain_says_when_a_single_is_unknown(self):
    (study,) = self.read(COMPLETE | {'single_ehr': ''})
    self.assertFalse(studies.gain(study)['both'])
    self.assertIsNone(studies.risk_of_bias(study)['both_singles'])

  def test_standard_errors(self):
    (study,) = self.read(COMPLETE)
    se, reason = studies.standard_error(study, 'fusion', source='counts')
    self.assertEqual((se, reason), (reported.auroc_se(0.8, 40, 60), ''))
    se, _ = studies.standard_error(study, 'fusion', source='interval')
    self.assertAlmostEqual(se, 0.2 / 3.92, places=4)
    _, reason = studies.standard_error(study, 'ehr', source='interval')
    self.assertEqual(reason, 'no interval was published')
    (study,) = self.read(COMPLETE | {'use_interval': 'no'})
    _, reason = studies.standard_error(study, 'fusion', source='interval')
    self.assertIn('not believed', reason)
    (study,) = self.read(COMPLETE | {'metric': 'accuracy'})
    _, reason = studies.standard_error(study, 'fusion', source='counts')
    self.assertIn('no established AUROC', reason)

  def test_risk_of_bias(self):
    (study,) = self.read(COMPLETE | {'external': 'no'})
    self.assertEqual(
      studies.risk_of_bias(study),
      {
        'held_out': None,
        'external': False,
        'interval': True,
        'both_singles': True,
        'events_known': True,
        'enough_events': False,
      },
    )

  def test_exact_interval(self):
    (study,) = self.read(COMPLETE | {'successes': '17', 'trials': '18'})
    found = studies.exact_interval(study)
    self.assertAlmostEqual(found['low'], 0.727, places=3)
    self.assertAlmostEqual(found['high'], 0.999, places=3)
    (study,) = self.read(COMPLETE)
    self.assertIsNone(studies.exact_interval(study)['low'])
    self.assertIn('unknown', studies.exact_interval(study)['reason'])


class OwnTableTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.studies = {s.text['id']: s for s in studies.read(OWN)}

  def test_the_review_is_complete(self):
    review = [s for s in self.studies.values() if s.get('in_review')]
    self.assertLen(review, 17)
    unknown = [s for s in review if s.text['confidence'] == 'unknown']
    self.assertLen(unknown, 2)
    for study in unknown:
      self.assertIsNone(study.get('fusion'))

  def test_derived_events_are_the_only_ones_possible(self):
    study = self.studies['walston2022']
    self.assertEqual(study.state['events'], studies.DERIVED)
    self.assertEqual(
      reported.group_sizes(study.get('group_rates'), study.get('n_test')),
      [study.get('events')],
    )

  def test_agrees_with_the_list_it_began_with(self):
    if not SHARED.is_file():
      self.skipTest('no ../shared/evidence beside the checkout')
    mine = {(s.text['study'], s.text['year']): s for s in self.studies.values()}
    with open(SHARED, newline='', encoding='utf-8') as f:
      for row in csv.DictReader(f):
        if row['confidence'] == 'unknown':
          continue
        study = mine[row['study'], row['year']]
        for name in ('fusion', 'single_image', 'single_ehr', 'trials'):
          if row[name]:
            self.assertEqual(float(study.text[name]), float(row[name]), name)
        if row['confidence'] == 'memory, verify':
          self.assertIsNone(study.get('fusion'))


if __name__ == '__main__':
  absltest.main()
