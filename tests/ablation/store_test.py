"""Tests of the run folder: whole nodes or none."""

import errno
import json
import os
import pathlib
import stat
import subprocess
import sys
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors
from tests.ablation import config_test

ROOT = pathlib.Path(__file__).resolve().parents[2]


def save_model(folder):
  folder.mkdir()
  (folder / 'weights').write_bytes(b'1234')


class StoreTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'run'
    self.store = store_lib.Store(self.path)
    self.config = config_test.config()

  def _write(self, key='k'):
    self.store.write(
      key,
      record={'arm': 'image', 'seconds': 1.5},
      arrays={'x': np.arange(3.0)},
      save_model=save_model,
    )

  def _left(self):
    return sorted(x.name for x in (self.path / 'nodes').iterdir())

  def test_written_and_read(self):
    with self.store.open(self.config):
      self.assertFalse(self.store.has('k'))
      self._write()
      self.assertTrue(self.store.has('k'))
    result = self.store.read('k')
    self.assertEqual(result.record, {'arm': 'image', 'seconds': 1.5})
    np.testing.assert_array_equal(result.arrays['x'], [0, 1, 2])
    weights = self.store.model_folder('k') / 'weights'
    self.assertEqual(weights.read_bytes(), b'1234')

  @parameterized.parameters('savez', 'fsync', 'replace', 'save_model')
  def test_a_fault_at_any_step_leaves_nothing(self, step):
    fault = OSError(errno.EIO, 'broken')
    target = {
      'savez': mock.patch.object(np, 'savez', side_effect=fault),
      'fsync': mock.patch.object(os, 'fsync', side_effect=fault),
      'replace': mock.patch.object(os, 'replace', side_effect=fault),
      'save_model': mock.patch(f'{__name__}.save_model', side_effect=fault),
    }[step]
    with self.store.open(self.config):
      self._write('before')
      with target, self.assertRaises(OSError):
        self._write()
      self.assertFalse(self.store.has('k'))
      self.assertEqual(self._left(), ['before'])
      self._write()
      self.assertTrue(self.store.has('k'))

  def test_what_a_killed_process_left_is_no_node_and_is_cleared(self):
    with self.store.open(self.config):
      self._write('whole')
    # As after SIGKILL between the model and the record.
    unfinished = self.path / 'nodes' / '.unfinished-k'
    unfinished.mkdir()
    save_model(unfinished / 'model')
    self.assertFalse(self.store.has('k'))
    with self.store.open(self.config):
      self.assertEqual(self._left(), ['whole'])
      self._write()
    self.assertTrue(self.store.has('k'))

  def test_killed_while_the_first_file_was_written(self):
    (self.path / 'nodes').mkdir(parents=True)
    (self.path / '.lock').write_text('1')
    (self.path / '.config.json.0a.part').write_text('{')
    with self.store.open(self.config):
      self.assertFalse(list(self.path.glob('.*.part')))
    self.assertTrue((self.path / 'config.json').is_file())

  def test_killed_while_a_later_file_was_written(self):
    with self.store.open(self.config):
      pass
    (self.path / '.models.json.0a.part').write_text('{')
    with self.store.open(self.config):
      self.assertFalse(list(self.path.glob('.*.part')))

  @parameterized.parameters(
    OSError(errno.ENOSPC, 'No space left on device'),
    OSError(errno.EDQUOT, 'Disk quota exceeded'),
    ValueError('RESOURCE_EXHAUSTED: [OS error 28: No space left on device]'),
  )
  def test_a_full_disk_is_one_line_and_keeps_nodes(self, fault):
    with self.store.open(self.config):
      self._write('before')
      with mock.patch.object(np, 'savez', side_effect=fault):
        with self.assertRaisesRegex(errors.UserError, 'is full.*kept'):
          self._write()
      self.assertEqual(self._left(), ['before'])

  def test_the_folder_of_another_configuration(self):
    with self.store.open(self.config):
      pass
    other = config_test.config('cohort.name=null', 'seeds=2')
    with self.assertRaisesRegex(
      errors.UserError, 'cohort.name is "complementary" there and "null" here'
    ):
      with self.store.open(other):
        self.fail('opened')
    saved = json.loads((self.path / 'config.json').read_text())
    self.assertEqual(saved['cohort']['name'], 'complementary')

  def test_an_extended_configuration_is_saved(self):
    with self.store.open(self.config):
      pass
    with self.store.open(config_test.config('seeds=2')):
      pass
    saved = json.loads((self.path / 'config.json').read_text())
    self.assertEqual(saved['seeds'], 2)

  def test_a_folder_of_other_things(self):
    self.path.mkdir()
    (self.path / 'thesis.tex').write_text('')
    with self.assertRaisesRegex(errors.UserError, 'not a run folder'):
      with self.store.open(self.config):
        self.fail('opened')
    self.assertEqual([x.name for x in self.path.iterdir()], ['thesis.tex'])

  def test_a_file_instead_of_a_folder(self):
    self.path.write_text('')
    with self.assertRaisesRegex(errors.UserError, 'is a file'):
      with self.store.open(self.config):
        self.fail('opened')

  def test_a_broken_config(self):
    self.path.mkdir()
    (self.path / 'config.json').write_text('{')
    with self.assertRaisesRegex(errors.UserError, 'is not JSON'):
      with self.store.open(self.config):
        self.fail('opened')

  def test_two_processes_do_not_write_one_run(self):
    code = (
      'import sys; from fusion_jax.ablation import store, config\n'
      'from fusion_jax.core import errors\n'
      'try:\n'
      '  with store.Store(sys.argv[1]).open(config.ExperimentConfig()): pass\n'
      'except errors.UserError as e: print(e)\n'
    )
    with self.store.open(self.config):
      done = subprocess.run(
        [sys.executable, '-c', code, str(self.path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
      )
    self.assertIn(f'in use by process {os.getpid()}', done.stdout)
    with self.store.open(self.config):
      pass

  def test_text_and_log(self):
    with self.store.open(self.config):
      self.store.write_json('a.json', {'b': [1, None]})
      self.store.log('node', key='k')
      self.store.log('end')
      with mock.patch.object(os, 'replace', side_effect=KeyboardInterrupt):
        with self.assertRaises(KeyboardInterrupt):
          self.store.write_json('a.json', {'b': 2})
    self.assertEqual(
      json.loads((self.path / 'a.json').read_text()), {'b': [1, None]}
    )
    self.assertFalse(list(self.path.glob('*.part')))
    lines = (self.path / 'log.jsonl').read_text().splitlines()
    self.assertEqual([json.loads(x)['event'] for x in lines], ['node', 'end'])
    mode = (self.path / 'log.jsonl').stat().st_mode
    self.assertEqual(stat.S_IMODE(mode), 0o600)

  def test_not_a_number_is_never_written_as_json(self):
    with self.store.open(self.config):
      with self.assertRaises(ValueError):
        self.store.write_json('a.json', {'b': float('nan')})


if __name__ == '__main__':
  absltest.main()
