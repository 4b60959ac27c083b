"""Tests of files that stay below a run folder."""

import os
import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.ablation import own_files
from fusion_jax.core import errors


class OwnFilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'file'

  def test_made_and_added_to(self):
    for text in ('a', 'b'):
      with own_files.opened(self.path, 'a') as f:
        f.write(text)
    with own_files.opened(self.path, 'r+') as f:
      self.assertEqual(f.read(), 'ab')

  @parameterized.product(mode=('a', 'r+'), dangling=(True, False))
  def test_what_a_link_names_is_not_touched(self, mode, dangling):
    target = self.folder / 'target'
    if not dangling:
      target.write_text('precious')
    self.path.symlink_to(target)
    with self.assertRaisesRegex(errors.UserError, "file' is a link"):
      own_files.opened(self.path, mode)
    self.assertEqual(target.exists(), not dangling)
    if not dangling:
      self.assertEqual(target.read_text(), 'precious')

  @parameterized.parameters('a', 'r+')
  def test_a_pipe_does_not_hang(self, mode):
    os.mkfifo(self.path)
    with self.assertRaisesRegex(errors.UserError, 'no regular file'):
      own_files.opened(self.path, mode)

  @parameterized.parameters(
    (b'', 'is not JSON'),
    (b'{"a": ', 'is not JSON'),
    (b'\x00' * 40, 'is not JSON'),
    (b'\xff\xfe{}', 'is not JSON'),
    (b'[]', 'is damaged: it holds no JSON object'),
    (b'3', 'holds no JSON object'),
    (b'[' * 100_000, 'nested too deeply'),
  )
  def test_a_damaged_object_is_one_line(self, data, expected):
    self.path.write_bytes(data)
    with self.assertRaisesRegex(errors.UserError, f"file' .*{expected}") as e:
      own_files.read_object(self.path)
    self.assertNotIn('\n', str(e.exception))

  def test_no_file_is_one_line(self):
    for make, expected in (
      (lambda: None, 'cannot be read: No such file'),
      (lambda: os.mkfifo(self.path), 'is a named pipe'),
    ):
      make()
      with self.assertRaisesRegex(errors.UserError, expected):
        own_files.read_object(self.path)


if __name__ == '__main__':
  absltest.main()
