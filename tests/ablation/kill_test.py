"""Tests of runs that are killed without warning and started again."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from absl.testing import absltest

from fusion_jax.ablation import store as store_lib
from tests.ablation import killed, runner_test

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = (
  'run_arms=image,ehr,image_linear,early_features,early_trees,joint,late_mean,'
  'late_stack',
  'cohort.n=90',
  'cohort.image_size=16',
  'splits.folds=2',
  'evaluation.replicates=100',
  'training.epochs=2',
  'training.least_steps=0',
  'parallel.devices=1',
)
# When each process of a chain is killed, and what it adds to the finished
# nodes: (arm, fold). Every process goes on from where the one before was.
BOTH = (0, 1)
CHAIN = (
  # The fleet of two folds has done one epoch of two.
  ('epoch:image:2', {}),
  # Both encoders are trained; one has landed, the other is half written.
  ('land:extractor:2', {'image': BOTH, 'ehr': BOTH, 'extractor': (0,)}),
  # Between second stages.
  (
    'start:early_trees:1',
    {'extractor': (1,), 'image_linear': BOTH, 'early_features': BOTH},
  ),
  # A node is there and the log does not know.
  ('log:early_trees:1', {'early_trees': (0,)}),
  ('epoch:joint:1', {'early_trees': (1,)}),
  ('land:late_stack:2', {'joint': BOTH, 'late_mean': BOTH, 'late_stack': (0,)}),
  ('evaluate::1', {'late_stack': (1,)}),
  # Predictions are written, the summary is not.
  ('summary::1', {}),
)


class KillTestCase(absltest.TestCase):
  def setUp(self):
    super().setUp()
    base = pathlib.Path(self.create_tempdir().full_path)
    self.whole, self.path = base / 'whole', base / 'run'
    # A killed process can leave a cut entry: not in the cache of others.
    cache = {'JAX_COMPILATION_CACHE_DIR': str(base / 'xla'), 'COLUMNS': '200'}
    self._environment = {**os.environ, **cache}

  def start(self, *command):
    return subprocess.Popen(
      [sys.executable, '-m', *command],
      cwd=ROOT,
      env=self._environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )

  def finish(self, *command):
    process = self.start(*command)
    shown, _ = process.communicate()
    self.assertEqual(process.returncode, 0, shown)
    return shown

  def landed(self):
    """By key, when it landed, and what it is."""
    found, names = {}, {}
    store = store_lib.Store(self.path)
    for folder in self.path.glob('nodes/[!.]*'):
      facts = (folder / 'node.json').stat()
      found[folder.name] = (facts.st_ino, facts.st_mtime_ns)
      record = store.record(folder.name)
      names[folder.name] = (record['arm'], record['fold'])
    return found, names

  def assert_same_run(self):
    """But for how long it took."""
    self.assertEqual(
      runner_test.comparable(self.path), runner_test.comparable(self.whole)
    )
    models = [x / store_lib.MODELS for x in (self.path, self.whole)]
    self.assertEqual(*(json.loads(x.read_text()) for x in models))
    tables = [
      pq.read_table(x / store_lib.PREDICTIONS) for x in (self.path, self.whole)
    ]
    self.assertGreater(tables[0].num_rows, 0)
    self.assertTrue(tables[0].equals(tables[1]))
    keys = runner_test.keys(self.whole)
    # Neither a node more nor the rest of a killed one.
    self.assertEqual(runner_test.keys(self.path), keys)
    for key in keys:
      here, there = (
        store_lib.Store(x).read(key).arrays for x in (self.path, self.whole)
      )
      self.assertEqual(here.keys(), there.keys())
      for name, values in here.items():
        np.testing.assert_array_equal(values, there[name], f'{key} {name}')


class ChainTest(KillTestCase):
  def test_killed_at_every_stage_and_resumed(self):
    def command(path, moment):
      return killed.__name__, moment, str(path), *TINY

    self.finish(*command(self.whole, killed.NEVER))
    expected, before = set(), {}
    for moment, added in CHAIN:
      process = self.start(*command(self.path, moment))
      shown, _ = process.communicate()
      shown = f'{moment}: {shown}'
      self.assertEqual(process.returncode, -signal.SIGKILL, shown)
      if expected:
        self.assertIn(f'{len(expected)} of them finished before', shown)
      now, names = self.landed()
      expected |= {(a, fold) for a, folds in added.items() for fold in folds}
      self.assertCountEqual(names.values(), expected, moment)
      # What had landed was neither made again nor touched.
      self.assertEqual(before, {k: now[k] for k in before}, moment)
      self.assertFalse((self.path / store_lib.SUMMARY).exists(), moment)
      before = now
    shown = self.finish(*command(self.path, killed.NEVER))
    self.assertIn('18 nodes in 9 arms, 18 of them finished before', shown)
    self.assertEqual(self.landed()[0], before)
    self.assert_same_run()
    lines = (self.path / store_lib.LOG).read_text().splitlines()
    logged = [x['key'] for x in map(json.loads, lines) if x['event'] == 'node']
    # One was killed between landing and its line.
    self.assertLen(logged, 17)
    self.assertLen(set(logged), 17)


class AnyMomentTest(KillTestCase):
  def test_killed_at_any_moment_and_resumed(self):
    def command(path):
      return (
        'experiments.ablate',
        f'--out={path}',
        '--arms=ehr,ehr_linear,ehr_trees,image_pca,early_raw,early_pca',
        *(f'--set={x}' for x in runner_test.SMALL),
      )

    self.finish(*command(self.whole))
    kills = 0
    for goal in (1, 5, 9):
      process = self.start(*command(self.path))
      while process.poll() is None and self._finished() < goal:
        time.sleep(0.002)
      if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        kills += 1
      process.communicate()
    self.assertGreater(kills, 0)
    self.finish(*command(self.path))
    self.assert_same_run()

  def _finished(self):
    return len(list(self.path.glob('nodes/[!.]*')))


if __name__ == '__main__':
  absltest.main()
