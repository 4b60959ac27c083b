"""Tests of experiments.studies.table2.page."""

import json
import pathlib
import re

from absl.testing import absltest

from experiments.studies.table2 import claims, figure, page


def sample(**changes):
  checks = {
    'early': [claims.Check('early_pca', 'x', 'no', 'no', -0.1, -0.2, -0.06)],
    'joint': [
      claims.Check('joint', 'x', 'no', 'unclear', -0.05, -0.1, 0.0),
      claims.Check('joint', 'y', 'yes', 'yes', 0.01, -0.02, 0.04),
    ],
    'late': [claims.Check('late_mean', 'x', 'yes', 'no', -0.2, -0.3, -0.1)],
  }
  row = claims.Row('Made up.', 'a number', 'it is there', checks)
  found = {
    **claims.to_json(claims.MISSING, row),
    'seconds': 61.0,
    'processor_seconds': 7.0,
  }
  return {
    'version': 1,
    'quick': False,
    'settings': {},
    'rows': {claims.MISSING: found},
    'not_measured': [n for n in claims.CLAIMS if n != claims.MISSING],
    **changes,
  }


class PageTest(absltest.TestCase):
  def test_words_and_numbers(self):
    text = page.markdown(sample(), command='COMMAND')
    self.assertIn(
      'Of 3 cells measured: 1 agrees, 1 qualified, 1 disagrees', text
    )
    self.assertIn('-0.100 [-0.200, -0.060]', text)
    self.assertIn('1 of 2 checks as the review says, 1 unclear', text)
    self.assertIn('`COMMAND`', text)
    self.assertIn('--rows=interactions,features', text)
    self.assertNotIn('Quick run', text)
    self.assertIn('Took 1 min (7 s of processor time)', text)
    self.assertIn(
      'Quick run', page.markdown(sample(quick=True), command='COMMAND')
    )

  def test_table_has_every_cell(self):
    text = page.markdown(sample(), command='COMMAND')
    rows = [x for x in text.splitlines() if x.startswith('| ')]
    for name, claim in claims.CLAIMS.items():
      (row,) = [x for x in rows if x.startswith(f'| {claim.text} |')]
      self.assertLen(row.split('|'), 6)
      self.assertEqual('not measured' in row, name != claims.MISSING)

  def test_figure_says_outcomes_in_words(self):
    svg = figure.draw(sample()).svg
    for word in ('= agrees', '~ qualified', '! disagrees', '? not measured'):
      self.assertIn(word, svg)
    self.assertLen(re.findall(r'review: ', svg), 21)
    self.assertEqual(svg, figure.draw(sample()).svg)

  def test_files(self):
    folder = pathlib.Path(self.create_tempdir('out').full_path)
    paths = page.write(sample(), folder / 'a', command='COMMAND')
    self.assertEqual(
      [p.name for p in paths],
      [f'review_table.{x}' for x in ('json', 'md', 'svg', 'pdf')],
    )
    self.assertEqual(json.loads(paths[0].read_text())['version'], 1)
    self.assertTrue(paths[3].read_bytes().startswith(b'%PDF'))
    written = page.write_docs(sample(), folder / 'docs', command='COMMAND')
    self.assertIn(
      f'({written[1].relative_to(folder / "docs")})', written[0].read_text()
    )
    before = [p.read_bytes() for p in paths]
    page.write(sample(), folder / 'a', command='COMMAND')
    self.assertEqual([p.read_bytes() for p in paths], before)

  def test_spreads_are_shown(self):
    result = sample()
    (check,) = result['rows'][claims.MISSING]['cells']['late']['checks']
    check['details'] = {'sd_settings': 0.0349, 'sd_seeds': 0.0059}
    text = page.markdown(result, command='COMMAND')
    self.assertIn('SD over settings 0.035, over seeds 0.006', text)

  def test_gains_are_shown_by_size(self):
    result = sample()
    (check,) = result['rows'][claims.MISSING]['cells']['late']['checks']
    check['details'] = {
      f'gain_trained_on_{n}': {'estimate': n / 1000} for n in (100, 200)
    }
    text = page.markdown(result, command='COMMAND')
    self.assertIn('gain when trained on 100: 0.100, 200: 0.200', text)

  def test_zero_has_no_sign(self):
    check = {'estimate': -0.0001, 'low': None, 'high': None}
    self.assertEqual(page.number(check, 2), '0.00')


if __name__ == '__main__':
  absltest.main()
