"""JSON and TOML that others wrote: read whole, or refused in one line."""

import json
import tomllib
from typing import Any

from fusion_jax.core import errors

JSON = 'JSON'
TOML = 'TOML'

# What both formats promise to keep, and what numbers of ours fit into.
_LARGEST = 2**63


def parse(content: bytes, kind: str, *, where: str) -> Any:
  """The value that a document holds.

  Args:
    content: of a file, UTF-8 with or without byte order mark.
    kind: JSON or TOML.
    where: what the document is called in errors, such as its path.

  Raises:
    UserError: if it is not legal, is nested too deeply, names a key twice or
      has a number of more than 64 bits, NaN or infinity where JSON has none.
  """
  try:
    text = content.decode('utf-8-sig')
    if kind == TOML:
      value = tomllib.loads(text)
    else:
      value = json.loads(
        text, object_pairs_hook=_distinct, parse_constant=_constant
      )
  except RecursionError:
    raise errors.UserError(
      f"'{where}' is not legal {kind}: it is nested too deeply."
    ) from None
  except ValueError as e:
    raise errors.UserError(
      f"'{where}' is not legal {kind}: {_reason(e)}."
    ) from None
  if _has_large(value):
    raise errors.UserError(
      f"'{where}' holds a whole number of more than 64 bits."
    )
  return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  found = dict(pairs)
  if len(found) < len(pairs):
    names = [name for name, _ in pairs]
    twice = next(x for x in names if names.count(x) > 1)
    raise ValueError(f"the key '{twice}' occurs twice")
  return found


def _constant(name: str) -> None:
  raise ValueError(f'{name} is no JSON number')


def _reason(error: ValueError) -> str:
  if 'integer string conversion' in str(error):
    return 'a whole number has too many digits'
  return str(error).splitlines()[0].rstrip('.')


def _has_large(value: Any) -> bool:
  stack = [value]
  while stack:
    item = stack.pop()
    if isinstance(item, dict):
      stack.extend(item.values())
    elif isinstance(item, list):
      stack.extend(item)
    elif isinstance(item, int) and not -_LARGEST <= item < _LARGEST:
      return True
  return False
