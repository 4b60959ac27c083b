"""Tests of fusion_jax.launch.plan, as a user runs it."""

import csv
import json
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest

from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import pilot, predictions, registration, summary
from tests import imports
from tests.evaluation import pilot_test
from tests.launch import launched

# Runs one command after the other: starting a process takes longer than they.
MANY = """
import contextlib, io, json, sys
from absl import flags
from fusion_jax.launch import launch, plan

told = []
for given in json.load(sys.stdin):
  sys.argv = ['plan', *given]
  flags.FLAGS.unparse_flags()
  for flag in flags.FLAGS.flags_by_module_dict()['fusion_jax.launch.plan']:
    flag.unparse()
  error, code = io.StringIO(), 0
  with contextlib.redirect_stderr(error):
    try:
      launch.main(plan.run)
    except SystemExit as e:
      code = e.code
  told.append([code, error.getvalue()])
print(json.dumps(told))
"""
SCORES = ['--auroc_single=.80,.78', '--prevalence=.2']
FULL = [*SCORES, '--gain=.03']
BAD = (
  (['--gain=.03'], 'Give --auroc_single, or a finished run'),
  (['--gain=.03', '--auroc_single=.8'], 'Give --prevalence, or a finished'),
  (SCORES, 'Give the true gain to plan for with --gain'),
  ([*FULL, '--gain=much'], '--gain=much: expected numbers'),
  ([*FULL, '--gain=0'], 'gain=0: expected at least one number above 0'),
  ([*FULL, '--gain=.03,.02'], 'gain has 2 values for 1 fusion arm'),
  ([*FULL, '--gain=.3'], 'gain=0.3: over an AUROC of 0.8'),
  ([*FULL, '--auroc_single=.8,1'], 'auroc_single=1'),
  ([*FULL, '--auroc_single=.8,.7,.6'], 'name them with --singles'),
  (
    [*FULL, '--singles=a'],
    'auroc_single has 2 values for 1 single modality: a',
  ),
  ([*FULL, '--arms=0'], '--arms=0: expected a whole number from 1 to 100, or'),
  ([*FULL, '--arms=1.5'], '--arms=1.5: expected a whole number'),
  ([*FULL, '--arms=joint,'], '--arms=joint,: a name is empty'),
  ([*FULL, '--arms=joint,ehr'], "'ehr' is named twice"),
  ([*FULL, '--prevalence=1.2'], 'prevalence=1.2: expected a number between'),
  ([*FULL, '--studies_per_patient=2'], 'say with --icc'),
  ([*FULL, '--icc=2'], 'icc=2'),
  ([*FULL, '--folds=0'], 'folds=0'),
  ([*FULL, '--margin=0'], '--margin=0: expected a positive number'),
  ([*FULL, '--power=1'], 'power=1'),
  ([*FULL, '--correlation_fusion_single=.9'], 'has to lie between -0.866 and'),
  ([*FULL, '--prevalance=.2'], "Did you mean '--prevalence'"),
  (['--from_run=none', '--gain=.03'], "'none' has no summary.json"),
  (['--from_run=none', *FULL], '--auroc_single and --from_run'),
  (['--from_run=none', '--gain=.1', '--folds=5'], '--folds and --from_run'),
)


class PlanTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.work = pathlib.Path(self.create_tempdir('work').full_path)

  def _python(self, *arguments, **options):
    return subprocess.run(
      [sys.executable, *arguments],
      cwd=self.work,
      env={**os.environ, 'PYTHONPATH': str(imports.ROOT)},
      capture_output=True,
      text=True,
      check=False,
      **options,
    )

  def _run(self, *flags):
    done = launched.launch(self.work, 'plan', *flags)
    self.assertEqual(done.returncode, 0, done.stderr)
    return done.stdout

  def test_described_by_flags(self):
    shown = self._run(
      *FULL,
      '--arms=joint,late_mean',
      '--correlation_single=.5',
      '--correlation_fusion_single=.6',
      '--correlation_fusion=.8',
      '--studies_per_patient=1.5',
      '--icc=.3',
      '--folds=5',
      '--power=.8',
      '--out=found',
    )
    folder = self.work / 'found'
    plan = json.loads((folder / 'plan.json').read_text())
    self.assertIn(f'{plan["superior"]["patients"]:,}', shown)
    self.assertIn(f'{plan["equivalent"]["patients"]:,}', shown)
    self.assertEqual(plan['superior']['arm'], 'joint')
    self.assertIn('+.050 over ehr', ' '.join(shown.split()))
    with open(folder / 'power.csv', encoding='utf-8') as f:
      rows = list(csv.DictReader(f))
    at = {int(r['patients']): r for r in rows}
    found = at[plan['superior']['patients']]['superior, +.030 gain']
    self.assertAlmostEqual(float(found), 0.8, delta=0.002)
    self.assertIn('<svg', (folder / 'power.svg').read_text())
    self.assertLen((folder / 'needs.csv').read_text().splitlines(), 4)
    fixed = registration.load(folder / 'registration.toml')
    self.assertEqual(fixed.arms, ('image', 'ehr', 'joint', 'late_mean'))
    self.assertEqual((fixed.metric, fixed.margin), ('auroc', 0.02))
    self.assertEqual(fixed.estimand, registration.MIN_SINGLE)
    self.assertEqual(fixed.reference, registration.BEST_SINGLE)
    text = (folder / 'registration.toml').read_text()
    self.assertIn('fusion-jax plan --auroc_single=.80,.78 ', text)
    self.assertNotIn('--out', text)

    with self.subTest('a number of arms registers nothing'):
      again = self._run(*FULL, '--arms=2', '--out=again')
      self.assertIn('no registration was written', again)
      self.assertFalse((self.work / 'again' / 'registration.toml').exists())

  def test_from_run(self):
    rows = pilot_test.table()
    found = summary.summarise(
      rows,
      singles=['image', 'ehr'],
      fusions=['joint', 'late'],
      config=config_lib.EvaluationConfig(replicates=199, margin=0.03),
    )
    folder = self.work / 'run'
    folder.mkdir()
    predictions.write(rows, folder / pilot.PREDICTIONS)
    summary.write(found, folder / pilot.SUMMARY)
    shown = self._run('--from_run=run', '--gain=.05', '--out=found')
    plan = json.loads((self.work / 'found' / 'plan.json').read_text())
    self.assertEqual(plan['margin'], 0.03)
    self.assertEqual(
      [(n['arm'], n['gain']) for n in plan['needs']],
      [('joint', 0.05), ('late', 0.05), ('joint', 0), ('late', 0)],
    )
    self.assertIn("120 patients of 'run'", ' '.join(shown.split()))
    fixed = registration.load(self.work / 'found' / 'registration.toml')
    self.assertEqual(fixed.arms, ('image', 'ehr', 'joint', 'late'))

  def test_bad(self):
    done = self._python(
      '-c', MANY, input=json.dumps([given for given, _ in BAD])
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    told = json.loads(done.stdout.splitlines()[-1])
    for (given, message), (code, error) in zip(BAD, told, strict=True):
      with self.subTest(' '.join(given)):
        self.assertEqual(code, 2, error)
        self.assertLen(error.strip().splitlines(), 1)
        self.assertIn(message, error)


if __name__ == '__main__':
  absltest.main()
