"""Tests of the run folder: whole nodes or none."""

import errno
import json
import os
import pathlib
import shutil
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


def flip(path):
  values = bytearray(path.read_bytes())
  values[len(values) // 2] ^= 1
  path.write_bytes(values)


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

  def _damaged(self, name, damage, key='k'):
    """A store that finds a file of a node damaged."""
    with self.store.open(self.config):
      self._write(key)
    damage(self.path / 'nodes' / key / name)
    return store_lib.Store(self.path)

  @parameterized.product(
    name=('node.json', 'arrays.npz', 'model/weights', 'checksums.json'),
    damage=(
      lambda path: path.unlink(),
      lambda path: os.truncate(path, path.stat().st_size // 2),
      lambda path: path.write_bytes(bytes(path.stat().st_size)),
      lambda path: flip(path),
    ),
  )
  def test_a_damaged_node_is_named_and_not_used(self, name, damage):
    store = self._damaged(name, damage)
    self.assertFalse(store.has('k'))
    for use in (store.read, store.record, store.model_folder):
      with self.assertRaisesRegex(
        errors.UserError, f'nodes/k/.*{name.split(".")[-1]}.*make it again'
      ) as e:
        use('k')
      self.assertNotIn('\n', str(e.exception))
    with store.open(self.config):
      (line,) = store.mend()
      self.assertIn('nodes/k', line)
      self.assertEqual(store.mend(), [])
      store.write('k', record={'arm': 'a'}, arrays={})
      self.assertTrue(store.has('k'))

  def test_the_files_of_another_node_do_not_fit(self):
    with self.store.open(self.config):
      self._write('one')
      self._write('other')
    nodes = self.path / 'nodes'
    for name in ('checksums.json', 'node.json', 'arrays.npz'):
      shutil.copy(nodes / 'one' / name, nodes / 'other' / name)
    self.assertIn(
      "was written for 'one', not for 'other'",
      store_lib.Store(self.path).fault('other'),
    )

  @parameterized.parameters('model/1', '.hidden')
  def test_what_was_added_to_a_node_is_noticed(self, name):
    store = self._damaged(name, lambda path: path.write_text(''))
    self.assertIn('is no file of the node', store.fault('k'))

  def test_a_node_that_is_a_link_or_a_file_is_replaced_itself(self):
    with self.store.open(self.config):
      self._write('k')
    elsewhere = self.path.with_name('elsewhere')
    node = self.path / 'nodes' / 'k'
    os.replace(node, elsewhere)
    for make in (
      lambda: node.symlink_to(elsewhere),
      lambda: node.write_text(''),
    ):
      make()
      store = store_lib.Store(self.path)
      self.assertIn('is no folder', store.fault('k'))
      self.assertLen(store.mend(), 1)
      self.assertFalse(node.exists())
    self.assertTrue((elsewhere / 'node.json').is_file())

  @parameterized.parameters('../../x', '', 'a/b', '..', None, 7, 'a' * 65)
  def test_a_key_that_leads_elsewhere(self, key):
    for use in (self.store.read, self.store.has, self.store.model_folder):
      with self.assertRaisesRegex(errors.UserError, 'models.json. names the'):
        use(key)

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

  def test_what_looks_like_a_leftover_is_removed_itself(self):
    with self.store.open(self.config):
      self._write()
    elsewhere = self.path.with_name('elsewhere')
    elsewhere.mkdir()
    (elsewhere / 'kept').write_text('')
    place = self.path / 'nodes' / '.unfinished-x'
    for make in (
      lambda: place.symlink_to(elsewhere),
      lambda: place.write_text(''),
    ):
      make()
      with self.store.open(self.config):
        self.assertEqual(self._left(), ['k'])
    self.assertTrue((elsewhere / 'kept').exists())

  def test_a_fleet_in_training_is_kept_until_its_arm_is_done(self):
    elsewhere = self.path.with_name('elsewhere')
    elsewhere.mkdir()
    with self.store.open(self.config):
      for arm in ('image', 'joint'):
        (self.store.training_folder(arm) / '3').mkdir(parents=True)
    with self.store.open(self.config):
      self.assertEqual(self._left(), ['.training-image', '.training-joint'])
      self.store.remove_training('image')
      self.assertEqual(self._left(), ['.training-joint'])
      (self.path / 'nodes' / '.training-ehr').symlink_to(elsewhere)
      self.assertFalse(self.store.training_folder('ehr').exists())
      self.store.seal()
      self.assertEqual(self._left(), [])
    self.assertTrue(elsewhere.is_dir())

  def test_a_folder_where_a_file_should_be(self):
    with self.store.open(self.config):
      pass
    (self.path / '.config.json.0a.part').mkdir()
    with self.assertRaisesRegex(errors.UserError, r'0a\.part. cannot be'):
      with self.store.open(self.config):
        pass

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

  @parameterized.parameters(
    ('[]', 'holds no JSON object'),
    ('null', 'holds no JSON object'),
    ('{"seeds": "x"}', 'config.json.*seeds'),
    ('{"run_arms": 5}', 'config.json.*run_arms'),
    ('{"controls": []}', 'config.json.*controls'),
  )
  def test_a_config_of_another_form(self, text, expected):
    self.path.mkdir()
    (self.path / 'config.json').write_text(text)
    with self.assertRaisesRegex(errors.UserError, expected):
      with self.store.open(self.config):
        self.fail('opened')

  def test_a_config_that_changed_since_the_run_was_finished(self):
    with self.store.open(self.config):
      self.store.seal()
    path = self.path / 'config.json'
    path.write_text(path.read_text().replace('"seeds": 1', '"seeds": 3'))
    with self.assertRaisesRegex(errors.UserError, 'config.json. is damaged'):
      with self.store.open(self.config):
        self.fail('opened')

  def test_what_is_damaged_in_a_finished_run_is_told(self):
    with self.store.open(self.config):
      for name in ('models.json', 'robustness.json'):
        self.store.write_json(name, {'a': 1})
      self.store.seal()
    self.assertEqual(self.store.faults(), {})
    flip(self.path / 'models.json')
    (self.path / 'robustness.json').unlink()
    with self.store.open(self.config):
      self.assertEqual(
        list(self.store.damages()), ['models.json', 'robustness.json']
      )
      with self.assertRaisesRegex(errors.UserError, 'models.json. is damaged'):
        self.store.read_json('models.json')
      self.assertEqual(self.store.read_json('robustness.json'), {})
      # It is being worked on.
      self.assertEqual(self.store.faults(), {})
      self.assertFalse((self.path / 'checksums.json').exists())

  def test_more_was_asked_for_while_another_process_looked(self):
    self.assertIsNone(self.store.saved_config())
    with store_lib.Store(self.path).open(config_test.config('seeds=2')):
      pass
    with self.assertRaises(store_lib.ExtendedError):
      with self.store.open(self.config):
        self.fail('opened')
    saved = json.loads((self.path / 'config.json').read_text())
    self.assertEqual(saved['seeds'], 2)

  @parameterized.parameters(
    '.lock', 'log.jsonl', 'tables', 'nodes', 'models.json', 'robustness'
  )
  def test_a_link_in_the_folder_is_refused(self, name):
    with self.store.open(self.config):
      pass
    target = self.path.with_name('target')
    if '.' in name:
      target.write_text('precious')
    else:
      target.mkdir()
    path = self.path / name
    if path.is_dir():
      path.rmdir()
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    with self.assertRaisesRegex(errors.UserError, f"{name}' is a link"):
      with self.store.open(self.config):
        self.fail('opened')
    if '.' in name:
      self.assertEqual(target.read_text(), 'precious')
    else:
      self.assertEqual(list(target.iterdir()), [])

  def test_a_folder_behind_a_link_is_a_run_folder(self):
    self.path.mkdir()
    link = self.path.with_name('link')
    link.symlink_to(self.path)
    with store_lib.Store(link).open(self.config):
      pass
    self.assertTrue((self.path / 'config.json').is_file())

  def test_the_last_line_of_a_log(self):
    with self.store.open(self.config):
      self.assertEqual(self.store.last_logged('start'), {})
      self.store.log('start', digest='a')
      self.store.log('start', digest='b')
      self.store.log('end')
      with open(self.path / 'log.jsonl', 'ab') as f:
        f.write(b'\xff{\n[]\n{"event": "start", ')
      self.assertEqual(self.store.last_logged('start')['digest'], 'b')

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
