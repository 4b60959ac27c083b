"""Tests of fusion_jax.data.array_files."""

import os
import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import array_files


class ArrayFilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'x.npy'
    # Blocks of 100 bytes: the last one is cut.
    patch = mock.patch.object(array_files, '_BLOCK', 100)
    patch.start()
    self.addCleanup(patch.stop)
    self.array = np.arange(35 * 3, dtype=np.uint16).reshape(35, 3)

  def _write(self, name='key', step=7):
    array_files.write(
      self.path,
      (x.tobytes() for x in np.array_split(self.array, step)),
      shape=self.array.shape,
      dtype=self.array.dtype,
      name=name,
    )

  def _read(self, shape=(35, None), name='key'):
    return array_files.read(self.path, shape=shape, name=name)

  @parameterized.parameters(1, 7, 35)
  def test_what_was_written(self, step):
    self._write(step=step)
    found = self._read()
    np.testing.assert_array_equal(found, self.array)
    self.assertIsInstance(found, np.memmap)
    self.assertFalse(found.flags.writeable)
    np.testing.assert_array_equal(np.load(self.path), self.array)

  def test_no_file(self):
    with self.assertNoLogs():
      self.assertIsNone(self._read())

  def test_every_byte_counts(self):
    self._write()
    raw = self.path.read_bytes()
    for at in range(len(raw)):
      self.path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
      with self.assertLogs(level='WARNING'):
        self.assertIsNone(self._read())

  @parameterized.parameters(
    ((35, 4), 'key'), ((35,), 'key'), ((35, 3), 'other')
  )
  def test_another_array(self, shape, name):
    self._write()
    with self.assertLogs(level='WARNING') as logs:
      self.assertIsNone(self._read(shape, name))
    self.assertLen(logs.output, 1)

  def test_a_pipe(self):
    os.mkfifo(self.path)
    with self.assertLogs(level='WARNING'):
      self.assertIsNone(self._read())


if __name__ == '__main__':
  absltest.main()
