"""Tests of experiments.studies.calibration.cells."""

import json
import os
import pathlib
import signal

import pytest
from absl.testing import absltest

from experiments.studies.calibration import cells, scores
from fusion_jax.core import errors

CELL = cells.Cell('toy', 1, 40, 1)
OTHER = cells.Cell('toy', 2, 40, 1)


def _killed(cell, settings, run):
  os.kill(os.getpid(), signal.SIGKILL)


class CellsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'runs'
    self.calls = []

  def toy(self, cell, settings, run):
    self.calls.append((cell.k, run))
    value = cell.rng(settings.seed, run).random()
    return {'low': float(value < 0.5), 'odd': 1.0 if run % 2 else float('nan')}

  def run_cells(self, runs, *, seed=0, which=(CELL, OTHER)):
    return cells.run(
      which,
      {'toy': self.toy},
      runs=runs,
      settings=cells.Settings(seed=seed),
      folder=self.folder,
    )

  def test_tallies(self):
    found = self.run_cells(60)[CELL.name]['tallies']
    self.assertEqual(found['low'].runs, 60)
    self.assertEqual(found['odd'], cells.Tally(30, 30.0))
    expected = sum(CELL.rng(0, i).random() < 0.5 for i in range(60))
    self.assertEqual(found['low'].total, expected)

  def test_finished_chunks_are_kept(self):
    first = self.run_cells(120)
    self.calls.clear()
    again = self.run_cells(120)
    self.assertEmpty(self.calls)
    self.assertEqual(first, again)

  def test_only_what_is_missing_runs(self):
    first = self.run_cells(120)
    (self.folder / 'chunks' / CELL.name / '50-100.json').unlink()
    self.calls.clear()
    again = self.run_cells(120)
    self.assertEqual(self.calls, [(1, i) for i in range(50, 100)])
    for name in first:
      self.assertEqual(first[name]['tallies'], again[name]['tallies'])

  def test_more_runs_continue(self):
    self.run_cells(50, which=[CELL])
    self.calls.clear()
    found = self.run_cells(100, which=[CELL])
    self.assertEqual([run for _, run in self.calls], list(range(50, 100)))
    self.assertEqual(found[CELL.name]['tallies']['low'].runs, 100)

  def test_an_interrupted_run_leaves_whole_chunks_only(self):
    def stopped(cell, settings, run):
      if run == 70:
        raise KeyboardInterrupt
      return self.toy(cell, settings, run)

    with self.assertRaises(KeyboardInterrupt):
      cells.run(
        [CELL],
        {'toy': stopped},
        runs=100,
        settings=cells.Settings(),
        folder=self.folder,
      )
    left = sorted(x.name for x in self.folder.rglob('*') if x.is_file())
    self.assertEqual(left, ['0-50.json', 'settings.json'])
    self.calls.clear()
    self.run_cells(100, which=[CELL])
    self.assertEqual(self.calls[0], (1, 50))

  def test_seeds_differ_and_repeat(self):
    draws = {
      (cell.n, seed, run): cell.rng(seed, run).random()
      for cell in (CELL, cells.Cell('toy', 1, 41, 1))
      for seed in (0, 1)
      for run in (0, 1)
    }
    self.assertLen(set(draws.values()), 8)
    self.assertEqual(draws[40, 1, 1], CELL.rng(1, 1).random())

  def test_parts_of_a_world_are_paired(self):
    a, b = cells.Cell('scores', 1, 40, 1), cells.Cell('naive', 1, 40, 1)
    self.assertEqual(a.rng(0, 0).random(), b.rng(0, 0).random())

  def test_another_seed_needs_another_folder(self):
    self.run_cells(1)
    with self.assertRaisesRegex(errors.UserError, 'seed = 0, not 1'):
      self.run_cells(1, seed=1)

  def test_another_procedure_needs_another_folder(self):
    self.run_cells(1)
    path = self.folder / cells.SETTINGS
    path.write_text(json.dumps(json.loads(path.read_text()) | {'source': 'x'}))
    with self.assertRaisesRegex(errors.UserError, 'source = x'):
      self.run_cells(1)

  def test_a_cut_chunk_is_one_line(self):
    self.run_cells(1)
    path = self.folder / 'chunks' / CELL.name / '0-1.json'
    path.write_text(path.read_text()[:20])
    with self.assertRaisesRegex(errors.UserError, '0-1.json.*no finished'):
      self.run_cells(1)

  def test_bad_settings(self):
    with self.assertRaisesRegex(errors.UserError, '--runs=0'):
      self.run_cells(0)
    with self.assertRaisesRegex(errors.UserError, '--workers=0'):
      cells.run(
        [CELL],
        {'toy': self.toy},
        runs=1,
        settings=cells.Settings(),
        folder=self.folder,
        workers=0,
      )
    with self.assertRaisesRegex(errors.UserError, '--seed=-1'):
      cells.Settings(seed=-1)
    with self.assertRaisesRegex(errors.UserError, '--replicates=9'):
      cells.Settings(replicates=9)

  @pytest.mark.slow
  def test_a_killed_process_is_one_line(self):
    with self.assertRaisesRegex(errors.UserError, 'A process was killed'):
      cells.run(
        [CELL],
        {'toy': _killed},
        runs=1,
        settings=cells.Settings(),
        folder=self.folder,
        workers=2,
      )

  @pytest.mark.slow
  def test_processes_change_nothing(self):
    which = [cells.Cell('naive', 1, 40, p) for p in (1, 5)]
    found = [
      cells.run(
        which,
        {'naive': scores.naive},
        runs=60,
        settings=cells.Settings(),
        folder=self.folder / str(workers),
        workers=workers,
      )
      for workers in (1, 2)
    ]
    for cell in which:
      self.assertEqual(*(x[cell.name]['tallies'] for x in found))


if __name__ == '__main__':
  absltest.main()
