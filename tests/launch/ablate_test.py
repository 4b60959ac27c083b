"""Tests of fusion_jax.launch.ablate, as a user runs it."""

import json
import pathlib

import pytest
from absl.testing import absltest, parameterized

from tests.launch import launched

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = (
  '--arms=ehr_linear,image_pca,early_pca',
  '--folds=2',
  '--set=cohort.n=120',
  '--set=cohort.image_size=16',
  '--set=evaluation.replicates=100',
)


def ablate(work, *flags, module='ablate', report=True):
  """The finished process of `fusion-jax MODULE` in `work`."""
  return launched.launch(work, module, *flags, report=report, COLUMNS='200')


class AblateTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.work = pathlib.Path(self.create_tempdir('work').full_path)

  def _fails(self, *flags):
    """The one line that the command ends with."""
    done = ablate(self.work, *flags)
    self.assertEqual(done.returncode, 2, done.stderr)
    self.assertNotIn('Traceback', done.stderr)
    (line,) = done.stderr.strip().splitlines()
    return line

  def test_a_run_its_table_and_its_folder(self):
    done = ablate(self.work, *SMALL)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(done.stderr, '')
    lines = done.stdout.strip().splitlines()
    folder = pathlib.Path(lines[-1].removeprefix('Run folder: '))
    self.assertStartsWith(str(folder), 'runs/complementary-')
    self.assertContainsSubset(
      {
        'config.json',
        'splits.csv',
        'log.jsonl',
        'predictions.parquet',
        'summary.json',
        'report.html',
      },
      {x.name for x in (self.work / folder).iterdir()},
    )
    self.assertIn('early_pca', done.stdout)
    summary = json.loads((self.work / folder / 'summary.json').read_text())
    self.assertLen(summary['comparisons'], 1)

    with self.subTest('the same command resumes'):
      again = ablate(self.work, *SMALL)
      self.assertIn('6 of them finished before', again.stdout)
      self.assertIn(lines[-1], again.stdout)
      # The answer and where the rest is.
      self.assertIn('CHECK FIRST', again.stdout)
      self.assertIn('Report: ', again.stdout)
      self.assertNotIn('p adj', again.stdout)
      self.assertIn('p adj', done.stdout)

    with self.subTest('curves of a finished run'):
      curves = ablate(
        self.work, f'--run={folder}', '--arms=early_pca', module='robustness'
      )
      self.assertEqual(curves.returncode, 0, curves.stderr)
      self.assertIn(
        'by share of test studies without a modality', curves.stdout
      )
      self.assertIn('random: chance alone', curves.stdout)
      # The table of the run and its verdict were there before.
      self.assertNotIn(summary['question']['text'], curves.stdout)
      self.assertEqual(curves.stdout.count(f'Run folder: {folder}'), 1)
      rows = [x for x in curves.stdout.splitlines() if x[:10] == ' early_pca']
      self.assertLen(rows, 4)

    with self.subTest('a saved configuration can be fed back'):
      again = ablate(
        self.work, f'--config={folder}/config.json', f'--out={folder}'
      )
      self.assertEqual(again.returncode, 0, again.stderr)
      self.assertIn('6 of them finished before', again.stdout)

    with self.subTest('the folder of another configuration'):
      line = self._fails(*SMALL, f'--out={folder}', '--cohort=null')
      self.assertIn(
        'cohort.name is "complementary" there and "null" here', line
      )

  @pytest.mark.slow
  def test_controls_and_footprints_end_what_asks_for_them(self):
    done = ablate(self.work, *SMALL)
    again = ablate(self.work, *SMALL, '--controls=ehr_permuted', '--footprint')
    self.assertEqual(again.returncode, 0, again.stderr)
    folder = done.stdout.strip().splitlines()[-1].removeprefix('Run folder: ')
    summary = json.loads((self.work / folder / 'summary.json').read_text())
    asked = summary['question']['text']
    _, answer, end = again.stdout.rpartition(asked)
    self.assertTrue(answer)
    for words in ('under each control', 'Is it fusion?', 'What every arm'):
      self.assertIn(words, end)
      self.assertNotIn(words, done.stdout)

  @pytest.mark.slow
  def test_examples_come_and_go_with_their_flag(self):
    run = self.work / 'run'
    page = run / 'report.html'
    again = ablate(self.work, *SMALL, '--out=run', '--examples=1')
    self.assertEqual(again.returncode, 0, again.stderr)
    self.assertIn('id="examples"', page.read_text())
    kept = [run / 'examples.json', run / 'example_studies.csv']
    for path in (page, *kept, *run.glob('*/example*')):
      self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)
    again = ablate(self.work, *SMALL, '--out=run')
    self.assertEqual(again.returncode, 0, again.stderr)
    self.assertNotIn('id="examples"', page.read_text())
    self.assertEmpty([*run.rglob('example*')])

  def test_what_runs_without_being_named_is_told_first(self):
    done = ablate(
      self.work,
      '--arms=ehr_linear,late_mean',
      '--arm=late_mean=late_mean(image=image_pca,ehr=ehr_linear)',
      *SMALL[1:],
      report=False,
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    line = "Also run, as 'late_mean' builds on it: 'image_pca'.\n"
    self.assertLess(
      done.stdout.index(line), done.stdout.index('image_pca: started')
    )

  def test_flags_come_before_set_and_after_the_named_config(self):
    done = ablate(
      self.work,
      *SMALL,
      '--config=quick',
      '--set=splits.folds=3',
      '--out=r',
      report=False,
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    config = json.loads((self.work / 'r' / 'config.json').read_text())
    self.assertEqual(config['splits']['folds'], 3)
    self.assertEqual(config['training']['epochs'], 3)

  @parameterized.named_parameters(
    ('flag', ['--ams=image'], "Did you mean '--arms'"),
    ('value', ['--folds=many'], 'folds'),
    ('config', ['--config=defualt'], "Did you mean 'default'"),
    ('file', ['--config=none/config.json'], 'No such configuration file'),
    ('set', ['--set=training.epoch=3'], "Did you mean 'epochs'"),
    ('number', ['--set=training.epochs=few'], 'expected a whole number'),
    ('arm', ['--arms=jiont', '--set=cohort.n=60'], "Did you mean 'joint'"),
    ('cohort', ['--cohort=nowhere'], "No cohort 'nowhere'"),
    ('examples', ['--examples=0'], '--examples=0'),
    ('examples in words', ['--examples=few'], 'examples'),
    ('seeds', ['--seeds=0'], 'seeds=0'),
    ('parallel', ['--parallel=pmpa'], "Did you mean 'pmap'"),
    ('folds', ['--folds=9999', '--set=cohort.n=60'], 'folds are impossible'),
    ('out', ['--out=/proc/nothing', *SMALL], '/proc/nothing'),
    (
      'task',
      ['--arms=late_vote', '--set=cohort.task=survival', '--set=cohort.n=60'],
      "'late_vote' does not support survival",
    ),
  )
  def test_bad_input_is_one_line(self, flags, message):
    self.assertIn(message, self._fails(*flags))

  def test_help_is_short(self):
    done = ablate(self.work, '--help')
    self.assertEqual(done.returncode, 0)
    self.assertLess(len(done.stdout.splitlines()), 40)


if __name__ == '__main__':
  absltest.main()
