"""Tests of experiments.studies.calibrate_verdict, as a user runs it."""

import json

from absl.testing import absltest, parameterized

from tests.launch import launched


class CalibrateVerdictTest(launched.LaunchedTestCase):
  module = 'experiments.studies.calibrate_verdict'

  def test_runs_and_resumes(self):
    flags = ('--part=all', '--runs=2,end_to_end:1,fresh:1', '--max_n=300')
    flags += ('--replicates=100', '--out=o', '--docs=d')
    done = self.run_launcher(*flags)
    self.assertIn(done.returncode, (0, 1), done.stderr)
    self.assertIn('Result: ', done.stdout)
    self.assertIn('A cell fails if', done.stdout)
    told, _, _ = done.stdout.partition('Result: ')
    self.assertLessEqual(max(map(len, told.splitlines())), 80)
    first = json.loads((self.work / 'o/results.json').read_text())
    runs = {r['part']: r['runs'] for r in first['cells']}
    self.assertEqual(
      runs,
      {
        'scores': 2,
        'intervals': 2,
        'power': 2,
        'naive': 2,
        'end_to_end': 1,
        'fresh': 1,
      },
    )
    self.assertTrue((self.work / 'd/calibration_of_the_verdict.md').is_file())

    again = self.run_launcher(*flags)
    self.assertEqual(again.stderr, '')
    self.assertEqual(again.stdout, done.stdout)
    stored = json.loads((self.work / 'o/results.json').read_text())
    self.assertEqual(stored, first)

    with self.subTest('other settings'):
      line = self._fails('--part=naive', '--runs=1', '--out=o', '--seed=7')
      self.assertIn('seed = 0, not 7', line)

  def _fails(self, *flags):
    done = self.run_launcher(*flags)
    self.assertEqual(done.returncode, 2, done.stderr)
    (line,) = done.stderr.strip().splitlines()
    return line

  @parameterized.parameters(
    (['--part=score', '--out=o'], "Did you mean 'scores'"),
    (['--part=naive'], '--out=DIR'),
    (['--max_n=9', '--out=o'], 'sizes are 20, 75, 100'),
    (['--out=o', '--docs=/proc/nothing'], '/proc/nothing'),
  )
  def test_bad_input_is_one_line(self, flags, message):
    self.assertIn(message, self._fails(*flags))


if __name__ == '__main__':
  absltest.main()
