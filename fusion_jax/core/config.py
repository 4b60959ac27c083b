"""Frozen dataclasses as configuration: overrides, checks, JSON and back.

A configuration is a tree of frozen dataclasses whose fields are bool, int,
float, str, tuples of these, dataclasses, or dicts from str to these. Unknown
names and values of the wrong type are errors, never ignored.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fusion_jax.core import documents, errors, files

T = TypeVar('T')

# Whole numbers have 64 bits wherever they are used.
_LARGEST = 2**63


def to_dict(config: Any) -> Any:
  """A JSON-ready copy of `config`."""
  if dataclasses.is_dataclass(config):
    return {
      f.name: to_dict(getattr(config, f.name))
      for f in dataclasses.fields(config)
    }
  if isinstance(config, Mapping):
    return {k: to_dict(v) for k, v in config.items()}
  if isinstance(config, tuple):
    return [to_dict(v) for v in config]
  return config


def differing(config: Any) -> dict[str, Any]:
  """Like `to_dict`, only the fields that differ from their defaults.

  A field without a default always does.
  """
  found = {}
  for f in dataclasses.fields(config):
    value, default = getattr(config, f.name), f.default
    if f.default_factory is not dataclasses.MISSING:
      default = f.default_factory()
    if value != default:
      found[f.name] = to_dict(value)
  return found


def from_dict(cls: type[T], data: Mapping[str, Any], *, where: str = '') -> T:
  """Builds `cls` from what `to_dict` returned.

  Raises:
    UserError: for an unknown or missing key or a value of the wrong type; the
      message names the dotted place in the tree, below `where`.
  """
  return _build(cls, data, where)


def apply_overrides(config: T, overrides: Sequence[str], *, flag: str) -> T:
  """`config` with each 'dotted.name=value' of `overrides` set.

  Values are read as the field's type: `true`/`false`, numbers, text as it
  stands, tuples as comma-separated lists.

  Raises:
    UserError: naming `flag`, for a malformed override, an unknown name (with
      the nearest legal one) or a value of the wrong type.
  """
  for override in overrides:
    name, equals, text = override.partition('=')
    where = errors.brief(f'{flag}={override}')
    if not equals or not name:
      raise errors.UserError(f"Expected NAME=VALUE in '{where}'.")
    config = _override(config, type(config), name.split('.'), text, where)
  return config


def read(path) -> Any:
  """What a JSON file of a configuration holds.

  Raises:
    UserError: if the file is missing or is not JSON.
  """
  try:
    with open(files.regular(path), 'rb') as f:
      content = f.read()
  except FileNotFoundError:
    raise errors.UserError(f"No such configuration file: '{path}'.") from None
  except OSError as e:
    raise errors.UserError(
      f"'{path}' cannot be read: {e.strerror or e}."
    ) from None
  return documents.parse(content, documents.JSON, where=str(path))


def _hints(cls) -> dict[str, Any]:
  return typing.get_type_hints(cls)


def _override(value, kind, path, text, where):
  if not path:
    return _parse(kind, text, where)
  name, rest = path[0], path[1:]
  if dataclasses.is_dataclass(value):
    hints = _hints(type(value))
    if name not in hints:
      raise errors.unknown_name('config name', name, hints, where=where)
    child = getattr(value, name)
    return dataclasses.replace(
      value, **{name: _override(child, hints[name], rest, text, where)}
    )
  if isinstance(value, Mapping):
    if name not in value:
      raise errors.unknown_name('config name', name, value, where=where)
    item = typing.get_args(kind)[1]
    return {**value, name: _override(value[name], item, rest, text, where)}
  raise errors.UserError(
    f"'{where}': nothing is called '{'.'.join(path)}' inside a "
    f'{type(value).__name__}.'
  )


def _parse(kind, text: str, where: str):
  origin = typing.get_origin(kind)
  if origin is tuple:
    item = typing.get_args(kind)[0]
    return tuple(_parse(item, x.strip(), where) for x in _split(text) if x)
  if origin in (typing.Union, types.UnionType):
    inner = [k for k in typing.get_args(kind) if k is not type(None)][0]
    return None if text.lower() == 'none' else _parse(inner, text, where)
  if kind is bool:
    if text.lower() in ('true', 'false'):
      return text.lower() == 'true'
  elif kind in (int, float):
    try:
      value = kind(text)
    except ValueError:
      pass
    else:
      if kind is float or -_LARGEST <= value < _LARGEST:
        return value
      raise errors.UserError(
        f"'{where}': expected a whole number of at most 64 bits."
      )
  elif kind is str:
    return text
  raise errors.UserError(
    f"'{where}': expected {_describe(kind)}, got {errors.brief(repr(text))}."
  )


def _split(text: str) -> list[str]:
  """Parts between the commas that are not inside parentheses."""
  parts, depth = [''], 0
  for x in text:
    depth += (x == '(') - (x == ')')
    if x == ',' and depth <= 0:
      parts.append('')
    else:
      parts[-1] += x
  return parts


def _describe(kind) -> str:
  if dataclasses.is_dataclass(kind) or typing.get_origin(kind) is dict:
    return 'a name inside this group'
  return {
    bool: 'true or false',
    int: 'a whole number',
    tuple: 'a list',
    float: 'a number',
  }.get(typing.get_origin(kind) or kind, getattr(kind, '__name__', str(kind)))


def _build(kind, value, where):
  origin = typing.get_origin(kind)
  if dataclasses.is_dataclass(kind):
    if not isinstance(value, Mapping):
      raise errors.UserError(f"'{where}': expected a group, got {value!r}.")
    hints = _hints(kind)
    for name in value:
      if name not in hints:
        raise errors.unknown_name('config name', name, hints, where=where)
    built = {
      k: _build(hints[k], v, f'{where}.{k}' if where else k)
      for k, v in value.items()
    }
    missing = [
      f.name
      for f in dataclasses.fields(kind)
      if f.name not in built
      and f.default is dataclasses.MISSING
      and f.default_factory is dataclasses.MISSING
    ]
    if missing:
      raise errors.UserError(
        f"'{where or kind.__name__}': missing "
        f'{", ".join(repr(x) for x in missing)}.'
      )
    return kind(**built)
  if origin in (typing.Union, types.UnionType):
    inner = [k for k in typing.get_args(kind) if k is not type(None)][0]
    return None if value is None else _build(inner, value, where)
  if origin is tuple and isinstance(value, list | tuple):
    item = typing.get_args(kind)[0]
    return tuple(_build(item, v, f'{where}[{i}]') for i, v in enumerate(value))
  if origin is dict and isinstance(value, Mapping):
    item = typing.get_args(kind)[1]
    return {k: _build(item, v, f'{where}.{k}') for k, v in value.items()}
  if kind is float and isinstance(value, int) and not isinstance(value, bool):
    return float(value)
  if isinstance(kind, type) and type(value) is kind:
    return value
  raise errors.UserError(
    f"'{where}': expected {_describe(kind)}, got {value!r}."
  )
