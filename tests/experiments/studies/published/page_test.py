"""Tests of experiments.studies.published.page."""

import json
import pathlib
import re

from absl.testing import absltest

from experiments.studies.published import page, studies, synthesis
from fusion_jax.core import errors
from tests import imports

OWN = imports.ROOT / 'experiments/studies/published/studies.csv'


class EvidenceTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.result = synthesis.synthesise(studies.read(OWN))
    cls.drawn = page.figures(cls.result)
    cls.page = page.page(cls.result, cls.drawn)

  def setUp(self):
    super().setUp()
    self.out = pathlib.Path(self.create_tempdir().full_path) / 'new' / 'out'

  def test_nothing_from_memory_looks_established(self):
    for study in self.result['studies']:
      if study['cells']['confidence']['text'] != 'memory':
        continue
      row = next(
        x for x in self.page.splitlines() if x.startswith(f'| {study["name"]} ')
      )
      for cell in row.strip('| ').split(' | '):
        self.assertTrue(cell == page.UNKNOWN or page.UNVERIFIED in cell, row)

  def test_unknown_rows_are_there(self):
    row = next(x for x in self.page.splitlines() if x.startswith('| review_a '))
    self.assertEqual(row.count(page.UNKNOWN), 10)

  def test_tables_have_equal_rows(self):
    blocks = re.findall(r'(?:^\|.*\n)+', self.page, re.M)
    self.assertLen(blocks, 3)
    for block in blocks:
      self.assertLen({x.count('|') for x in block.splitlines()}, 1)

  def test_files(self):
    written = page.write(self.result, self.out)
    self.assertTrue(all(x.is_file() for x in written))
    names = {x.relative_to(self.out).as_posix() for x in written}
    for link in re.findall(
      r'\]\(([^)]+)\)', (self.out / 'evidence.md').read_text()
    ):
      self.assertIn(link, names)
    stored = json.loads((self.out / 'evidence.json').read_text())
    self.assertEqual(stored['counts'], self.result['counts'])
    self.assertStartsWith(
      (self.out / 'figures/evidence_forest.pdf').read_bytes().decode('latin1'),
      '%PDF',
    )

  def test_files_are_the_same_again(self):
    first = {x.name: x.read_bytes() for x in page.write(self.result, self.out)}
    again = {x.name: x.read_bytes() for x in page.write(self.result, self.out)}
    self.assertEqual(first, again)

  def test_figures_show_gains_only_of_checked_rows(self):
    forest, funnel = self.drawn
    svg = forest.svg
    self.assertIn('Walston 2022', svg)
    self.assertNotIn('Yoo', svg)
    self.assertIn('standard error', funnel.svg)

  def test_a_gain_over_one_single_stands_apart(self):
    header, *rows = [
      [x.strip() for x in line.strip('|').split('|')]
      for line in self.page.splitlines()
      if line.startswith('|')
    ][: 2 + len(self.result['studies'])]
    best = header.index('gain over the best single')
    only = header.index('gain over the only single reported')
    by_name = {row[0]: row for row in rows[1:]}
    apart = {
      s['name']: s['gain']
      for s in self.result['studies']
      if s['gain'].get('both') is False
    }
    self.assertIn('Michel 2023', apart)
    for name in apart:
      self.assertEqual(by_name[name][best], page.UNKNOWN)
      self.assertRegex(by_name[name][only], r'^\+?-?\..*\(over (EHR|image)\)$')
      self.assertIn(name, self.page[self.page.index('left out: ') :])
    self.assertEqual(by_name['Walston 2022'][only], '')
    self.assertIn('over the only single reported', self.drawn[0].svg)

  def test_what_is_taken_as_fixed_is_said(self):
    self.assertIn('is then taken as fixed', self.page)
    self.assertIn('max(1, q)', self.page)

  def test_a_prediction_interval_only_of_five_studies(self):
    rows = [x for x in self.page.splitlines() if x.startswith('| events known')]
    self.assertLen(rows, len(self.result['pooled']))
    for row, pooled in zip(rows, self.result['pooled'], strict=True):
      self.assertEqual('| not given |' in row, pooled['k'] < 5)

  def test_nothing_to_draw(self):
    bare = self.result | {
      'studies': [
        s
        for s in self.result['studies']
        if s['cells']['confidence']['text'] == 'unknown'
      ]
    }
    bare['pooled'] = [p | {'estimate': None} for p in bare['pooled']]
    bare['primary'] = bare['primary'] | {'rows': []}
    bare['wider_rows'] = bare['one_single'] = []
    self.assertEmpty(page.figures(bare))
    self.assertNotIn('](figures/', page.page(bare, []))

  def test_docs_are_up_to_date(self):
    page.write_docs(self.result, self.out)
    for name in ('evidence.md', 'figures/evidence_forest.svg'):
      self.assertTrue((imports.ROOT / 'docs' / name).is_file(), name)
    self.assertEqual(
      (imports.ROOT / 'docs/evidence.md').read_text(),
      (self.out / 'evidence.md').read_text(),
      'run: python -m experiments.studies.evidence --docs=docs',
    )

  def test_an_impossible_folder_is_one_line(self):
    self.out.parent.mkdir()
    self.out.write_text('a file')
    with self.assertRaisesRegex(errors.UserError, 'Could not make'):
      page.write(self.result, self.out)


if __name__ == '__main__':
  absltest.main()
