"""Tests of fusion_jax.launch.evaluate, as a user runs it."""

import csv
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pyarrow.csv
import pyarrow.parquet
from absl.testing import absltest

from tests.launch import ablate_test

# What every launcher that makes a summary writes into its folder.
FILES = {
  'summary.json',
  'curves.json',
  'report.html',
  'report_files.txt',
  'figures',
  'tables',
  'model_cards',
}

# Runs one command after the other: starting a process takes longer than they.
MANY = """
import contextlib, io, json, sys
from absl import flags
from fusion_jax.launch import evaluate, launch

told = []
for given in json.load(sys.stdin):
  sys.argv = ['evaluate', *given]
  flags.FLAGS.unparse_flags()
  error, code = io.StringIO(), 0
  with contextlib.redirect_stderr(error):
    try:
      launch.main(evaluate.run)
    except SystemExit as e:
      code = e.code
  told.append([code, error.getvalue()])
print(json.dumps(told))
"""

FILE = ['--predictions=p.csv', '--out=o']
BAD = (
  (['--out=o'], 'Give both --predictions=FILE and --out'),
  (['--predictions=p.csv'], 'Give both --predictions=FILE and --out'),
  ([*FILE, '--predictions=p.txt'], "not '.txt'"),
  ([*FILE, '--predictions=empty.csv'], 'cannot be read: Empty CSV file'),
  ([*FILE, '--predictions=bare.csv'], 'there are no predictions'),
  ([*FILE, '--predictions=short.csv'], "no column 'patient_id'"),
  ([*FILE, '--predictions=nan.csv'], '1 of 180 rows have a missing'),
  ([*FILE, '--predictions=logits.csv'], 'are probabilities'),
  (FILE, "Is arm 'both' a single modality or fusion?"),
  ([*FILE, '--reference=lab'], "Did you mean 'labs'"),
  ([*FILE, '--singles=labs,tc'], "Unknown arm 'tc' (--singles)"),
  ([*FILE, '--interval=delnog'], "Did you mean 'delong'"),
  ([*FILE, '--reference=ct', '--metric=auc'], "Did you mean 'auroc'"),
  ([*FILE, '--reference=ct', '--margin=0'], 'margin=0.0'),
  ([*FILE, '--margin=wide'], 'margin'),
  ([*FILE, '--registered=none.json'], "No such registration: 'none.json'"),
  ([*FILE, '--refrence=ct'], "Did you mean '--reference'"),
  ([*FILE, '--set=training.epochs=3'], "Unknown setting 'training'"),
  ([*FILE, '--reference=ct', '--out=/proc/none'], '/proc/none'),
  ([*FILE, '--reference=ct', '--out=p.csv'], "'p.csv' cannot be"),
  ([*FILE, '--reference=ct', '--out=run'], 'holds a run'),
  (
    [*FILE, '--predictions=folds.csv', '--reference=ct', '--interval=delong'],
    'one fold, here are 2',
  ),
  ([*FILE, '--registered=plan.json'], "(reference of 'plan.json')"),
  ([*FILE, '--singles=ct,labs,both'], 'No fusion arm is left to compare'),
  ([*FILE, '--fusions=ct,labs,both'], 'There is nothing to compare'),
  ([*FILE, '--reference=ct', '--predictions=parts.csv'], "'valid' and in part"),
  ([*FILE, '--predictions=split.csv'], 'Say --part_column=Split'),
  (
    [*FILE, '--predictions=split.csv', '--part_column=split'],
    "Did you mean 'Split'",
  ),
  ([*FILE, '--reference=ct', '--predictions=again.csv'], 'in folds 0, 1, but'),
)
# Interrupts the command where it writes its report.
INTERRUPTED = """
import sys
from unittest import mock
from fusion_jax.launch import evaluate, launch
from fusion_jax.report import bundle

with mock.patch.object(bundle, 'write', side_effect=KeyboardInterrupt):
  launch.main(evaluate.run)
"""
QUICK = '--set=evaluation.replicates=99'


def rows(*, arms=('ct', 'labs', 'both'), n=60, folds=1, parts=('test',)):
  """Rows of a table of someone else's arms, the last one the best."""
  rng = np.random.default_rng(0)
  label = rng.integers(0, 2, size=n)
  found = []
  for k, arm in enumerate(arms):
    z = label * (1 + 2 * (k == len(arms) - 1)) + rng.normal(size=n)
    score = 1 / (1 + np.exp(-z))
    for part in parts:
      for i in range(n):
        fold = (i // 2 + (part == 'valid')) % folds
        found.append(
          {
            'study_id': f's{i}',
            'patient_id': f'p{i // 2}',
            'arm': arm,
            'label': int(label[i]),
            'score': float(score[i]),
            'fold': fold,
            'part': part,
            'subgroup_sex': 'f' if i // 2 % 2 else 'm',
          }
        )
  return found


def save(table, path):
  with open(path, 'w', newline='', encoding='utf-8') as f:
    writer = csv.DictWriter(f, list(table[0]))
    writer.writeheader()
    writer.writerows(table)


class EvaluateTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.work = pathlib.Path(self.create_tempdir('work').full_path)

  def _run(self, *flags, report=False):
    return ablate_test.ablate(
      self.work, *flags, module='evaluate', report=report
    )

  def _summary(self, *flags, out='out', report=False):
    done = self._run(f'--out={out}', QUICK, *flags, report=report)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(done.stderr, '')
    self.assertEqual(
      {x.name for x in (self.work / out).iterdir()},
      FILES,
    )
    text = (self.work / out / 'summary.json').read_text(encoding='utf-8')
    return json.loads(text), done.stdout

  def _fails(self, *flags):
    """The one line that the command ends with."""
    done = self._run(*flags)
    self.assertEqual(done.returncode, 2, done.stdout)
    self.assertNotIn('Traceback', done.stderr)
    (line,) = done.stderr.strip().splitlines()
    return line

  def test_against_a_named_arm(self):
    save(rows(), self.work / 'p.csv')
    found, shown = self._summary(
      '--predictions=p.csv', '--reference=labs', report=True
    )
    self.assertEqual(
      [(c['arm'], c['reference']) for c in found['comparisons']],
      [('both', 'labs'), ('ct', 'labs')],
    )
    self.assertEqual(found['comparisons'][0]['verdict'], 'superior')
    self.assertIn(
      "Taken as fusion, as not named otherwise: 'both', 'ct'", shown
    )
    self.assertIn('superior', shown)
    self.assertIn('given by name', shown)
    self.assertEqual(found['cohort']['name'], 'p')
    page = (self.work / 'out' / 'report.html').read_text(encoding='utf-8')
    self.assertIn('both', page)

    with self.subTest('Parquet gives the same'):
      table = pyarrow.csv.read_csv(self.work / 'p.csv')
      pyarrow.parquet.write_table(table, self.work / 'p.parquet')
      again, _ = self._summary(
        '--predictions=p.parquet', '--reference=labs', out='again'
      )
      for summary in (found, again):
        summary.pop('run')
      self.assertEqual(again, found)

  def test_best_single_of_each_fold(self):
    table = rows(folds=2, parts=('test', 'valid'))
    save(table, self.work / 'p.csv')
    found, _ = self._summary(
      '--predictions=p.csv', '--singles=ct,labs', '--interval=bca'
    )
    self.assertEqual(found['evaluation']['method'], 'bca')
    self.assertEqual([c['arm'] for c in found['comparisons']], ['both'])
    self.assertEqual(found['comparisons'][0]['reference'], 'best_single')
    self.assertIn(found['best_single']['arm'], ('ct', 'labs'))
    picked = found['best_single']['picked_on_validation']
    for choice in picked['by_fold']:
      self.assertIn(choice['arm'], ('ct', 'labs'))

  def test_delong(self):
    save(rows(), self.work / 'p.csv')
    flags = ['--predictions=p.csv', '--reference=ct', '--interval=delong']
    line = self._fails('--out=out', *flags)
    self.assertIn('patients have several. Use bootstrap', line)
    alone = [{**row, 'patient_id': row['study_id']} for row in rows()]
    save(alone, self.work / 'p.csv')
    found, _ = self._summary(*flags)
    self.assertIn('normal vector', found['evaluation']['adjustment'])
    for c in found['comparisons']:
      self.assertIsNotNone(c['low'])

  def test_registered(self):
    save(rows(), self.work / 'p.csv')
    fixed = {
      'metric': 'brier',
      'margin': 0.1,
      'arms': ['ct', 'both'],
      'reference': 'ct',
    }
    (self.work / 'plan.json').write_text(json.dumps(fixed))
    flags = ['--predictions=p.csv', '--registered=plan.json']
    found, shown = self._summary(*flags)
    self.assertEqual(found['evaluation']['metric'], 'brier')
    self.assertEqual(found['evaluation']['margin'], 0.1)
    self.assertEqual(found['evaluation']['reference'], 'ct')
    self.assertEqual(
      found['registration']['deviations'],
      ["Arm 'labs' was run but is not registered."],
    )
    self.assertIn("Arm 'labs' was run but is not registered.", shown)
    self.assertIn('in 1 point (see', found['question']['sentence'])
    other, _ = self._summary(*flags, '--margin=0.2', out='other')
    self.assertIn('Registered margin 0.1, but 0.2 was used.', other['warnings'])

  def test_every_fold_applied_to_another_cohort(self):
    table = [{**r, 'fold': k} for k in range(3) for r in rows()]
    save(table, self.work / 'p.csv')
    found, _ = self._summary('--predictions=p.csv', '--reference=ct')
    self.assertLen(found['folds'], 3)
    self.assertFalse(any('Leakage' in w for w in found['warnings']))

  def test_patients_cut_by_others_are_told(self):
    table = [{**r, 'fold': int(r['study_id'][1:]) % 2} for r in rows()]
    save(table, self.work / 'p.csv')
    found, _ = self._summary('--predictions=p.csv', '--reference=ct')
    self.assertStartsWith(
      found['warnings'][0], 'Leakage? 30 patients (60 studies) tested in'
    )

  def test_parts_in_other_words_and_columns_that_are_not_used(self):
    table = rows(parts=('valid', 'test'), folds=2)
    save(table, self.work / 'p.csv')
    expected, _ = self._summary('--predictions=p.csv', '--reference=ct')
    words = {'valid': 'Val', 'test': 'TESTING'}
    mixed = [{**r, 'score': 0.5, 'part': 'Training'} for r in table[:40]]
    mixed += [{**r, 'part': words[r['part']]} for r in table]
    for row in mixed:
      row['split'] = row.pop('part')
      row['age'] = 50
    save(mixed, self.work / 'm.csv')
    found, shown = self._summary(
      '--predictions=m.csv',
      '--reference=ct',
      '--part_column=split',
      '--verbose',
      out='other',
    )
    for line in (
      "40 of 400 rows are of the training part (column 'split') and are left "
      'out.',
      "Columns that are not used: 'age'.",
    ):
      self.assertIn(line, found['warnings'])
      self.assertIn(line, ' '.join(shown.split()))
    self.assertEqual(found['arms'], expected['arms'])
    self.assertEqual(found['comparisons'], expected['comparisons'])
    self.assertEqual(found['run']['part_column'], 'split')

  def test_patients_in_two_spellings(self):
    table = rows()
    for row, name in zip(table, ('p0', ' P0'), strict=False):
      row['patient_id'] = name
    for row in table:
      row['patient_id'] = (
        ' P0' if row['study_id'] == 's1' else row['patient_id']
      )
    save(table, self.work / 'p.csv')
    found, shown = self._summary('--predictions=p.csv', '--reference=ct')
    self.assertIn("One patient in two spellings? ' P0' and 'p0'", shown)
    (line,) = [x for x in found['warnings'] if 'two ways' in x]
    self.assertIn('1 patient (first in rows 1, 2) has ids', line)
    self.assertNotIn('P0', json.dumps(found))

  def test_interrupted_over_what_was_there(self):
    save(rows(), self.work / 'p.csv')
    flags = ['--predictions=p.csv', '--reference=ct', '--out=out', QUICK]
    before, _ = self._summary(*flags[:2])
    done = subprocess.run(
      [sys.executable, '-c', INTERRUPTED, *flags],
      cwd=self.work,
      env={**os.environ, 'PYTHONPATH': str(ablate_test.ROOT)},
      capture_output=True,
      text=True,
      check=False,
    )
    self.assertEqual(done.returncode, 130, done.stderr)
    self.assertEqual(done.stderr, 'Interrupted.\n')
    self.assertFalse((self.work / 'out' / 'summary.json').exists())
    after, _ = self._summary(*flags[:2])
    self.assertEqual(after, before)

  def test_names_of_the_library_have_their_roles(self):
    save(rows(arms=('image', 'joint')), self.work / 'p.csv')
    found, _ = self._summary('--predictions=p.csv')
    self.assertEqual(found['arms']['image']['role'], 'single')
    self.assertEqual(found['arms']['joint']['role'], 'fusion')

  def test_bad_input_is_one_line(self):
    table = rows()
    save(table, self.work / 'p.csv')
    save(table, self.work / 'p.txt')
    save(rows(folds=2), self.work / 'folds.csv')
    (self.work / 'empty.csv').write_text('')
    (self.work / 'bare.csv').write_text(','.join(table[0]) + '\n')
    short = [{k: v for k, v in r.items() if k != 'patient_id'} for r in table]
    save(short, self.work / 'short.csv')
    save([{**table[0], 'score': ''}, *table[1:]], self.work / 'nan.csv')
    save([{**r, 'score': 3.0} for r in table], self.work / 'logits.csv')
    fixed = {'metric': 'auroc', 'margin': 0.1, 'arms': ['ct']}
    fixed['reference'] = 'mri'
    (self.work / 'plan.json').write_text(json.dumps(fixed))
    parts = [{**r, 'part': x} for r in table for x in ('test', 'valid')]
    save(parts, self.work / 'parts.csv')
    split = [
      {**r, 'Split': ('Train', 'test')[r['study_id'] > 's3']} for r in table
    ]
    save(split, self.work / 'split.csv')
    again = [{**r, 'fold': 1} for r in table if r['study_id'] == 's0']
    save([*rows(folds=2), *again], self.work / 'again.csv')
    (self.work / 'run').mkdir()
    (self.work / 'run' / 'config.json').write_text('{}')
    done = subprocess.run(
      [sys.executable, '-c', MANY],
      input=json.dumps([flags for flags, _ in BAD]),
      cwd=self.work,
      env={**os.environ, 'PYTHONPATH': str(ablate_test.ROOT)},
      capture_output=True,
      text=True,
      check=False,
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    told = json.loads(done.stdout)
    for (flags, message), (code, text) in zip(BAD, told, strict=True):
      with self.subTest(flags):
        self.assertEqual(code, 2)
        self.assertIn(message, text)
        self.assertLen(text.strip().splitlines(), 1)
    self.assertFalse((self.work / 'o').exists())

  def test_as_a_command(self):
    self.assertIn(
      'No such file of predictions',
      self._fails('--predictions=none.csv', '--out=o'),
    )


if __name__ == '__main__':
  absltest.main()
