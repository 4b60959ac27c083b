"""Tests of experiments.studies.robust_runs, as a user runs it."""

import pytest
from absl.testing import absltest, parameterized

from tests.launch import launched


class RobustRunsTest(launched.LaunchedTestCase):
  module = 'experiments.studies.robust_runs'

  @pytest.mark.slow
  def test_a_killed_folder_comes_to_the_same_result(self):
    done = self.run_launcher('--trial=soak', '--folders=2', '--out=o')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn('0 of 2 killed run folders are faults', done.stdout)
    text = (self.work / 'o/robust_runs.md').read_text()
    self.assertIn('**2 of 2**', text)

  @pytest.mark.slow
  def test_damage_is_never_used(self):
    kinds = (
      'config.json,models.json,checksums.json,robustness.json,'
      'ehr_trees: model/0/trees.npz,ehr: arrays.npz,ehr: model/0/facts.json,'
      'late_stack: node.json'
    )
    done = self.run_launcher(
      '--trial=matrix',
      f'--kinds={kinds}',
      '--damages=flip,delete,other fold',
      '--out=o',
      '--docs=d',
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertRegex(done.stdout, '0 of 40 cases of damage are faults')
    text = (self.work / 'd/robust_runs.md').read_text()
    self.assertIn('| `ehr: arrays.npz` |', text)

  @parameterized.parameters(
    (['--trial=soap', '--out=o'], "Did you mean 'soak'"),
    (['--damages=flop', '--out=o'], "Did you mean 'flip'"),
    (['--folders=0', '--out=o'], 'at least 1'),
    (['--trial=soak'], '--out=DIR'),
  )
  def test_bad_input_is_one_line(self, flags, message):
    done = self.run_launcher(*flags)
    self.assertEqual(done.returncode, 2, done.stderr)
    (line,) = done.stderr.strip().splitlines()
    self.assertIn(message, line)


if __name__ == '__main__':
  absltest.main()
