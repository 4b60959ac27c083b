import os
import pathlib
import stat
from unittest import mock

from absl.testing import absltest, parameterized

from experiments.studies.published import studies
from fusion_jax.core import config, errors, files
from fusion_jax.data import descriptor, reader, splits, tables
from fusion_jax.evaluation import files as predictions
from fusion_jax.evaluation import registration


class ReplacingTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'x.txt'

  def test_appears_at_the_end(self):
    with files.replacing(self.path) as part:
      self.assertEqual(part.parent, self.folder)
      self.assertStartsWith(part.name, '.x.txt.')
      self.assertEndsWith(part.name, '.part')
      part.write_text('new')
      self.assertFalse(self.path.exists())
    self.assertEqual(os.listdir(self.folder), ['x.txt'])
    self.assertEqual(self.path.read_text(), 'new')

  def test_replaces_what_was_there(self):
    self.path.write_text('old')
    with files.replacing(str(self.path)) as part:
      part.write_text('new')
      self.assertEqual(self.path.read_text(), 'old')
    self.assertEqual(self.path.read_text(), 'new')

  @parameterized.parameters(OSError, ValueError, KeyboardInterrupt)
  def test_a_failure_leaves_the_old_file_alone(self, error):
    self.path.write_text('old')
    with self.assertRaises(error):
      with files.replacing(self.path) as part:
        part.write_text('half')
        raise error
    self.assertEqual(os.listdir(self.folder), ['x.txt'])
    self.assertEqual(self.path.read_text(), 'old')

  def test_a_target_that_cannot_be_replaced(self):
    self.path.mkdir()
    with self.assertRaises(IsADirectoryError):
      with files.replacing(self.path):
        pass
    self.assertEqual(os.listdir(self.folder), ['x.txt'])

  def test_several_writers_do_not_meet(self):
    with files.replacing(self.path) as a, files.replacing(self.path) as b:
      a.write_text('a')
      b.write_text('b')
    self.assertEqual(self.path.read_text(), 'a')
    self.assertEqual(os.listdir(self.folder), ['x.txt'])

  @parameterized.parameters((0o022, 0o644), (0o077, 0o600))
  def test_the_mode_follows_the_umask(self, umask, mode):
    before = os.umask(umask)
    try:
      with files.replacing(self.path):
        pass
    finally:
      os.umask(before)
    self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), mode)

  def test_a_mode_of_its_own(self):
    self.path.write_text('old')
    with files.saving(self.path, mode=0o600) as part:
      self.assertEqual(stat.S_IMODE(part.stat().st_mode), 0o600)
    self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)


class RegularTest(parameterized.TestCase):
  def test_files_links_and_what_is_not_there(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / 'a').write_text('')
    os.symlink('a', folder / 'b')
    for name in ('a', 'b', 'none', 'nul\0'):
      self.assertEqual(files.regular(folder / name), folder / name)

  @parameterized.parameters('pipe', 'folder', 'device')
  def test_what_is_no_file(self, kind):
    folder = pathlib.Path(self.create_tempdir().full_path)
    path = folder / 'x.csv'
    {
      'pipe': lambda: os.mkfifo(path),
      'folder': path.mkdir,
      'device': lambda: os.symlink('/dev/zero', path),
    }[kind]()
    with self.assertRaisesRegex(errors.UserError, f'is a .*{kind}; only'):
      files.regular(path)

  def test_within(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    os.symlink('/', folder / 'out')
    os.symlink('in', folder / 'link')
    self.assertTrue(files.is_within(folder / 'link', folder))
    self.assertFalse(files.is_within(folder / 'out/etc', folder))
    self.assertFalse(files.is_within(f'{folder}_2', folder))


class ReadersTest(parameterized.TestCase):
  """Nobody waits for a pipe."""

  @parameterized.named_parameters(
    ('table', 'x.csv', tables.read),
    ('parquet', 'x.parquet', tables.read),
    ('descriptor', 'x.toml', descriptor.load),
    ('predictions', 'x.csv', lambda path: predictions.read(path, None)),
    ('predictions_parquet', 'x.parquet', lambda x: predictions.read(x, None)),
    ('published', 'x.csv', studies.read),
    ('registration', 'x.json', registration.load),
    ('splits', 'x.csv', lambda path: splits.load(path, None)),
    ('config', 'x.json', config.read),
    ('cohort', 'x.toml', lambda path: reader.locate(str(path))),
    ('folder', 'cohort.toml', lambda path: reader.locate(str(path.parent))),
  )
  def test_a_pipe_is_refused(self, name, read):
    path = pathlib.Path(self.create_tempdir().full_path) / name
    os.mkfifo(path)
    with self.assertRaisesRegex(errors.UserError, 'is a named pipe; only'):
      read(path)


class UnfinishedTest(absltest.TestCase):
  def test_finds_what_is_left_of_one_file(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / 'a.txt').write_text('')
    with files.replacing(folder / 'a.txt') as a:
      with files.replacing(folder / 'b.txt') as b:
        self.assertEqual([*files.unfinished(folder, 'a.txt')], [a])
        self.assertCountEqual(files.unfinished(folder), [a, b])
    self.assertEmpty([*files.unfinished(folder)])


class SavingTest(absltest.TestCase):
  def test_errors_are_one_line(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    path = folder / 'x.txt'
    with self.assertRaisesRegex(
      errors.UserError, "Could not write '.*x.txt': No space left on device"
    ):
      with files.saving(path) as part:
        part.write_text('half')
        raise OSError(28, 'No space left on device')
    self.assertEmpty(os.listdir(folder))
    with self.assertRaisesRegex(errors.UserError, 'No such file'):
      with files.saving(folder / 'none/x.txt'):
        self.fail('there is no such folder')


class UserCacheTest(absltest.TestCase):
  def test_is_where_the_environment_says(self):
    with mock.patch.dict(os.environ, XDG_CACHE_HOME='/a', HOME='/b'):
      self.assertEqual(files.user_cache(), pathlib.Path('/a/fusion_jax'))
    with mock.patch.dict(os.environ, XDG_CACHE_HOME='', HOME='/b'):
      self.assertEqual(files.user_cache(), pathlib.Path('/b/.cache/fusion_jax'))

  def test_a_user_without_a_home(self):
    with mock.patch.dict(os.environ, XDG_CACHE_HOME=''):
      os.environ.pop('HOME', None)
      with mock.patch('pwd.getpwuid', side_effect=KeyError):
        with self.assertRaisesRegex(errors.UserError, 'no home directory'):
          files.user_cache()


if __name__ == '__main__':
  absltest.main()
