"""Tests of which column a draft proposes to predict."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import draft_labels
from tests.data import drafts


class DraftLabelsTest(parameterized.TestCase):
  def test_several_findings_in_a_cell(self):
    cells = ['No Finding', 'Mass|Edema', 'Mass', 'Edema|Mass|Nodule']
    made = drafts.of({'Finding Labels': cells})
    self.assertIsNone(draft_labels.propose(made))
    self.assertEqual(
      drafts.keys(made),
      {
        'task': '"multilabel"',
        'label': '"Finding Labels"',
        'label_separator': '"|"',
        'negative': '"No Finding"',
      },
    )

  def test_ratings_of_dementia(self):
    made = drafts.draft(CDR=['0', '0.5', '', '1'], Age=['60', '61', '62', '63'])
    np.testing.assert_array_equal(draft_labels.propose(made), [0, 1, np.nan, 1])
    found = drafts.keys(made)
    self.assertEqual(
      (found['task'], found['label'], found['positive_above']),
      ('"binary"', '"CDR"', '0'),
    )
    self.assertIn('column = "CDR"', made.tail)
    self.assertIn('[[exclude]]  # 1 of 4 rows', made.tail)

  def test_vital_status_and_days(self):
    made = drafts.draft(
      vital_status=['Alive', 'Dead', 'Dead', 'Dead'],
      days_to_death=['', '10', '20', '30'],
      days_to_last_follow_up=['100', '5', '7', '9'],
    )
    self.assertIsNone(draft_labels.propose(made))
    self.assertEqual(
      drafts.keys(made),
      {
        'task': '"survival"',
        'time': '"days_to_last_follow_up"',
        'time_unit': '"days"',
        'event': '"vital_status"',
        'positive': '"Dead"',
      },
    )
    self.assertIn('days_to_death', made.left)
    self.assertIn("in 'days_to_death'?", '\n'.join(made.lines))

  def test_times_that_are_not_above_0_are_excluded(self):
    made = drafts.draft(days=['0', '3.5', '-1', '9'], died=['0', '1', '1', '0'])
    draft_labels.propose(made)
    self.assertEqual(
      made.tail,
      [
        '',
        '[[exclude]]  # 2 of 4 rows',
        'column = "days"',
        'below = 3.5',
        'reason = "days is not above 0"',
      ],
    )

  @parameterized.parameters(
    (['benign', 'malignant'], '"malignant"'),
    (['Positive', 'Negative'], '"Positive"'),
    (['COVID-19', 'No Finding'], '"COVID-19"'),
    (['Normal', 'Effusion'], '"Effusion"'),
    (['nv', 'mel'], '"mel"'),
    (['a', 'b'], '"b"'),
    (['yes', 'no'], None),
    (['1', '0'], None),
  )
  def test_which_of_two_means_one(self, values, expected):
    made = drafts.draft(diagnosis=values * 4)
    target = draft_labels.propose(made)
    found = drafts.keys(made)
    self.assertEqual(found.get('positive'), expected)
    self.assertEqual(found['task'], '"binary"')
    one = expected.strip('"') if expected else values[0]
    np.testing.assert_array_equal(target, np.equal(values * 4, one))

  def test_candidates_and_their_reasons(self):
    made = drafts.draft(
      diagnostic=['BCC', 'ACK', 'MEL', 'BCC'],
      biopsed=['True', 'False', 'True', 'True'],
      type=['a', 'b', 'c', 'a'],
      sex=['f', 'm', 'f', 'm'],
    )
    self.assertIsNone(draft_labels.propose(made))
    found = drafts.keys(made)
    self.assertEqual(
      (found['task'], found['label']), ('"multiclass"', '"diagnostic"')
    )
    self.assertIn(
      '# or label = "biopsed": an outcome by its name, 2 values '
      "('False', 'True')",
      made.lines,
    )
    self.assertIn('LOOK AT THIS', made.left['biopsed'])
    self.assertNotIn('type', made.used)
    self.assertNotIn('sex', made.used)

  def test_an_outcome_where_nothing_is_called_a_label(self):
    made = drafts.draft(
      discharge_code=['home', 'dead', 'home', 'home'],
      died=['0', '1', '0', '0'],
      age=['1', '2', '3', '4'],
    )
    draft_labels.propose(made)
    self.assertEqual(drafts.keys(made)['label'], '"died"')
    self.assertIn('discharge_code', made.left)

  def test_a_label_beside_survival(self):
    made = drafts.draft(
      label_radical=['0', '1', '0', '0'],
      time_days=['4', '3', '2', '1'],
      event_death=['0', '1', '0', '0'],
    )
    draft_labels.propose(made)
    self.assertEqual(drafts.keys(made)['label'], '"label_radical"')
    self.assertIn(
      '# or task = "survival" with time = "time_days" and event = '
      '"event_death"',
      made.lines,
    )
    self.assertCountEqual(made.left, ['time_days', 'event_death'])

  def test_nothing_to_predict(self):
    made = drafts.draft(age=['1', '2', '3'], text=['a', 'b', 'c'])
    self.assertIsNone(draft_labels.propose(made))
    self.assertEqual(drafts.keys(made)['label'], '""')
    self.assertIn('NOT KNOWN', made.lines[0])


if __name__ == '__main__':
  absltest.main()
