"""Tests of experiments.studies.calibration.findings."""

import dataclasses
import pathlib

from absl.testing import absltest, parameterized

from experiments.studies.calibration import cells, findings, scores


def result(part='scores', runs=2000, fewest=80.0, cell=None, **totals):
  """What `cells.run` gives for one cell."""
  cell = cell or cells.Cell(part, 7, 250, 1)
  tallies = {k: cells.Tally(runs, v) for k, v in totals.items()}
  tallies['fewest'] = cells.Tally(runs, fewest * runs)
  return {'cell': cell, 'seconds': 1.0, 'tallies': tallies}


def judged(**settings):
  return findings.judge({'x': result(**settings)})


class CriterionTest(parameterized.TestCase):
  @parameterized.parameters(
    ('superior', 50, False),
    ('superior', 70, False),
    ('superior', 80, True),
    ('inferior', 80, True),
    ('equivalent', 80, False),
    ('equivalent', 137, True),
    ('covered', 1900, False),
    ('covered', 1990, False),
    ('covered', 1865, True),
  )
  def test_exact_interval_above_nominal(self, name, total, failing):
    self.assertEqual(findings.fails(name, cells.Tally(2000, total)), failing)
    row = judged(**{name: total})
    self.assertEqual(
      row['cells'][0]['criterion'], {name: 'FAIL' if failing else 'pass'}
    )
    self.assertEqual(row['result'], 'FAIL' if failing else 'pass')

  def test_few_patients_stand_apart(self):
    found = judged(superior=2000, fewest=49.0)
    self.assertEqual(found['cells'][0]['criterion'], {'superior': 'apart'})
    self.assertEqual(found['result'], findings.PASS)

  def test_naive_practice_is_not_judged(self):
    found = judged(part='naive', superior=2000)
    self.assertEqual(found['cells'][0]['criterion'], {})

  def test_a_mean_is_no_rate(self):
    row = judged(width=300.0)['cells'][0]
    self.assertEqual(row['outcomes']['width'], {'estimate': 0.15, 'runs': 2000})
    self.assertEqual(findings.shown(row['outcomes']['width']), '0.150')

  def test_a_planted_procedure_fails_and_the_library_s_does_not(self):
    cell = cells.Cell('scores', 15, 200, 5)

    def planted(cell, settings, run):
      naive = scores.naive(cell, settings, run)
      return {'superior': naive['best_of_k'], 'fewest': 99.0}

    for function, expected in (
      (planted, findings.FAIL),
      (scores.verdict, findings.PASS),
    ):
      found = cells.run(
        [cell],
        {'scores': function},
        runs=80,
        settings=cells.Settings(replicates=100),
        folder=pathlib.Path(self.create_tempdir().full_path),
      )
      tallies = found[cell.name]['tallies']
      failing = findings.fails('superior', tallies['superior'])
      self.assertEqual(failing, expected == findings.FAIL)


class WordsTest(absltest.TestCase):
  def test_faults_name_the_cell(self):
    cell = cells.Cell(
      'scores', 3, 300, 1, 0.02, singles=cells.FOUR_TIED, seeds=3, twins=True
    )
    found = findings.judge(
      {'a': result(equivalent=400, cell=cell), 'b': result(superior=3)}
    )
    first, last = findings.faults(found)
    self.assertStartsWith(
      first,
      'FAIL: scores, 4 tied singles, 3 seeds, twins, k = 3, n = 300, 1 a '
      'patient, gain 0.02, 2000 runs: "equivalent" wrongly 20.0% [',
    )
    self.assertEqual(last, '1 of 2 judged cells do not fail')

  def test_world(self):
    row = judged(superior=0)['cells'][0]
    self.assertEqual(findings.world(row), 'tied')
    whole = cells.Cell('end_to_end', 4, 300, 1, factor=1.2)
    row = findings.judge({'x': result(cell=whole, superior=0)})['cells'][0]
    self.assertEqual(findings.world(row), 'image and its copy, factor 1.2')

  def test_lines_fit(self):
    lines = findings.lines(judged(superior=900))
    self.assertLessEqual(max(map(len, lines)), 80)
    self.assertEqual(lines[-1], 'Result: FAIL')
    self.assertStartsWith(lines[0], 'FAIL: scores, tied')


class CellNamesTest(absltest.TestCase):
  def test_every_field_is_in_the_name(self):
    cell = cells.Cell('scores', 1, 40, 1)
    changes = dict(
      k=2,
      n=41,
      per_patient=2,
      gain=0.1,
      every=True,
      singles=cells.UNEQUAL,
      folds=2,
      seeds=2,
      twins=True,
      events=3,
      factor=1.2,
    )
    names = {
      dataclasses.replace(cell, **{k: v}).name for k, v in changes.items()
    }
    self.assertLen(names | {cell.name}, len(changes) + 1)


if __name__ == '__main__':
  absltest.main()
