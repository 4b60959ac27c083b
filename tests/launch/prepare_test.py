"""Tests of fusion_jax.launch.prepare, as a user runs it."""

import os
import pathlib

from absl.testing import absltest

from tests.data import folders
from tests.launch import launched


class PrepareTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.data = folders.write(self.create_tempdir('data').full_path)
    self.work = pathlib.Path(self.create_tempdir('work').full_path)
    self.cache = pathlib.Path(self.create_tempdir('cache').full_path)

  def _run(self, *flags):
    done = launched.launch(
      self.work,
      'prepare',
      *flags,
      XDG_CACHE_HOME=str(self.cache),
      COLUMNS='200',
    )
    self.assertNotIn('Traceback', done.stderr)
    return done

  def test_a_sound_cohort(self):
    done = self._run(f'--cohort={self.data}')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn('0 errors, 0 warnings.', done.stdout)
    self.assertIn('24 of 9 x 9 x 3 uint8', done.stdout)
    self.assertIn('12 (at most 2 studies each)', done.stdout)
    self.assertLen(list(self.cache.glob('fusion_jax/images/*.npy')), 1)

  def test_a_damaged_cache_is_one_plain_line(self):
    self._run(f'--cohort={self.data}')
    (path,) = self.cache.glob('fusion_jax/images/*.npy')
    raw = path.read_bytes()
    path.write_bytes(raw[:-99])
    done = self._run(f'--cohort={self.data}')
    self.assertEqual(done.returncode, 0, done.stderr)
    (line,) = done.stderr.splitlines()
    self.assertRegex(
      line, f"^The cache file '{path}' is damaged .* and is made again\\.$"
    )
    self.assertEqual(path.read_bytes(), raw)

  def test_all_problems_and_exit_code(self):
    table = folders.rows()
    table[0]['age'] = 'x'
    for row in table:
      row['region'] = 'arm'
    folders.write_table(self.data / 'table.csv', table)
    (self.data / 'images/s004.png').write_bytes(b'')
    done = self._run(f'--cohort={self.data}')
    self.assertEqual(done.returncode, 1)
    lines = done.stdout.splitlines()
    self.assertIn(
      "error: table.csv, line 2, column 'age': 'x' is not a number.", lines
    )
    self.assertIn('2 errors, 1 warnings.', lines)
    self.assertIn("column 'region': every value is 'arm'", done.stdout)
    self.assertEqual(list(self.cache.glob('fusion_jax/images/*')), [])

  def test_numbers_that_cannot_be(self):
    """Codes and impossible values are said, with the spread of each column."""
    table = folders.rows(40)
    for i, row in enumerate(table):
      row['age'] = str(40 + i) if i % 8 else '999'
      row['spo2'] = '340' if i == 7 else '-7' if i == 8 else str(80 + i % 20)
    toml = folders.TOML.replace('"age"]', '"age", "spo2"]')
    toml += 'plausible = {spo2 = [0, 100]}'
    folders.write(self.data, table=table, toml=toml)
    done = self._run(f'--cohort={self.data}')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn(
      "column 'age': 999 (5 times) stand apart from the other values (41 to "
      '79): codes for unknown?',
      done.stdout,
    )
    self.assertIn(
      "column 'spo2': 2 of 40 values are outside plausible = [0, 100] (-7 to "
      '340) and taken as missing.',
      done.stdout,
    )
    self.assertIn("Note: Column 'spo2': 2 of 40 values", done.stdout)
    cells = {
      x.split()[1]: x.replace('│', ' ').split()
      for x in done.stdout.splitlines()
      if x.startswith('│')
    }
    self.assertEqual(
      cells['age'],
      'age 0.0% 41 51.75 62.5 74.25 999 999 (5x)'.split(),
    )
    self.assertEqual(cells['spo2'][:3], ['spo2', '5.0%', '80'])

  def test_draft_then_check(self):
    os.unlink(self.data / 'cohort.toml')
    done = self._run('--draft', str(self.data))
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertTrue((self.work / 'cohort.toml').is_file())
    self.assertFalse((self.data / 'cohort.toml').exists())
    done = self._run('--cohort=cohort.toml', f'--data_root={self.data}')
    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    again = self._run('--draft', str(self.data))
    self.assertEqual(again.returncode, 2)
    self.assertIn('--force', again.stderr)

  def test_the_data_folder_is_not_written_to_silently(self):
    os.unlink(self.data / 'cohort.toml')
    self.work = self.data
    done = self._run('--draft=.')
    self.assertEqual(done.returncode, 2)
    self.assertIn('--out=FILE', done.stderr)
    self.assertFalse((self.data / 'cohort.toml').exists())

  def test_bad_flags(self):
    for flags, message in (
      ([], 'Give either --cohort'),
      (['--chort=x'], "Did you mean '--cohort'?"),
      (['--cohort=nul'], "Did you mean 'null'?"),
    ):
      done = self._run(*flags)
      self.assertEqual(done.returncode, 2)
      self.assertIn(message, done.stderr)
      self.assertLen(done.stderr.splitlines(), 1)

  def test_a_world(self):
    done = self._run('--cohort=null', '--image_size=16')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn('1500', done.stdout)


if __name__ == '__main__':
  absltest.main()
