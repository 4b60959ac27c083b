"""Tests of experiments.studies.training_benchmark, as a user runs it."""

import pytest
from absl.testing import absltest, parameterized

from tests.launch import launched


class TrainingBenchmarkTest(launched.LaunchedTestCase):
  module = 'experiments.studies.training_benchmark'

  def cells(self, *flags):
    """Of each row of the table that it prints."""
    done = self.run_launcher(*flags, '--side=8')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn('jax 0.', done.stdout)
    rows = [x for x in done.stdout.splitlines() if x.startswith('|')]
    return [[c.strip() for c in x.split('|')[1:-1]] for x in rows[2:]]

  @pytest.mark.slow
  def test_speed(self):
    image, record = self.cells('--rounds=1', '--steps=2')
    self.assertEqual(image[0], 'compact ResNet, 8 px, batch 32')
    self.assertEqual(record[0], 'MLP, 30 columns, batch 256')
    for row in (image, record):
      bare, *others = (float(x.removesuffix(' ms')) for x in row[1:4])
      # One turn: the median of the ratios is their ratio.
      for seconds, ratio in zip(others, row[4:], strict=True):
        self.assertAlmostEqual(bare / seconds, float(ratio), delta=0.1)

  @pytest.mark.slow
  def test_memory(self):
    ((studies, *_, peak),) = self.cells('--studies=130')
    self.assertEqual(studies, '130 x 8 px')
    self.assertBetween(float(peak.removesuffix(' GB')), 0.1, 3)

  @parameterized.parameters(
    ('--studies=9', '--studies=9: expected at least 128'),
    ('--rounds=0', '--rounds=0: expected at least 1'),
  )
  def test_bad_input_is_one_line(self, flag, message):
    done = self.run_launcher(flag)
    self.assertEqual(done.returncode, 2, done.stderr)
    (line,) = done.stderr.strip().splitlines()
    self.assertIn(message, line)


if __name__ == '__main__':
  absltest.main()
