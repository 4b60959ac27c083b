"""Frozen dataclasses of arrays as named arrays without objects, and back.

Fields are arrays of numbers or text, numbers, texts, and tuples of texts or of
arrays. Nothing that is read can execute code.
"""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from fusion_jax.core import errors

T = TypeVar('T')

_LENGTHS = '#lengths'


def to_arrays(value: Any, prefix: str = '') -> dict[str, np.ndarray]:
  """Every field of a dataclass as an array, by prefix and name."""
  out = {}
  for field in dataclasses.fields(value):
    name, x = prefix + field.name, getattr(value, field.name)
    if _holds_arrays(type(value), field.name):
      out[name] = np.concatenate([x[0][:0], *x]) if x else np.zeros(0)
      out[name + _LENGTHS] = np.array([len(a) for a in x], np.int64)
    elif isinstance(x, tuple):
      out[name] = np.array(x, np.str_)
    else:
      out[name] = np.asarray(x)
  return out


def from_arrays(
  cls: type[T], arrays: Mapping[str, np.ndarray], prefix: str = ''
) -> T:
  """What `to_arrays` returned, back as it was.

  Raises:
    UserError: if something is missing in `arrays`.
  """
  hints = typing.get_type_hints(cls)
  values = {}
  try:
    for field in dataclasses.fields(cls):
      x = arrays[prefix + field.name]
      kind = hints[field.name]
      if _holds_arrays(cls, field.name):
        ends = np.cumsum(arrays[prefix + field.name + _LENGTHS])
        values[field.name] = tuple(np.split(x, ends)[:-1]) if len(ends) else ()
      elif typing.get_origin(kind) is tuple:
        values[field.name] = tuple(str(t) for t in x)
      elif kind in (int, float, bool, str):
        values[field.name] = kind(np.asarray(x).item())
      else:
        values[field.name] = np.asarray(x)
  except KeyError as e:
    raise errors.UserError(
      f'Saved preprocessing is incomplete: {e.args[0]} is missing.'
    ) from None
  return cls(**values)


def _holds_arrays(cls, name: str) -> bool:
  """Whether a field is a tuple of arrays."""
  kind = typing.get_type_hints(cls)[name]
  return (
    typing.get_origin(kind) is tuple and typing.get_args(kind)[0] is np.ndarray
  )
