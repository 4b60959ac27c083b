"""Tests of experiments.studies.review_table, as a user runs it."""

import json

import pytest
from absl.testing import absltest

from tests.launch import launched


class ReviewTableTest(launched.LaunchedTestCase):
  module = 'experiments.studies.review_table'

  def test_a_row_that_is_counted(self):
    flags = ['--out=found', '--docs=pages', '--quick', '--rows=models']
    done = self.run_launcher(*flags)
    self.assertEqual(done.returncode, 0, done.stderr)
    found = json.loads((self.work / 'found/review_table.json').read_text())
    cells = found['rows']['models']['cells']
    self.assertEqual(
      [cells[x]['outcome'] for x in ('early', 'joint', 'late')], ['agrees'] * 3
    )
    page = (self.work / 'pages/review_table.md').read_text()
    self.assertIn('Quick run', page)
    self.assertTrue((self.work / 'pages/figures/review_table.svg').is_file())

  def test_bad_flags_are_one_line(self):
    for flags, message in (
      ([], '--out=DIR'),
      (['--out=o', '--rows=desing'], "Did you mean 'design'"),
      (['--out=/proc/nothing', '--rows=models'], '/proc/nothing'),
    ):
      done = self.run_launcher(*flags)
      self.assertEqual(done.returncode, 2, done.stderr)
      (line,) = done.stderr.strip().splitlines()
      self.assertIn(message, line)

  @pytest.mark.slow
  def test_rows_that_train_share_a_run(self):
    done = self.run_launcher('--out=found', '--quick', '--rows=missing,design')
    self.assertEqual(done.returncode, 0, done.stderr)
    found = json.loads((self.work / 'found/review_table.json').read_text())
    cell = found['rows']['missing']['cells']['late']
    self.assertLen(cell['checks'], 8)
    for check in cell['checks']:
      # A prediction that is left out leaves that of the other modality.
      if check['arm'] == 'late_mean':
        self.assertEqual(check['estimate'], 0.0)
        self.assertEqual(check['found'], 'yes')
    details = found['rows']['design']['cells']['joint']['checks'][0]['details']
    self.assertLen(details['settings'], 2)
    self.assertLen(details['seeds'], 2)
    again = self.run_launcher('--out=found', '--quick', '--rows=missing,design')
    self.assertEqual(again.returncode, 0, again.stderr)
    self.assertNotIn('started', again.stdout)


if __name__ == '__main__':
  absltest.main()
