import errno
import os
import pathlib
import re
import stat
from unittest import mock

from absl.testing import absltest, parameterized

from fusion_jax.launch import faults


def raised(error):
  try:
    raise error
  except type(error) as e:
    return e


class OfTheSystemTest(parameterized.TestCase):
  @parameterized.parameters(
    (errno.ENOSPC, 'The disk is full while writing'),
    (errno.EDQUOT, 'The disk is full while writing'),
    (errno.EROFS, "^'a/b': Read-only file system.$"),
    (errno.EACCES, "^'a/b': Permission denied.$"),
    (errno.EMFILE, r'Too many open files \(at most \d+ are allowed\)'),
  )
  def test_says_what_to_do(self, number, message):
    error = OSError(number, os.strerror(number), 'a/b')
    self.assertRegex(faults.of_the_system(error), message)

  def test_others_are_not_known(self):
    for error in (ValueError('x'), OSError(errno.EBADF, 'Bad', 'a')):
      self.assertEqual(faults.of_the_system(error), '')


class ReportTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _path(self, line) -> pathlib.Path:
    return pathlib.Path(re.search(r"report is in '([^']+)'", line)[1])

  def test_one_line_and_a_private_file(self):
    (self.folder / 'config.json').write_text('{}')
    line = faults.report(raised(ValueError('two\nlines')), self.folder)
    self.assertStartsWith(line, 'Unforeseen ValueError: two lines. ')
    self.assertNotIn('\n', line)
    path = self._path(line)
    self.assertEqual(path.parent, self.folder)
    self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
    text = path.read_text()
    for part in ('Traceback', 'ValueError: two', 'command: ', 'numpy: '):
      self.assertIn(part, text)

  def test_a_folder_without_a_run_is_left_alone(self):
    path = self._path(faults.report(raised(KeyError('x')), self.folder))
    self.addCleanup(path.unlink)
    self.assertNotEqual(path.parent, self.folder)
    self.assertEmpty([*self.folder.iterdir()])

  def test_memory(self):
    for error in (
      MemoryError(),
      OSError(errno.ENOMEM, 'Cannot allocate memory'),
      RuntimeError('RESOURCE_EXHAUSTED: Out of memory'),
    ):
      line = faults.report(raised(error))
      self.addCleanup(self._path(line).unlink)
      self.assertStartsWith(line, 'Not enough memory')

  def test_nowhere_to_write(self):
    with mock.patch('os.open', side_effect=OSError(errno.EROFS, 'no')):
      line = faults.report(raised(ValueError('x')), self.folder)
    self.assertEqual(
      line, 'Unforeseen ValueError: x. No report could be written.'
    )


if __name__ == '__main__':
  absltest.main()
