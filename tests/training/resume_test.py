"""Tests of fits that are stopped and go on."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from fusion_jax.training import feed as feeds
from fusion_jax.training import neural, resume
from tests import tiny
from tests.encoders import normalised  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = training_config.TrainingConfig(
  epochs=5, least_steps=0, least_patience=0, batch_size=16, save_epochs=1
)
# An epoch has four steps: three end inside one, or with the third epoch.
OFTEN = dataclasses.replace(CONFIG, save_epochs=0, save_steps=3)
MODEL = tiny.model_config(types.EHR, ehr='normalised', combiner='concat')


class StoppedError(Exception):
  pass


def fit(
  folder=None,
  *,
  config=CONFIG,
  stop=None,
  seeds=(0, 1),
  rates=None,
  kind='binary',
  fleet='map',
  model=MODEL,
  feed='resident',
  tell=None,
):
  """A fit that is stopped during the epoch after `stop`, and its epochs."""
  cohort = tiny.cohort(kind=kind)
  rows = np.arange(96)
  seen = []

  def told(epoch, *rest):
    del rest
    seen.append(epoch)
    if epoch == stop:
      raise StoppedError

  options = {
    'model_config': model,
    'task': cohort.task,
    'data': tiny.fleet_data(cohort),
    'members': [
      neural.Member(rows[:64], rows[64:80], seed=s, learning_rate=r)
      for s, r in zip(seeds, rates or [None] * len(seeds), strict=True)
    ],
    'config': config,
    'parallel': parallel_config.ParallelConfig(
      devices=1, fleet=fleet, feed=feed
    ),
  }
  try:
    return neural.fit_fleet(
      **options, on_epoch=told, folder=folder, tell=tell
    ), seen
  except StoppedError:
    return None, seen


def killed_at(name, folder, feed):
  """A fit that kills itself once it has saved `name`, as a power cut would."""
  save = resume.Saver.save

  def saved(self, progress):
    save(self, progress)
    if progress.name == name:
      os.kill(os.getpid(), signal.SIGKILL)

  with mock.patch.object(resume.Saver, 'save', saved):
    fit(pathlib.Path(folder), config=OFTEN, feed=feed)


def content(fitted):
  """Bytes of all that a fit gives."""
  return [
    resume.fingerprint(f.variables, f.history, f.best_epoch, f.valid_loss)
    for f in fitted
  ]


class ResumeTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'fit'

  @parameterized.parameters('binary', 'survival')
  def test_ends_bit_for_bit_as_if_never_stopped(self, kind):
    whole, _ = fit(kind=kind)
    _, before = fit(self.folder, stop=3, kind=kind)
    self.assertEqual(before, [1, 2, 3])
    # The latest alone is kept.
    self.assertEqual([x.name for x in self.folder.iterdir()], ['3'])
    found, after = fit(self.folder, kind=kind)
    self.assertEqual(after, [4, 5])
    self.assertEqual(content(found.fitted), content(whole.fitted))
    self.assertEqual([x.name for x in self.folder.iterdir()], ['5'])

  @pytest.mark.slow
  def test_members_that_left_the_devices_stay_away(self):
    config = dataclasses.replace(CONFIG, epochs=8, patience=1, average=0.0)
    options = {
      'config': config,
      'seeds': (0, 1, 2, 3, 4),
      'rates': (0.0, 0.0, None, 0.0, 0.0),
      'fleet': 'vmap',
      # Without batch statistics, which change its losses at any rate.
      'model': tiny.model_config(types.EHR, combiner='additive'),
    }
    whole, _ = fit(**options)
    self.assertEqual(whole.sizes, (5, 1))
    fit(self.folder, stop=3, **options)
    found, seen = fit(self.folder, **options)
    self.assertEqual(seen[0], 4)
    self.assertEqual(found.sizes, (1,))
    self.assertEqual(content(found.fitted), content(whole.fitted))

  def test_every_some_epochs(self):
    config = dataclasses.replace(CONFIG, save_epochs=2)
    fit(self.folder, config=config, stop=3)
    self.assertEqual(fit(self.folder, config=config)[1], [3, 4, 5])

  def test_every_some_minutes(self):
    config = dataclasses.replace(CONFIG, save_epochs=0, save_minutes=1e-9)
    fit(self.folder, config=config, stop=2)
    self.assertEqual(fit(self.folder, config=config)[1], [3, 4, 5])

  def test_every_some_steps(self):
    names = []
    save = resume.Saver.save

    def saved(self, progress):
      names.append(progress.name)
      save(self, progress)

    with mock.patch.object(resume.Saver, 'save', saved):
      found, _ = fit(self.folder, config=OFTEN)
    self.assertEqual(names, ['0-3', '1-2', '2-1', '3', '3-3', '4-2'])
    # Neither what is saved nor how epochs are cut changes anything.
    self.assertEqual(content(found.fitted), content(fit()[0].fitted))

  def test_some_minutes_pass_inside_an_epoch(self):
    config = dataclasses.replace(CONFIG, save_epochs=0, save_minutes=1e-9)
    names = []
    with (
      mock.patch.object(feeds, 'SEGMENT', 2),
      mock.patch.object(
        resume.Saver, 'save', lambda self, progress: names.append(progress.name)
      ),
    ):
      fit(self.folder, config=dataclasses.replace(config, epochs=2))
    self.assertEqual(names, ['0-2', '1', '1-2', '2'])

  @parameterized.parameters(
    ('resident', 'resident'), ('stream', 'stream'), ('stream', 'resident')
  )
  @pytest.mark.slow
  def test_killed_inside_an_epoch(self, feed, other):
    process = subprocess.run(
      [
        sys.executable,
        '-c',
        'import sys\n'
        'from tests import conftest\n'
        'from tests.training import resume_test\n'
        'resume_test.killed_at(*sys.argv[1:])',
        '3-3',
        str(self.folder),
        feed,
      ],
      cwd=ROOT,
      env={**os.environ, 'PYTHONPATH': str(ROOT)},
      check=False,
    )
    self.assertEqual(process.returncode, -signal.SIGKILL)
    self.assertEqual([x.name for x in self.folder.iterdir()], ['3-3'])
    loaded, load = [], resume.Saver.load

    def keeping(self, like):
      loaded.append(load(self, like))
      return loaded[0]

    with mock.patch.object(resume.Saver, 'load', keeping):
      found, seen = fit(self.folder, config=OFTEN, feed=other)
    self.assertEqual(seen, [4, 5])
    whole, _ = fit()
    self.assertEqual(content(found.fitted), content(whole.fitted))
    # The last state and the best one are both there.
    states = loaded[0].states
    np.testing.assert_array_equal(states.train.step, [15, 15])
    self.assertTrue((states.best_epoch > 0).all())
    bias = [
      np.concatenate([x.ravel() for x in jax.tree.leaves(tree)])
      for tree in (states.best, states.train.used)
    ]
    self.assertTrue((bias[0] != bias[1]).any())

  @pytest.mark.slow
  def test_how_often_it_is_saved_may_change_and_nothing_else(self):
    cases = (
      ({'config': dataclasses.replace(CONFIG, save_epochs=2)}, True),
      ({'config': dataclasses.replace(CONFIG, save_steps=3)}, True),
      ({'config': dataclasses.replace(CONFIG, learning_rate=0.1)}, False),
      ({'seeds': (0, 2)}, False),
      ({'seeds': (0,)}, False),
    )
    for number, (change, goes_on) in enumerate(cases):
      folder = self.folder / str(number)
      fit(folder, stop=4)
      _, seen = fit(folder, **change)
      self.assertEqual(seen[0], 5 if goes_on else 1)

  def test_what_is_damaged_is_not_used(self):
    fit(self.folder, stop=4)
    facts = self.folder / '4' / 'facts.json'
    told = json.loads(facts.read_text())
    for spoil in (
      lambda: facts.write_text(json.dumps({**told, 'content': 'x'})),
      lambda: facts.write_text('{'),
      facts.unlink,
    ):
      spoil()
      lines = []
      self.assertEqual(fit(self.folder, stop=4, tell=lines.append)[1][0], 1)
      (line,) = lines
      self.assertIn(f"'{self.folder / '4'}' is damaged", line)
      facts.write_text(json.dumps(told))

  def test_a_fit_that_was_over_trains_no_more(self):
    fit(self.folder, stop=5)
    found, seen = fit(self.folder)
    self.assertEqual(seen, [])
    self.assertEqual(content(found.fitted), content(fit()[0].fitted))

  def test_a_disk_that_is_full_stops_nothing(self):
    fit(self.folder, stop=2)
    with mock.patch.object(
      resume.ocp, 'save', side_effect=ValueError('No space left on device')
    ):
      found, _ = fit(self.folder)
    self.assertEqual(content(found.fitted), content(fit()[0].fitted))
    self.assertEqual([x.name for x in self.folder.iterdir()], ['2'])

  def test_keys_and_empty_arrays_come_back(self):
    saver = resume.Saver(self.folder, key='a', epochs=1)
    states = {
      'key': jax.random.split(jax.random.key(3), 2),
      'none': np.zeros((2, 0), np.float32),
      'x': np.arange(4.0).reshape(2, 2),
    }
    saver.save(resume.Progress(states, [1, 1], 7, [[(0.5, 0.25)], []], 30))
    self.assertEqual([x.name for x in self.folder.iterdir()], ['7-30'])
    found = saver.load(states)
    self.assertEqual((found.epoch, found.step), (7, 30))
    self.assertEqual(found.places, [1, 1])
    self.assertEqual(found.history, [[(0.5, 0.25)], []])
    np.testing.assert_array_equal(
      jax.random.key_data(found.states['key']),
      jax.random.key_data(states['key']),
    )
    for name in ('none', 'x'):
      np.testing.assert_array_equal(found.states[name], states[name])
    other = resume.Saver(self.folder, key='b', epochs=1)
    self.assertIsNone(other.load(states))

  @pytest.mark.slow
  def test_killed_without_warning(self):
    command = [
      sys.executable,
      '-c',
      'import pathlib, sys\n'
      'from tests import conftest\n'
      'from tests.training import resume_test as t\n'
      'import dataclasses\n'
      't.fit(pathlib.Path(sys.argv[1]), config=dataclasses.replace(t.CONFIG, '
      'epochs=100000))',
      str(self.folder),
    ]
    process = subprocess.Popen(
      command, cwd=ROOT, env={**os.environ, 'PYTHONPATH': str(ROOT)}
    )
    while not (self.folder / '20').exists():
      self.assertIsNone(process.poll())
      time.sleep(0.01)
    process.kill()
    process.wait()
    config = dataclasses.replace(CONFIG, epochs=100000)
    begun = fit(self.folder, config=config, stop=60)[1][0]
    self.assertGreaterEqual(begun, 20)


if __name__ == '__main__':
  absltest.main()
