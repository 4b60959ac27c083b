"""Tests of tables of arms and comparisons."""

import copy

from absl.testing import absltest

from fusion_jax.report import content, facts, glossary, results, text
from tests.report import parts, samples


class ResultsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.plain = samples.sample(missing=True)
    cls.rich = parts.rich(cls.plain)

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.rich)

  def test_failed_arms_are_in_the_history(self):
    table = results.history(self.summary['history'])
    failed = [row for row in table.rows() if row[1].text == 'failed']
    self.assertEqual([row[0].text for row in failed], ['joint_wide'])
    self.assertEqual(failed[0][3].text, 'loss is NaN at epoch 3, step 41')

  def test_a_history_without_reasons_has_no_column_for_them(self):
    finished = [x for x in self.summary['history'] if not x['reason']]
    titles = [c.title for c in results.history(finished).columns]
    self.assertEqual(titles, ['arm', 'outcome', 'models'])

  def test_patients_needed_say_what_they_assume_and_where_it_is_not_so(self):
    page = content.build(self.summary)
    table = results.arms(page, page.groups)
    found = dict(glossary.meanings(table, facts.of(self.summary)))
    text = found['patients: superior if +.02']
    self.assertIn('every single modality', text)
    self.assertIn('plan --from_run=RUN --gain=0.02', text)
    self.assertIn('patients: equivalent if 0', found)

  def test_values_by_fold_are_the_summary_s(self):
    table = results.by_fold(self.summary)
    titles = [c.title for c in table.columns]
    self.assertEqual(titles, ['arm', 'fold 0', 'fold 1', 'fold sd', 'seed sd'])
    row = next(row for row in table.rows() if row[0].text == 'joint')
    folds = self.summary['arms']['joint']['folds']
    self.assertEqual(
      [c.value for c in row[1:3]], [x['estimate'] for x in folds]
    )
    self.assertEqual(row[4].text, text.UNDEFINED)
    self.assertEqual(row[4].reason, 'one seed only, and a spread needs two')

  def test_a_fold_an_arm_failed_in_is_blank(self):
    del self.summary['arms']['joint']['folds'][0]
    table = results.by_fold(self.summary)
    row = next(row for row in table.rows() if row[0].text == 'joint')
    self.assertEqual(row[1].text, '')

  def test_recalibration_stands_beside_what_was_trained(self):
    table = results.recalibration(self.summary)
    rows = [row for row in table.rows() if row[0].text == 'joint']
    self.assertEqual(
      [row[1].text for row in rows],
      ['as trained', 'temperature', 'platt', 'isotonic'],
    )
    brier = self.summary['arms']['joint']['metrics']['brier']
    self.assertEqual(rows[0][2].number, text.number(brier))
    self.assertEqual(rows[1][2].number.estimate, 0.1)

  def test_a_recalibration_that_was_not_possible_says_why(self):
    entry = self.summary['arms']['joint']['calibration']['recalibrated']
    entry['platt'] = {'brier': None, 'models': 0, 'reason': 'one class'}
    table = results.recalibration(self.summary)
    row = next(
      row
      for row in table.rows()
      if (row[0].text, row[1].text) == ('joint', 'platt')
    )
    self.assertEqual(row[2].number, text.Number(None, reason='one class'))
    self.assertEqual(row[3].shown(text.Reasons()), '')
    self.assertIn('After recalibration', table.note)

  def test_other_tests_have_a_column_where_one_was_made(self):
    for comparison, reason in zip(
      self.summary['comparisons'], ('', 'one class', ''), strict=True
    ):
      comparison['without_factor']['delong'] = (
        {'p': None, 'reason': reason} if reason else {'p': 0.2}
      )
    table = results.other_tests(self.summary)
    self.assertEqual(
      [c.title for c in table.columns], ['arm', 'DeLong p', 'corrected t p']
    )
    rows = list(table.rows())
    self.assertEqual(rows[1][1].reason, 'one class')
    self.assertAlmostEqual(rows[0][2].value, 0.1)

  def test_a_test_that_was_possible_for_no_arm_has_no_column(self):
    table = results.other_tests(self.summary)
    self.assertEqual([c.title for c in table.columns], ['arm', 'corrected t p'])

  def test_against_each_single(self):
    table = results.against(self.summary)
    # Three single modalities, and the one that validation would have picked.
    self.assertLen(list(table.rows()), 3 * (3 + 1))
    row = list(table.rows())[3]
    self.assertEqual(row[1].text, content.PICKED)
    picked = self.summary['comparisons'][0]['picked_on_validation']
    self.assertEqual(row[2].number.estimate, picked['difference'])
    self.assertIn('nothing is judged by it', table.note)

  def test_differences_have_columns_where_there_are_any(self):
    page = content.build(self.summary)
    table = results.arms(page, page.groups)
    self.assertIn('gain over the best single modality', table.title)
    self.assertLen(table.columns, 8)
    self.summary['comparisons'] = []
    page = content.build(self.summary)
    table = results.arms(page, page.groups)
    self.assertEqual(table.title, 'AUROC of every arm')
    self.assertEqual([c.title for c in table.columns], ['arm', 'AUROC [95%]'])

  def test_a_reference_given_by_name_is_marked(self):
    self.summary['evaluation']['reference'] = 'ehr'
    page = content.build(self.summary)
    table = results.arms(page, page.groups)
    self.assertIn("gain over 'ehr'", table.title)
    names = [row[0].text for row in table.rows()]
    self.assertIn('ehr (reference)', names)
    self.assertNotIn(content.PICKED, names)
    titles = [c.title for c in results.folds(page).columns]
    self.assertEqual(titles[:2], ['fold', 'studies'])

  def test_a_verdict_says_what_speaks_against_it(self):
    comparison = self.summary['comparisons'][1]
    comparison.update(
      verdict='superior',
      within_margin=True,
      fragile={'factor': 1.35, 'verdict': 'inconclusive'},
    )
    page = content.build(self.summary)
    table = results.arms(page, page.groups)
    titles = [c.title for c in table.columns]
    row = next(row for row in table.rows() if row[0].value == 'joint')
    verdict = row[titles.index('verdict')]
    self.assertEqual(verdict.text, 'superior, by less than .02')
    self.assertEqual(verdict.style, 'superior within')
    self.assertEqual(row[titles.index('fragile')].text, 'inconclusive')

  def test_metrics_are_named_in_words_and_keep_their_key(self):
    table = results.metrics(content.build(self.summary))
    names = {row[1].value: row[1].text for row in table.rows()}
    self.assertEqual(names['auroc'], 'AUROC')
    self.assertNotIn('_', ''.join(names.values()))


if __name__ == '__main__':
  absltest.main()
