"""Tests of fusion_jax.launch.robustness; what it prints: ablate_test.py."""

from absl.testing import absltest

from tests.launch import launched


class RobustnessTest(launched.LaunchedTestCase):
  module = 'robustness'

  def test_bad_input_is_one_line(self):
    for flags, message in (
      ([], 'Give --run=DIR'),
      (['--run=nowhere'], "'nowhere' is not a run folder"),
      (['--run=x', '--fractions=half'], "--fractions: 'half' is not a number"),
      (['--run=x', '--train_missing=image'], 'expected MODALITY:SHARE'),
    ):
      done = self.run_launcher(*flags)
      self.assertEqual((done.returncode, done.stdout), (2, ''), done.stderr)
      (line,) = done.stderr.strip().splitlines()
      self.assertIn(message, line)


if __name__ == '__main__':
  absltest.main()
