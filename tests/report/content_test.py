import copy

from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.report import content, text
from tests.report import samples


class ContentTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = samples.sample()

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def row(self, arm, page=None):
    page = page or content.build(self.summary)
    return {row.arm: row for row in page.rows()}[arm]

  def test_numbers_are_the_summary_s(self):
    row = self.row('joint')
    entry = self.summary['arms']['joint']
    found = {x['arm']: x for x in self.summary['comparisons']}['joint']
    auroc = entry['metrics']['auroc']
    self.assertEqual(
      row.primary, text.Number(auroc['estimate'], auroc['low'], auroc['high'])
    )
    self.assertEqual(
      row.difference,
      text.Number(found['difference'], found['low'], found['high']),
    )
    self.assertEqual(row.p_adjusted, found['p_adjusted'])
    self.assertEqual(row.verdict, found['verdict'])
    self.assertEqual(row.single, found['single'])
    self.assertEqual(
      (row.patients_needed, row.patients_equivalent),
      tuple(found['patients_needed'][k] for k in ('superior', 'equivalent')),
    )
    self.assertEqual(
      row.calibration['brier'].estimate, entry['metrics']['brier']['estimate']
    )
    self.assertEqual((row.parameters, row.seconds), (12345, 3.5))

  def test_arms_are_grouped_in_order(self):
    groups = content.build(self.summary).groups
    self.assertEqual(
      [(name, [r.arm for r in rows]) for name, rows in groups],
      [
        ('single modality', [*samples.SINGLES, content.PICKED]),
        ('early fusion', ['early_raw']),
        ('joint fusion', ['joint']),
        ('late fusion', ['late_mean']),
      ],
    )

  def test_what_validation_picks_has_a_row_of_its_own(self):
    row = self.row(content.PICKED)
    picked = self.summary['best_single']['picked_on_validation']
    self.assertEqual(row.primary.estimate, picked['estimate'])
    self.assertIsNone(row.difference)

  def test_a_reference_given_by_name_is_marked_and_not_called_the_best(self):
    self.summary['evaluation']['reference'] = 'ehr'
    page = content.build(self.summary)
    self.assertEqual(page.reference, "'ehr'")
    marks = {row.arm: row.mark for row in page.rows() if row.mark}
    self.assertEqual(marks, {'ehr': '(reference)'})
    self.assertNotIn(content.PICKED, [row.arm for row in page.rows()])
    self.assertNotIn(content.PICKED, page.fold_names)
    said = ' '.join(page.footnotes)
    self.assertIn('(reference): what fusion is compared with', said)
    self.assertNotIn(content.PICKED, said)

  def test_one_single_modality_is_the_reference(self):
    for arm in ('image', 'ehr_trees'):
      del self.summary['arms'][arm]
    page = content.build(self.summary)
    self.assertEqual(self.row('ehr', page).mark, content.MARK)
    self.assertNotIn(content.PICKED, [row.arm for row in page.rows()])

  def test_the_best_single_modality_is_explained(self):
    page = content.build(self.summary)
    self.assertEqual(page.reference, 'the best single modality')
    self.assertEqual(page.fold_names[1], content.PICKED)
    self.assertIn(f'{content.PICKED}: fold by', ' '.join(page.footnotes))
    self.assertFalse(any(row.mark for row in page.rows()))

  @parameterized.parameters(
    ('image_pca', 'single', 'single modality'),
    ('mine', 'single', 'single modality'),
    ('early_raw', 'fusion', 'early fusion'),
    ('joint', 'fusion', 'joint fusion'),
    ('late_mean', 'fusion', 'late fusion'),
    ('mmtm', 'fusion', 'other fusion'),
    ('lately', 'fusion', 'other fusion'),
    ('image_copy', 'fusion', 'other fusion'),
    ('single_net', 'fusion', 'other fusion'),
    ('early_raw', 'other', 'other'),
  )
  def test_strategy_of_another_summary_s_arm(self, arm, role, strategy):
    self.assertEqual(content.strategy_of(arm, {'role': role}), strategy)

  def test_strategy_is_read_from_the_summary(self):
    self.summary['arms']['joint'] |= {'strategy': 'late', 'type': 'II'}
    page = content.build(self.summary)
    groups = {name: [r.arm for r in rows] for name, rows in page.groups}
    self.assertEqual(groups['late fusion'], ['joint', 'late_mean'])
    self.assertEqual(self.row('joint', page).type, 'II')
    self.assertEqual(self.row('late_mean', page).type, '')
    self.assertTrue(any(x.startswith('I, II:') for x in page.footnotes))

  def test_no_arm_is_lost(self):
    self.summary['arms']['strange'] = {
      **self.summary['arms']['joint'],
      'role': 'other',
    }
    page = content.build(self.summary)
    shown = {row.arm for row in page.rows()}
    self.assertEqual(shown - {content.PICKED}, set(self.summary['arms']))
    self.assertIsNone(self.row('strange', page).difference)

  def test_undefined_keeps_its_reason(self):
    entry = self.summary['arms']['image']['metrics']['auroc']
    entry.update(estimate=None, low=None, high=None, reason='one class')
    self.assertEqual(
      self.row('image').primary, text.Number(None, None, None, 'one class')
    )

  def test_reason_of_a_comparison_stands_at_the_verdict(self):
    self.summary['comparisons'][1]['reason'] = 'not better than ehr'
    row = self.row('joint')
    self.assertEqual(row.verdict_reason, 'not better than ehr')
    self.assertEqual(row.difference.reason, '')

  def test_zero_difference_is_shown(self):
    self.summary['comparisons'][1].update(difference=0.0, low=0.0, high=0.0)
    self.assertEqual(self.row('joint').difference, text.Number(0.0, 0.0, 0.0))

  def test_folds(self):
    folds = content.build(self.summary).folds
    chosen = self.summary['best_single']['picked_on_validation']['by_fold']
    self.assertEqual(
      [f[:2] for f in folds], [['0', chosen[0]['arm']], ['1', chosen[1]['arm']]]
    )
    self.assertEqual(
      [f[2:] for f in folds],
      [
        [str(f['studies']), str(f['patients']), str(f['events'])]
        for f in self.summary['folds']
      ],
    )

  def test_repeats_are_named(self):
    folds = content.build(samples.sample(repeats=2)).folds
    self.assertEqual([f[0] for f in folds], ['0/0', '0/1', '1/0', '1/1'])

  def test_fold_without_reference_says_why(self):
    picked = self.summary['best_single']['picked_on_validation']
    picked['by_fold'][0].update(arm=None, reason='none')
    self.assertEqual(content.build(self.summary).folds[0][1], 'none (none)')

  def test_complete_cases(self):
    self.assertEmpty(content.build(self.summary).complete)
    summary = samples.sample(missing=True)
    page = content.build(summary)
    self.assertIn(
      str(summary['complete_cases']['studies']), page.complete_title
    )
    rows = {r.arm: r for _, rows in page.complete for r in rows}
    entry = summary['complete_cases']['arms']['joint']['metrics']['auroc']
    self.assertEqual(rows['joint'].primary.estimate, entry['estimate'])
    self.assertNotEqual(
      rows['joint'].primary.estimate, self.row('joint', page).primary.estimate
    )

  def test_no_complete_case_at_all(self):
    self.summary['complete_cases'] = {
      'studies': 0,
      'patients': 0,
      'reason': 'no study has all modalities',
    }
    page = content.build(self.summary)
    self.assertIn('0 studies', page.complete_title)
    self.assertEmpty(page.complete)

  def test_other_tasks(self):
    page = content.build(samples.sample(types.MULTICLASS))
    self.assertEqual(page.facts.metric, 'macro AUROC')
    self.assertRegex(page.folds[0][4], r'^a \d+, b \d+, c \d+$')
    self.assertEqual(page.fold_names[4], 'studies of each class')
    page = content.build(samples.sample(types.REGRESSION))
    self.assertEqual(page.fold_names[2:], ['studies', 'patients'])
    self.assertLen(page.folds[0], 4)

  def test_lower_is_better(self):
    page = content.build(samples.sample(metric='brier'))
    self.assertTrue(page.facts.lower_is_better)
    notes = ' '.join(page.footnotes)
    self.assertIn('Lower is better', notes)
    # Gains are positive where they are better, whatever the metric.
    self.assertIn('superior: lower bound above 0', notes)

  def test_facts_leave_out_what_is_not_there(self):
    facts = dict(content.build(self.summary).about)
    self.assertEqual(facts['task'], 'binary (outcome)')
    self.assertEqual(facts['trials of each arm'], '7')
    self.assertEqual(facts['best possible AUROC'], 'image .750, both n/a')
    self.assertNotIn('licence', facts)

  def test_without_fusion_there_is_no_word_of_comparisons(self):
    self.summary['comparisons'] = []
    notes = ' '.join(content.build(self.summary).footnotes)
    self.assertNotIn('superior', notes)

  def test_without_an_interval_none_is_explained(self):
    notes = ' '.join(content.build(self.summary).footnotes)
    self.assertIn('bounds hold for', notes)
    for entry in self.summary['comparisons'][1:]:
      entry.update(low=None, high=None)
    notes = ' '.join(content.build(self.summary).footnotes)
    self.assertIn('bounds hold for all 3 fusion arms', notes)
    self.summary['comparisons'][0].update(low=None, high=None)
    notes = ' '.join(content.build(self.summary).footnotes)
    self.assertNotIn('bounds hold', notes)
    self.assertNotIn('max-t', notes)

  def test_intervals_of_arms_say_that_they_are_bca(self):
    self.assertNotIn('BCa', ' '.join(content.build(self.summary).footnotes))
    self.summary['evaluation']['method'] = 'bca'
    found = [x for x in content.build(self.summary).footnotes if 'BCa' in x]
    self.assertLen(found, 1)


if __name__ == '__main__':
  absltest.main()
