"""Tests of experiments.studies.shared_training, as a user runs it."""

from absl.testing import absltest, parameterized

from tests.launch import launched


class SharedTrainingTest(launched.LaunchedTestCase):
  module = 'experiments.studies.shared_training'

  def test_runs_and_resumes(self):
    flags = ('--learners=lda', '--runs=1', '--max_n=120', '--replicates=100')
    done = self.run_launcher(*flags, '--out=o', '--docs=d')
    self.assertIn(done.returncode, (0, 1), done.stderr)
    self.assertIn('factor 1.00: 0 judged cells fail', done.stdout)
    text = (self.work / 'd/dependence.md').read_text()
    self.assertIn('--learners=lda --runs=1', text)
    again = self.run_launcher(*flags, '--out=o', '--docs=d')
    self.assertEqual((again.stdout, again.stderr), (done.stdout, ''))

  @parameterized.parameters(
    (['--learners=ldb', '--out=o'], "Did you mean 'lda'"),
    (['--learners=lda'], '--out=DIR'),
    (['--max_n=9', '--out=o'], 'no cell is that small'),
  )
  def test_bad_input_is_one_line(self, flags, message):
    done = self.run_launcher(*flags)
    self.assertEqual(done.returncode, 2, done.stderr)
    (line,) = done.stderr.strip().splitlines()
    self.assertIn(message, line)


if __name__ == '__main__':
  absltest.main()
