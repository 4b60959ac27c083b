"""Arrays of a PyTorch file of weights, read without executing anything.

Such a file is a ZIP archive: `data.pkl` describes a dictionary of tensors, each
a view of a storage whose bytes lie in a member of their own. Before PyTorch 1.6
the description and the storages followed each other in one stream. Unpickling
runs whatever a file names. Here the opcodes are followed by hand, and only what
a dictionary of tensors needs has a meaning; anything else is an error.
"""

import dataclasses
import pathlib
import pickletools
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from fusion_jax.core import errors, files

# By name, what a storage holds.
_STORAGES = {
  'FloatStorage': np.float32,
  'DoubleStorage': np.float64,
  'HalfStorage': np.float16,
  'LongStorage': np.int64,
  'IntStorage': np.int32,
  'ByteStorage': np.uint8,
  'BoolStorage': np.bool_,
  # NumPy has no such type: its halves are widened.
  'BFloat16Storage': np.uint16,
}
_WIDENED = 'BFloat16Storage'
_DICTIONARY = 'collections OrderedDict'
_TENSOR = 'torch._utils _rebuild_tensor_v2'
_PARAMETER = 'torch._utils _rebuild_parameter'
_MARK = object()
# What a file of before 1.6 begins with.
_MAGIC = 0x1950A86A20F9469CFC6C
# Of the description alone; the arrays are not in it.
_MOST_BYTES = 64 << 20


class _Global(str):
  """A name that the description refers to; never looked up."""


@dataclasses.dataclass(frozen=True)
class _Storage:
  """Described by its type, its name and its length."""

  kind: str
  key: str
  count: int


@dataclasses.dataclass(frozen=True)
class _View:
  """A tensor: from where, of which shape and with which steps."""

  storage: _Storage
  offset: int
  size: tuple[int, ...]
  stride: tuple[int, ...]


def read(path: str) -> dict[str, np.ndarray]:
  """By name the tensors of a state dictionary.

  Raises:
    UserError: for a file that cannot be read or holds anything else.
  """
  file = files.regular(pathlib.Path(path).expanduser())
  try:
    with open(file, 'rb') as f:
      found, storages = _zipped(f) if zipfile.is_zipfile(f) else _streamed(f)
      if not isinstance(found, dict) or not found:
        raise _BadError('it holds no dictionary of tensors')
      # As checkpoints of training keep it.
      for key in ('state_dict', 'model'):
        if isinstance(found.get(key), dict):
          found = found[key]
      return {
        str(k): _array(x, storages)
        for k, x in found.items()
        if isinstance(x, _View)
      }
  except _BadError as e:
    why = str(e)
  except (OSError, zipfile.BadZipFile) as e:
    why = errors.brief(str(e))
  except (ValueError, KeyError, IndexError, TypeError, AttributeError):
    why = 'its description is malformed'  # Opcodes that do not fit each other.
  raise errors.UserError(f"'{path}' cannot be read as PyTorch weights: {why}.")


class _BadError(Exception):
  """Why a file is no dictionary of tensors."""


class _Members(Mapping[str, bytes]):
  """The bytes of storages in an archive."""

  def __init__(self, archive: zipfile.ZipFile, root: str):
    names = archive.namelist()
    start = f'{root}data/'
    self._archive, self._start = archive, start
    self._keys = [x.removeprefix(start) for x in names if x.startswith(start)]

  def __getitem__(self, key):
    return self._archive.read(self._start + key)

  def __iter__(self):
    return iter(self._keys)

  def __len__(self):
    return len(self._keys)


def _zipped(f: BinaryIO) -> tuple[Any, Mapping[str, bytes]]:
  """What an archive describes, and the bytes of its storages by name."""
  archive = zipfile.ZipFile(f)
  names = [x for x in archive.namelist() if x.endswith('data.pkl')]
  if len(names) != 1 or archive.getinfo(names[0]).file_size > _MOST_BYTES:
    raise _BadError('it is no archive of one dictionary of tensors')
  root = names[0].removesuffix('data.pkl')
  return _followed(archive.read(names[0])), _Members(archive, root)


def _streamed(f: BinaryIO) -> tuple[Any, Mapping[str, bytes]]:
  """Likewise, of a file of before 1.6."""
  f.seek(0)
  if _followed(f) != _MAGIC:
    raise _BadError('it is neither an archive nor of before PyTorch 1.6')
  _followed(f), _followed(f)  # Of the format and of the machine.
  described: dict[str, _Storage] = {}
  found = _followed(f, described)
  storages = {}
  for key in _followed(f):
    count = int.from_bytes(f.read(8), 'little')
    storage = described.get(key)
    if storage is None or count != storage.count:
      raise _BadError(f"the storage '{key}' is cut off")
    storages[key] = f.read(count * np.dtype(_STORAGES[storage.kind]).itemsize)
  return found, storages


def _array(view: _View, storages: Mapping[str, bytes]) -> np.ndarray:
  storage = view.storage
  dtype = np.dtype(_STORAGES[storage.kind])
  values = np.frombuffer(storages[storage.key], dtype.newbyteorder('<'))
  if len(values) != storage.count:
    raise _BadError(f"the storage '{storage.key}' is cut off")
  size, stride = view.size, view.stride
  last = view.offset + sum(
    (n - 1) * s for n, s in zip(size, stride, strict=True)
  )
  lowest = min(view.offset, *size, *stride) if size else view.offset
  if lowest < 0 or (0 not in size and last >= len(values)):
    raise _BadError('a tensor lies outside of its storage')
  found = np.lib.stride_tricks.as_strided(
    values[view.offset :], size, [s * dtype.itemsize for s in stride]
  )
  if storage.kind == _WIDENED:
    return (found.astype(np.uint32) << 16).view(np.float32)
  return found.copy()


def _followed(
  description: bytes | BinaryIO, described: dict[str, _Storage] | None = None
) -> Any:
  """The value that the opcodes build; its storages go to `described`."""
  stack: list[Any] = []
  memo: dict[int, Any] = {}

  def since_mark() -> list[Any]:
    # By identity: arrays have no truth value to compare by.
    at = max(k for k, x in enumerate(stack) if x is _MARK)
    items = stack[at + 1 :]
    del stack[at:]
    return items

  def put(pairs) -> None:
    target = stack[-1]
    for k, value in zip(pairs[::2], pairs[1::2], strict=True):
      target[k] = value

  for opcode, argument, _ in pickletools.genops(description):
    name = opcode.name
    if name in ('PROTO', 'FRAME'):
      continue
    if name == 'STOP':
      return stack.pop()
    if name == 'MARK':
      stack.append(_MARK)
    elif name == 'GLOBAL':
      stack.append(_Global(argument))
    elif name == 'STACK_GLOBAL':
      module, attribute = stack[-2:]
      stack[-2:] = [_Global(f'{module} {attribute}')]
    elif name == 'EMPTY_DICT':
      stack.append({})
    elif name == 'EMPTY_LIST':
      stack.append([])
    elif name == 'EMPTY_TUPLE':
      stack.append(())
    elif name == 'TUPLE':
      stack.append(tuple(since_mark()))
    elif name in ('TUPLE1', 'TUPLE2', 'TUPLE3'):
      k = int(name[-1])
      stack[-k:] = [tuple(stack[-k:])]
    elif name in ('NONE', 'NEWTRUE', 'NEWFALSE'):
      stack.append({'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False}[name])
    elif name in _LITERALS:
      stack.append(argument)
    elif name in ('BINPUT', 'LONG_BINPUT'):
      memo[argument] = stack[-1]
    elif name == 'MEMOIZE':
      memo[len(memo)] = stack[-1]
    elif name in ('BINGET', 'LONG_BINGET'):
      stack.append(memo[argument])
    elif name == 'SETITEM':
      pair = stack[-2:]
      del stack[-2:]
      put(pair)
    elif name == 'SETITEMS':
      put(since_mark())
    elif name in ('APPEND', 'APPENDS'):
      items = [stack.pop()] if name == 'APPEND' else since_mark()
      stack[-1].extend(items)
    elif name == 'BINPERSID':
      stack.append(_storage(stack.pop()))
      if described is not None:
        described[stack[-1].key] = stack[-1]
    elif name == 'REDUCE':
      arguments, function = stack.pop(), stack.pop()
      stack.append(_made(function, arguments))
    elif name == 'BUILD':
      stack.pop()  # Attributes of a dictionary, such as versions of modules.
    else:
      raise _BadError(f"it has the opcode '{name}', which no weights need")
  raise _BadError('its description has no end')


_LITERALS = (
  *('BINUNICODE', 'SHORT_BINUNICODE', 'BININT', 'BININT1', 'BININT2'),
  *('LONG1', 'BINFLOAT'),
)


def _storage(reference) -> _Storage:
  """What a reference to something outside the description means."""
  kind, storage, key, _, count = reference[:5]
  if kind != 'storage' or not isinstance(storage, _Global):
    raise _BadError('it refers to something outside')
  name = storage.partition(' ')[2]
  if name not in _STORAGES:
    raise _BadError(f"it holds a '{storage}'")
  return _Storage(name, str(key), int(count))


def _made(function, arguments) -> Any:
  """What a call would give, of the few that have a meaning."""
  if function == _DICTIONARY and not arguments:
    return {}
  if function == _PARAMETER:
    return arguments[0]
  if function != _TENSOR or not isinstance(arguments[0], _Storage):
    raise _BadError(f"it calls '{function}', which no weights need")
  storage, offset, size, stride = arguments[:4]
  return _View(storage, offset, tuple(size), tuple(stride))
