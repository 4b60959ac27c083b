"""Specs: a part's name and its arguments as text, `vit(width=192,patch=8)`.

  spec  = name [ "(" [ name "=" value { "," name "=" value } ] ")" ]
  value = number | true | false | none | 'text' | spec
        | "(" [ value { "," value } ] ")"

Wherever a part is named (flags, configurations, descriptors) it is a spec. What
arguments it has is known to the registry, which checks them (core/registry.py).
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from fusion_jax.core import errors

_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')
_WORDS = {'true': True, 'false': False, 'none': None}
_QUOTES = ('"', "'")
# Longer texts, deeper nesting and longer numbers are mistakes.
_LONGEST = 4096
_DEEPEST = 16
_MOST_DIGITS = 40


@dataclasses.dataclass(frozen=True)
class Spec:
  """A part: its name and those of its arguments that were given.

  Attributes:
    name: of the part.
    arguments: by name; numbers, truth values, None, text, tuples of these and
      specs. A name without parentheses is a spec until a registry knows that
      the argument is text.
  """

  name: str
  arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def __str__(self) -> str:
    """The text that `parse` reads as this spec."""
    if not self.arguments:
      return self.name
    given = ','.join(f'{k}={text(v)}' for k, v in self.arguments.items())
    return f'{self.name}({given})'

  def __hash__(self) -> int:
    return hash(str(self))


def text(value: Any) -> str:
  """A value as a spec writes it."""
  if isinstance(value, Spec):
    return str(value)
  if value is None or isinstance(value, bool):
    return str(value).lower()
  if isinstance(value, tuple):
    comma = ',' if len(value) == 1 else ''
    return f'({",".join(map(text, value))}{comma})'
  if isinstance(value, str):
    quote = _QUOTES[1] if _QUOTES[1] not in value else _QUOTES[0]
    return f'{quote}{value}{quote}'
  return repr(value)


def parse(source: str, *, where: str = '') -> Spec:
  """Reads a spec.

  Args:
    source: the text.
    where: what named it (a flag, a file and key), for errors.

  Raises:
    UserError: showing where the text stops being a spec.
  """
  return _Parser(source, where).whole()


class _Parser:
  """Reads one text from left to right."""

  def __init__(self, source: str, where: str):
    self._source = source
    self._where = f' ({where})' if where else ''
    self._at = 0
    if len(source) > _LONGEST:
      raise self._error(f'at most {_LONGEST} characters')

  def _error(self, expected: str) -> errors.UserError:
    before = errors.brief(self._source[: self._at])
    return errors.UserError(
      f"'{errors.brief(self._source)}'{self._where} is no part such as "
      f"name(argument=value): expected {expected} after '{before}'."
    )

  def _skip(self) -> None:
    while self._source[self._at : self._at + 1].isspace():
      self._at += 1

  def _take(self, token: str) -> bool:
    self._skip()
    if not self._source.startswith(token, self._at):
      return False
    self._at += len(token)
    return True

  def _match(self, pattern: re.Pattern) -> str | None:
    self._skip()
    match = pattern.match(self._source, self._at)
    if match is None:
      return None
    self._at = match.end()
    return match[0]

  def whole(self) -> Spec:
    result = self._spec(0)
    self._skip()
    if self._at < len(self._source):
      raise self._error('the end')
    return result

  def _spec(self, depth: int) -> Spec:
    name = self._match(_NAME)
    if name is None:
      raise self._error('a name')
    return self._call(name, depth)

  def _call(self, name: str, depth: int) -> Spec:
    if depth > _DEEPEST:
      raise self._error(f'at most {_DEEPEST} levels of parentheses')
    arguments: dict[str, Any] = {}
    if not self._take('('):
      return Spec(name, arguments)
    while not self._take(')'):
      if arguments and not self._take(','):
        raise self._error("',' or ')'")
      key = self._match(_NAME)
      if key is None or not self._take('='):
        raise self._error('argument=value')
      if key in arguments:
        raise self._error(f"'{key}' only once")
      arguments[key] = self._value(depth + 1)
    return Spec(name, arguments)

  def _value(self, depth: int) -> Any:
    if depth > _DEEPEST:
      raise self._error(f'at most {_DEEPEST} levels of parentheses')
    if self._take('('):
      return self._tuple(depth)
    for quote in _QUOTES:
      if self._take(quote):
        return self._quoted(quote)
    number = self._match(_NUMBER)
    if number is not None:
      return self._number(number)
    name = self._match(_NAME)
    if name is None:
      raise self._error('a value')
    if name.lower() in _WORDS:
      return _WORDS[name.lower()]
    return self._call(name, depth)

  def _tuple(self, depth: int) -> tuple[Any, ...]:
    values: list[Any] = []
    while not self._take(')'):
      if values and not self._take(','):
        raise self._error("',' or ')'")
      if values and self._take(')'):
        break
      values.append(self._value(depth + 1))
    return tuple(values)

  def _quoted(self, quote: str) -> str:
    end = self._source.find(quote, self._at)
    if end < 0:
      raise self._error(f'a closing {quote}')
    value = self._source[self._at : end]
    self._at = end + 1
    return value

  def _number(self, number: str) -> int | float:
    if len(number) > _MOST_DIGITS:
      raise self._error(f'a number of at most {_MOST_DIGITS} digits')
    return float(number) if set(number) & set('.eE') else int(number)
