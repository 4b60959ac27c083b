"""Tests of fusion_jax.launch.report, as a user runs it."""

import pathlib
import shutil

import pytest
from absl.testing import absltest

from tests.launch import ablate_test, launched

MADE = ('report.html', 'report_files.txt')
FOLDERS = ('figures', 'tables', 'model_cards')


def contents(folder):
  """By path, what a report's files hold."""
  paths = [folder / x for x in MADE]
  paths += [p for x in FOLDERS for p in (folder / x).iterdir()]
  return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}


class ReportTest(launched.LaunchedTestCase):
  module = 'report'

  @pytest.mark.slow
  def test_what_a_run_left_is_made_again(self):
    done = ablate_test.ablate(
      self.work, *ablate_test.SMALL, '--out=run', '--examples=1'
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    run = self.work / 'run'
    before = contents(run)
    self.assertIn(b'id="examples"', before['report.html'])
    for name in FOLDERS:
      shutil.rmtree(run / name)
    (run / 'report.html').write_text('gone')
    done = self.run_launcher('--run=run')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(contents(run), before)
    self.assertIn('Report: run/report.html', done.stdout)
    self.assertEqual((run / 'report.html').stat().st_mode & 0o777, 0o600)

    with self.subTest('the folder of evaluate, which is no run'):
      done = ablate_test.ablate(
        self.work,
        '--predictions=run/predictions.parquet',
        '--singles=ehr_linear,image_pca',
        '--out=found',
        module='evaluate',
      )
      self.assertEqual(done.returncode, 0, done.stderr)
      before = contents(self.work / 'found')
      (self.work / 'found' / 'report.html').unlink()
      done = self.run_launcher('--run=found')
      self.assertEqual(done.returncode, 0, done.stderr)
      self.assertEqual(contents(self.work / 'found'), before)

    with self.subTest('a damaged run is refused'):
      path = run / 'summary.json'
      path.write_text(path.read_text().replace('early_pca', 'early_pcb'))
      line = self._fails('--run=run')
      self.assertIn('summary.json', line)
      self.assertIn('To make it again: fusion-jax ablate --config=', line)

  def _fails(self, *flags):
    """The one line that the command ends with."""
    done = self.run_launcher(*flags)
    self.assertEqual((done.returncode, done.stdout), (2, ''), done.stderr)
    (line,) = done.stderr.strip().splitlines()
    return line

  def test_bad_input_is_one_line(self):
    self.assertIn('Give --run=DIR', self._fails())
    self.assertIn("'nowhere' has no summary.json", self._fails('--run=nowhere'))
    folder = pathlib.Path(self.work, 'old')
    folder.mkdir()
    (folder / 'summary.json').write_text('{"version": 1}')
    self.assertIn('is of version 1', self._fails('--run=old'))
    (folder / 'config.json').write_text('{}')
    self.assertIn('is not finished', self._fails('--run=old'))


if __name__ == '__main__':
  absltest.main()
