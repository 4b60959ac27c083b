"""Named, self-registering parts whose claims are declared as data.

A part is a builder: a function with keyword-only parameters. Those with a
default are its arguments, which a spec may give; those without are given by the
library (numbers of outputs, of levels). `Registry.check` holds a spec against
that signature, so that no part is registered once for each size.

Parts of other packages count equally: modules named by entry points of the
group 'fusion_jax.parts', and those given to `import_parts`, are imported at the
first look-up and register themselves like the library's own.
"""

import dataclasses
import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fusion_jax.core import errors, spec

ENTRY_POINTS = 'fusion_jax.parts'


@dataclasses.dataclass(frozen=True)
class Argument:
  """An argument of a part.

  Attributes:
    kind: its type.
    default: its value where a spec gives none.
  """

  kind: Any
  default: Any


@dataclasses.dataclass(frozen=True)
class Entry:
  """One registered part.

  Attributes:
    name: the key users write.
    build: the callable registered under it.
    summary: one line for listings.
    claims: what the part says it can do (tasks, absent modalities, ...);
      the conformance suite tests it.
  """

  name: str
  build: Callable[..., Any]
  summary: str
  claims: Mapping[str, Any]

  @functools.cached_property
  def arguments(self) -> dict[str, Argument]:
    """What a spec may give, by name, in the order of the signature."""
    hints = typing.get_type_hints(self.build)
    return {
      p.name: Argument(hints.get(p.name, type(p.default)), p.default)
      for p in _parameters(self.build)
      if p.default is not p.empty
    }

  @functools.cached_property
  def given(self) -> tuple[str, ...]:
    """What the library gives, by name."""
    return tuple(
      p.name for p in _parameters(self.build) if p.default is p.empty
    )

  def __str__(self) -> str:
    """The part with all its arguments at their defaults, as a spec."""
    defaults = {k: a.default for k, a in self.arguments.items()}
    return str(spec.Spec(self.name, defaults))


def _parameters(build) -> list[inspect.Parameter]:
  parameters = inspect.signature(build).parameters.values()
  return [p for p in parameters if p.kind is p.KEYWORD_ONLY]


class Registry:
  """Parts of one kind, by name.

  The modules of `package`, where there is one, are imported at the first
  look-up, so what is registered never depends on what happened to be imported
  before.
  """

  def __init__(self, kind: str, *, package: str = ''):
    self.kind = kind
    self._package = package
    self._entries: dict[str, Entry] = {}
    self._loaded = False

  def register(self, name: str, *, summary: str, **claims: Any):
    """Decorator that files a callable under `name`.

    Raises:
      ValueError: if the name is taken.
    """

    def add(build):
      if name in self._entries:
        raise ValueError(f"{self.kind} '{name}' is registered twice")
      self._entries[name] = Entry(name, build, summary, claims)
      return build

    return add

  def _load(self) -> None:
    if self._loaded:
      return
    if self._package:
      package = importlib.import_module(self._package)
      # A module holds its parts itself; a package has one file for each.
      for module in pkgutil.iter_modules(getattr(package, '__path__', ())):
        importlib.import_module(f'{self._package}.{module.name}')
    _import_entry_points()
    self._loaded = True

  def names(self) -> list[str]:
    self._load()
    return sorted(self._entries)

  def get(self, name: str, *, where: str = '') -> Entry:
    """The entry called `name`.

    Raises:
      UserError: for an unknown name, with the nearest known one.
    """
    self._load()
    if name not in self._entries:
      raise errors.unknown_name(self.kind, name, self.names(), where=where)
    return self._entries[name]

  def check(self, part: str | spec.Spec, *, where: str = '') -> spec.Spec:
    """The spec of a part, its arguments checked and in the builder's order.

    Arguments that equal their defaults are left out, so that two specs of the
    same part are equal.

    Args:
      part: a spec or its text.
      where: what named it (a flag, a file and key), for errors.

    Raises:
      UserError: for an unknown part or argument, with the nearest known one,
        or a value of another type.
    """
    if isinstance(part, str):
      part = spec.parse(part, where=where)
    entry = self.get(part.name, where=where)
    place = where or f'{self.kind} {part.name}'
    for name in part.arguments:
      if name not in entry.arguments:
        raise errors.unknown_name(
          f"argument of {self.kind} '{part.name}'",
          name,
          entry.arguments,
          where=where,
        )
    values = {}
    for name, argument in entry.arguments.items():
      if name not in part.arguments:
        continue
      value = _typed(
        part.arguments[name], argument.kind, f'{part.name}({name}=...)', place
      )
      if value != argument.default:
        values[name] = value
    return spec.Spec(part.name, values)

  def build(self, part: str | spec.Spec, **given: Any) -> Any:
    """Builds a part.

    Args:
      part: a spec or its text.
      **given: what the library knows; a builder gets what it asks for.

    Raises:
      UserError: see `check`.
    """
    part = self.check(part)
    entry = self.get(part.name)
    return entry.build(
      **{name: given[name] for name in entry.given}, **part.arguments
    )


def _typed(value: Any, kind: Any, what: str, where: str) -> Any:
  """`value` as an argument of this type."""
  origin, items = typing.get_origin(kind), typing.get_args(kind)
  if origin in (typing.Union, types.UnionType):
    if value is None and type(None) in items:
      return None
    (kind,) = [x for x in items if x is not type(None)][:1]
    return _typed(value, kind, what, where)
  if origin is tuple and isinstance(value, tuple):
    return tuple(_typed(x, items[0], what, where) for x in value)
  bare = isinstance(value, spec.Spec) and not value.arguments
  if origin is typing.Literal:
    name = value.name if bare else value
    if name not in items:
      name = name if isinstance(name, str) else spec.text(name)
      raise errors.unknown_name(f'value of {what}', name, items, where=where)
    return name
  if kind is str and bare:
    return value.name
  if kind is float and type(value) is int:
    return float(value)
  if type(value) is (origin or kind):
    return value
  expected = _TYPES.get(origin or kind, 'another value')
  raise errors.UserError(
    f'{what} ({where}): expected {expected}, got {spec.text(value)}.'
  )


_TYPES = {
  bool: 'true or false',
  int: 'a whole number',
  float: 'a number',
  str: 'a name or a text in quotes',
  tuple: 'values in parentheses such as (64,64)',
  spec.Spec: 'a part such as name(argument=value)',
}


def import_parts(modules: Sequence[str], *, where: str = '--import') -> None:
  """Imports modules that register parts.

  Raises:
    UserError: naming the module and why it cannot be imported.
  """
  for name in modules:
    _import(name, where)


@functools.cache
def _import_entry_points() -> None:
  for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
    package = entry.dist.name if entry.dist else entry.name
    _import(entry.value.partition(':')[0], f"entry point of '{package}'")


def _import(name: str, where: str) -> None:
  try:
    importlib.import_module(name)
  except Exception as e:
    reason = str(e).splitlines()[0] if str(e) else type(e).__name__
    raise errors.UserError(
      f"The module '{name}' ({where}) cannot be imported: {reason}."
    ) from e
