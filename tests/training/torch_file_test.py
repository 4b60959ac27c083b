"""Tests of the reader of PyTorch files, which need no PyTorch."""

import collections
import io
import pathlib
import pickle
import sys
import types
import zipfile
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.training import torch_file


def _rebuild_tensor_v2(*arguments):
  raise AssertionError('nothing is called')


def _module(name, **members):
  module = types.ModuleType(name)
  for key, value in members.items():
    value.__module__, value.__qualname__ = name, key
    setattr(module, key, value)
  return module


FLOATS = type('FloatStorage', (), {})
LONGS = type('LongStorage', (), {})
FAKES = {
  'torch': _module('torch', FloatStorage=FLOATS, LongStorage=LONGS),
  'torch._utils': _module(
    'torch._utils', _rebuild_tensor_v2=_rebuild_tensor_v2
  ),
}


class _Tensor:
  """Pickled as PyTorch does it."""

  def __init__(self, storage, key, offset, size, stride, count):
    self.storage, self.key, self.count = storage, key, count
    self.view = offset, size, stride

  def __reduce__(self):
    return _rebuild_tensor_v2, (
      _Stored(self.storage, self.key, self.count),
      *self.view,
      False,
      collections.OrderedDict(),
    )


class _Stored:
  def __init__(self, *described):
    self.described = described


class _Pickler(pickle.Pickler):
  def persistent_id(self, obj):
    if isinstance(obj, _Stored):
      storage, key, count = obj.described
      return 'storage', storage, key, 'cpu', count
    return None


def save(path, value, storages, protocol=2):
  out = io.BytesIO()
  with mock.patch.dict(sys.modules, FAKES):
    _Pickler(out, protocol).dump(value)
  with zipfile.ZipFile(path, 'w') as f:
    f.writestr('archive/data.pkl', out.getvalue())
    for key, array in storages.items():
      f.writestr(f'archive/data/{key}', array.tobytes())


def save_streamed(path, value, storages):
  """As before PyTorch 1.6."""
  with open(path, 'wb') as f, mock.patch.dict(sys.modules, FAKES):
    for x in (0x1950A86A20F9469CFC6C, 1001, {'little_endian': True}):
      pickle.dump(x, f, 2)
    _Pickler(f, 2).dump(value)
    pickle.dump(list(storages), f, 2)
    for array in storages.values():
      f.write(len(array).to_bytes(8, 'little') + array.tobytes())


class TorchFileTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = str(pathlib.Path(self.create_tempdir().full_path) / 'w.pt')
    self.floats = np.arange(24, dtype=np.float32)
    self.longs = np.array([7, 8], np.int64)
    self.storages = {'0': self.floats, '1': self.longs}
    self.value = collections.OrderedDict(
      weight=_Tensor(FLOATS, '0', 0, (2, 3), (3, 1), 24),
      # A view of the same storage, turned.
      turned=_Tensor(FLOATS, '0', 6, (3, 2), (1, 3), 24),
      count=_Tensor(LONGS, '1', 1, (), (), 2),
    )

  @parameterized.parameters(2, 4)
  def test_views_of_storages(self, protocol):
    save(self.path, self.value, self.storages, protocol)
    found = torch_file.read(self.path)
    np.testing.assert_array_equal(
      found['weight'], self.floats[:6].reshape(2, 3)
    )
    np.testing.assert_array_equal(
      found['turned'], self.floats[6:12].reshape(2, 3).T
    )
    self.assertEqual(found['count'], 8)
    self.assertTrue(found['weight'].flags.writeable)

  def test_a_file_of_before_archives(self):
    save_streamed(self.path, self.value, self.storages)
    found = torch_file.read(self.path)
    np.testing.assert_array_equal(
      found['turned'], self.floats[6:12].reshape(2, 3).T
    )
    self.assertEqual(found['count'], 8)
    content = pathlib.Path(self.path).read_bytes()
    for cut in range(0, len(content) - 1, 7):
      pathlib.Path(self.path).write_bytes(content[:cut])
      with self.assertRaisesRegex(errors.UserError, 'cannot be read'):
        torch_file.read(self.path)

  def test_a_checkpoint_of_training(self):
    save(self.path, {'epoch': 3, 'state_dict': self.value}, self.storages)
    self.assertCountEqual(torch_file.read(self.path), self.value)

  def test_nothing_is_executed(self):
    class Bad:
      def __reduce__(self):
        return print, ('executed',)

    save(self.path, {'a': Bad()}, {})
    with mock.patch('builtins.print') as printed:
      with self.assertRaisesRegex(
        errors.UserError, "calls '(builtins|__builtin__) print'"
      ):
        torch_file.read(self.path)
    printed.assert_not_called()

  @parameterized.parameters(
    (dict(offset=20), 'outside of its storage'),
    (dict(offset=-1), 'outside of its storage'),
    (dict(stride=(-1, 1)), 'outside of its storage'),
    (dict(count=25), 'cut off'),
    (dict(key='9'), 'malformed|cannot be read'),
    (dict(storage=int), "holds a '(builtins|__builtin__) "),
  )
  def test_tensors_that_reach_elsewhere(self, change, message):
    usual = dict(
      storage=FLOATS, key='0', offset=0, size=(2, 3), stride=(3, 1), count=24
    )
    save(self.path, {'a': _Tensor(**{**usual, **change})}, self.storages)
    with self.assertRaisesRegex(errors.UserError, message) as caught:
      torch_file.read(self.path)
    self.assertNotIn('\n', str(caught.exception))

  def test_files_that_are_none(self):
    for content in (b'', b'PK', b'\x80\x02}q\x00.'):
      pathlib.Path(self.path).write_bytes(content)
      with self.assertRaisesRegex(errors.UserError, 'cannot be read'):
        torch_file.read(self.path)
    save(self.path, [1, 2], {})
    with self.assertRaisesRegex(errors.UserError, 'no dictionary'):
      torch_file.read(self.path)
    with zipfile.ZipFile(self.path, 'w') as f:
      f.writestr('data.pkl', b'\x80\x02}q\x00')
    with self.assertRaisesRegex(errors.UserError, 'cannot be read'):
      torch_file.read(self.path)


if __name__ == '__main__':
  absltest.main()
