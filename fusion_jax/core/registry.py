"""Named, self-registering parts whose claims are declared as data."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from fusion_jax.core import errors


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


class Registry:
  """Parts of one kind, found by name.

  The modules of `package` are imported at the first look-up, so what is
  registered never depends on what happened to be imported before.
  """

  def __init__(self, kind: str, *, package: str):
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
    package = importlib.import_module(self._package)
    for module in pkgutil.iter_modules(package.__path__):
      importlib.import_module(f'{self._package}.{module.name}')
    self._loaded = True

  def names(self) -> list[str]:
    self._load()
    return sorted(self._entries)

  def get(self, name: str) -> Entry:
    """The entry called `name`.

    Raises:
      UserError: for an unknown name, with the nearest known one.
    """
    self._load()
    if name not in self._entries:
      raise errors.unknown_name(self.kind, name, self.names())
    return self._entries[name]
