"""Tests of experiments.calibration.findings."""

import json
import pathlib
import re
import textwrap

import numpy as np
from absl.testing import absltest, parameterized

from experiments.calibration import cells, findings, scores
from fusion_jax.evaluation import comparison, delong


def anti_conservative(cell, settings, run):
  """A procedure that takes the best of k and every study as independent."""
  naive = scores.naive(cell, settings, run)
  test, _ = scores.parts(cell, settings, run)
  found = delong.areas(
    test.labels[:, 0] > 0,
    np.stack([by_seed[0][:, 0] for by_seed in test.scores.values()]),
  )
  true = list(scores.truth(cell).values())
  inside = [
    low <= x <= high
    for x, (low, high) in zip(
      true,
      (
        delong.interval(a, s, alpha=comparison.ALPHA)
        for a, s in zip(found.auroc, found.se, strict=True)
      ),
      strict=True,
    )
  ]
  return {
    'superior': naive['best_of_k'],
    'arm_covered': float(np.mean(inside)),
    'fewest': naive['fewest'],
  }


def result(part='scores', runs=1000, fewest=80.0, **totals):
  cell = cells.Cell(part, 7, 250, 1)
  tallies = {k: cells.Tally(runs, v) for k, v in totals.items()}
  tallies['fewest'] = cells.Tally(runs, fewest * runs)
  return {'cell': cell, 'seconds': 1.0, 'tallies': tallies}


def criterion():
  return textwrap.wrap(
    findings.CRITERION, 80, subsequent_indent='  ', break_on_hyphens=False
  )


def judged(**kwargs):
  return findings.judge({'x': result(**kwargs)})


class CriterionTest(parameterized.TestCase):
  @parameterized.parameters(
    (25, findings.PASS),
    (0, findings.PASS),
    (64, findings.PASS),
    (66, findings.FAIL),
    (300, findings.FAIL),
  )
  def test_superior(self, total, expected):
    found = judged(superior=total)
    self.assertEqual(found['cells'][0]['criterion']['superior'], expected)
    self.assertEqual(found['result'], expected)

  @parameterized.parameters(
    (1, 0, findings.UNCLEAR),
    (1, 1, findings.FAIL),
    (30, 0, findings.UNCLEAR),
    (30, 2, findings.FAIL),
    (60, 0, findings.PASS),
    (100, 5, findings.UNCLEAR),
    (100, 20, findings.FAIL),
    (300, 19, findings.PASS),
    (300, 20, findings.FAIL),
  )
  def test_superior_in_few_runs(self, runs, total, expected):
    """A rate of 10% must be excluded; from 300 runs on nothing changes."""
    found = judged(runs=runs, superior=total)
    self.assertEqual(found['cells'][0]['criterion']['superior'], expected)
    self.assertEqual(found['result'], expected)

  def test_superior_by_the_lower_bound(self):
    """6.4% of 10,000 runs is surely more than 5%."""
    found = judged(runs=10000, superior=640)
    self.assertEqual(found['result'], findings.FAIL)

  @parameterized.parameters(
    (950, findings.PASS),
    (931, findings.PASS),
    (925, findings.UNCLEAR),
    (975, findings.UNCLEAR),
    (900, findings.FAIL),
    (995, findings.FAIL),
  )
  def test_coverage(self, total, expected):
    for name in ('arm_covered', 'differences_covered'):
      found = judged(superior=20, **{name: total})
      self.assertEqual(found['cells'][0]['criterion'][name], expected)
      self.assertEqual(found['result'], expected)

  def test_coverage_of_few_patients_is_reported_only(self):
    found = judged(superior=20, arm_covered=800, fewest=49.0)
    state = found['cells'][0]['criterion']['arm_covered']
    self.assertEqual(state, findings.REPORTED)
    self.assertEqual(found['result'], findings.PASS)

  @parameterized.parameters('power', 'naive')
  def test_other_parts_are_not_judged(self, part):
    found = judged(part=part, superior=900)
    self.assertEqual(found['cells'][0]['criterion'], {})
    self.assertEqual(found['result'], findings.REPORTED)

  def test_a_planted_procedure_is_flagged(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    cell = cells.Cell('scores', 15, 400, 5)
    found = cells.run(
      [cell],
      {'scores': anti_conservative},
      runs=60,
      settings=cells.Settings(),
      folder=folder,
    )
    row = findings.judge(found)['cells'][0]
    self.assertEqual(row['criterion']['superior'], findings.FAIL)
    self.assertGreater(row['outcomes']['superior']['low'], 0.05)

  def test_the_procedure_itself_is_not(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    cell = cells.Cell('scores', 15, 400, 5)
    found = cells.run(
      [cell],
      {'scores': scores.verdict},
      runs=60,
      settings=cells.Settings(replicates=200),
      folder=folder,
    )
    row = findings.judge(found)['cells'][0]
    self.assertEqual(row['criterion']['superior'], findings.PASS)


class PageTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'out'
    cases = {
      'a': result(superior=30, arm_covered=950, differences_covered=948),
      'b': result(part='naive', best_of_k=300, against_weaker=900, one_arm=60),
      'c': result(part='power', found=700, superior=10),
      'd': result(
        part='end_to_end',
        superior=20,
        wrongly=10,
        arm_covered=955.5,
        differences_covered=960,
      ),
    }
    self.results = findings.judge(cases)

  def test_files(self):
    written = findings.write(self.results, self.folder, command='RUN')
    names = {x.relative_to(self.folder).as_posix() for x in written}
    self.assertLen(names, 4)
    text = (self.folder / findings.PAGE).read_text()
    for link in re.findall(r'\]\(([^)]+)\)', text):
      self.assertIn(link, names)
    rate = '30.0% [27.2, 32.9]'
    for words in ('RUN', findings.CRITERION, rate, '**Result: pass.**'):
      self.assertIn(words, text)
    for block in re.findall(r'(?:^\|.*\n)+', text, re.M):
      self.assertLen({x.count('|') for x in block.splitlines()}, 1)
    stored = json.loads((self.folder / findings.DATA).read_text())
    self.assertLen(stored['cells'], 4)

  def test_the_same_again(self):
    first, again = (
      {
        x.name: x.read_bytes()
        for x in findings.write(self.results, self.folder, command='RUN')
      }
      for _ in range(2)
    )
    self.assertEqual(first, again)

  def test_docs_have_page_and_svg_only(self):
    written = findings.write_docs(self.results, self.folder, command='RUN')
    self.assertSameElements([x.suffix for x in written], ['.md', '.svg'])

  def test_only_end_to_end(self):
    only = findings.judge({'d': result(part='end_to_end', superior=1)})
    self.assertIsNone(findings.figure(only))
    findings.write(only, self.folder, command='RUN')
    self.assertNotIn('](', (self.folder / findings.PAGE).read_text())

  def test_lines(self):
    self.assertEqual(
      findings.lines(self.results),
      ['2 of 2 judged cells pass', *criterion(), 'Result: pass'],
    )

  def test_lines_say_which_cell_and_why(self):
    cases = {
      'a': result(superior=30, arm_covered=925, differences_covered=900),
      'b': result(superior=66, arm_covered=950),
      'c': result(runs=10000, superior=640),
      'd': result(part='end_to_end', runs=20, superior=0),
      'e': result(superior=30),
    }
    text = '\n'.join(findings.lines(findings.judge(cases), 10_000))
    *told, passing, page, _, last = text.splitlines()
    self.assertEqual(
      [x.rpartition(', ')[2] for x in told],
      [
        'outside 93% to 97%; its interval lies outside as well',
        'more than 6.5%',
        'its lower bound is more than 5%',
        'too few runs to judge (1000 runs): outside 93% to 97%; its interval '
        'reaches into it',
        'too few runs to judge (20 runs): it may be 10% or more',
      ],
    )
    self.assertEqual(
      told[1],
      'FAIL: scores, k = 7, n = 250, 1 a patient, EHR AUROC 0.75, 1000 runs: '
      '"superior" 6.6% [5.1, 8.3], more than 6.5%',
    )
    self.assertStartsWith(told[-1], 'unclear: "superior" in 1 cell of 5, ')
    self.assertEndsWith(page, findings.PAGE)
    self.assertEqual(passing, '1 of 5 judged cells pass')
    self.assertEqual(last, 'Result: FAIL')

  def test_many_unclear_cells_are_one_short_text(self):
    cases = {str(k): result(runs=20 + k % 2, superior=0) for k in range(20)}
    cases['x'] = result(superior=300)
    for width in (50, 80):
      found = findings.lines(findings.judge(cases), width)
      self.assertLessEqual(max(map(len, found)), width)
      self.assertLess(len(found), 26)
      text = ' '.join(' '.join(found).split())
      self.assertIn(
        'unclear: "superior" in 20 cells of 21, too few runs to judge (20 to '
        '21 runs): it may be 10% or more',
        text,
      )
      self.assertEqual(text.count('FAIL: scores'), 1)

  def test_the_page_says_what_does_not_pass(self):
    cases = {'a': result(superior=30, arm_covered=925, differences_covered=950)}
    text = findings.page(findings.judge(cases), command='RUN', figures='')
    self.assertIn('| pass, unclear (arms covered) |', text)
    self.assertIn('\n- unclear: scores, k = 7, n = 250, ', text)
    self.assertIn('\n- 0 of 1 judged cells pass.\n', text)


if __name__ == '__main__':
  absltest.main()
