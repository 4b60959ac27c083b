"""Tests of fusion_jax.report.league."""

import csv
import io
import re

from absl.testing import absltest

from fusion_jax.evaluation import league as league_lib
from fusion_jax.evaluation import league_runs
from fusion_jax.report import league, tables
from tests import league_samples
from tests.report import reader

GAINS = (0.05, 0.01, 0.03, 0.02, 0.06)


class LeagueTest(league_samples.RunsCase):
  def found(self, *runs, **options):
    folders = [
      self.write(f'r{i}', **{'name': f'cohort{i}', 'ids': f'{i}s', **x})
      for i, x in enumerate(runs)
    ]
    return league_lib.summarise(league_runs.read(folders), **options)

  def five(self):
    return self.found(
      *({'gains': {'joint': g, 'late_mean': -g}} for g in GAINS)
    )

  def test_the_screen_is_what_is_pooled(self):
    found = self.five()
    screen = league.screen(found)
    whole = found['pooled'][0]
    self.assertEqual(screen.answer, 'NOT SETTLED')
    self.assertEqual(screen.verdict, whole['verdict'])
    self.assertEqual(screen.gain.number, '0.000')
    lines = {x.label: x.text for x in screen.lines}
    self.assertRegex(lines['STRATEGY'], r'joint \+\.\d+ \[.*\], superior; late')
    self.assertEqual(lines['METHOD'], 'superior: joint; inferior: late_mean')
    self.assertIn('NOT SETTLED: cohort0 (y), cohort1 (y)', lines['WHERE'])
    self.assertIn('in a new cohort', lines['HOW SURE'])
    self.assertNotIn('BUT', lines)

  def test_few_cohorts_are_said(self):
    screen = league.screen(self.found({}, {}))
    lines = {x.label: x.text for x in screen.lines}
    self.assertIn('2 cohorts', lines['BUT'])
    self.assertIn('with 5 or more', lines['HOW SURE'])

  def test_better_and_worse(self):
    for sign, words in ((1, 'YES, ON AVERAGE'), (-1, 'WORSE, ON AVERAGE')):
      found = self.found(*({'gains': {'joint': sign * g}} for g in GAINS))
      self.assertEqual(league.screen(found).answer, words)

  def test_csv_has_every_number(self):
    found = self.five()
    text = tables.to_csv(league.methods(found))
    rows = {x['method']: x for x in csv.DictReader(io.StringIO(text))}
    for entry in found['pooled']:
      if entry['by'] != league_lib.METHOD:
        continue
      row = rows[entry['name']]
      self.assertEqual(float(row['pooled [95%]']), entry['estimate'])
      self.assertEqual(float(row['pooled [95%] low']), entry['low'])
      self.assertEqual(
        float(row['a new cohort [95%] high']), entry['prediction_high']
      )
      for i, effect in enumerate(entry['effects']):
        self.assertEqual(float(row[f'cohort{i}']), effect['estimate'])
    whole = csv.DictReader(io.StringIO(tables.to_csv(league.gains(found))))
    self.assertLen(list(whole), 10)

  def test_what_is_not_pooled_has_its_reason(self):
    found = self.found(
      {'gains': {'joint': 0.1, 'gated': 0.2}}, {'gains': {'joint': 0.1}}
    )
    text = tables.to_csv(league.methods(found))
    rows = {x['method']: x for x in csv.DictReader(io.StringIO(text))}
    self.assertEqual(rows['gated']['pooled [95%]'], '')
    self.assertIn('one cohort', rows['gated']['reason'])
    self.assertEqual(rows['gated']['cohort1'], '')
    self.assertIn('in one cohort alone: 1', league.screen(found).lines[2].text)

  def test_the_terminal_has_all_but_single_cohorts(self):
    found = self.five()
    short = league.short(found)
    self.assertEqual(
      [x[0].text for x in short.rows()],
      ['every fusion arm', 'joint', 'late', 'joint', 'late_mean'],
    )
    self.assertNotIn('cohort0', [x.title for x in short.columns])

  def test_page_stands_alone_and_is_whole(self):
    made = league.contents(
      self.found({'name': 'a <b> & c'}, {}, {'gains': {'joint': 0.1}})
    )
    text = made[league.PAGE].decode()
    page = reader.read(text)
    self.assertNotIn('<b> &', text)
    self.assertEmpty({'link', 'img', 'iframe', 'script'} & set(page.tags))
    self.assertEmpty(re.findall(r'url\((?!#)', text))
    ids = page.values('id')
    self.assertLen(set(ids), len(ids))
    for link in page.values('href'):
      if link.startswith('#'):
        self.assertIn(link[1:], ids)
      else:
        self.assertIn(link, made)
    self.assertEqual(page.headings[0], 1)
    self.assertEqual(page.tags.count('figure'), 2)
    self.assertEqual(page.tags.count('desc'), 2)

  def test_the_same_league_gives_the_same_files(self):
    found = self.found({}, {})
    self.assertEqual(league.contents(found), league.contents(found))


if __name__ == '__main__':
  absltest.main()
