"""`[modalities.NAME]` of cohort.toml, version 2: what each modality is.

A kind has one subclass of `Section`, whose fields are the keys that it may have
(data/readers/). docs/cohorts.md explains every key with examples.
"""

import abc
import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from fusion_jax.core import errors, registry, types
from fusion_jax.data import config, keys, tables
from fusion_jax.data import kind as kinds
from fusion_jax.data import modality as modality_lib

SECTIONS = registry.Registry(
  'section of the kind', package='fusion_jax.data.readers'
)
ORIENTATIONS = ('fixed', 'free')
MISSING = ('error', 'absent')
MOST_MODALITIES = 20

# The value of a key: (key, as the file has it, where) -> value.
Reader = Callable[[str, Any, str], Any]
Progress = Callable[[int, int], None]

_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]{0,31}')
# Names with a meaning of their own where arms and scores are named.
_RESERVED = ('both', 'all')
# Keys that are no noun for what they choose.
_VERBS = ('missing', 'after_index')
# Metadata of fields (`key`).
_READ, _NEEDED = 'read', 'needed'


@dataclasses.dataclass(frozen=True)
class Section(abc.ABC):
  """One modality, and how its files are read; a kind has one subclass.

  Attributes:
    name: of the modality.
    kind: of the modality.
    side: IMAGING or RECORD.
    path: patterns of files, or columns that hold paths; () without files.
    views: patterns by what they show, which keep their places; {} where a
      study's files have no order.
    missing: whether a named file that is not there is an error or means that
      the study has none.
    numeric: columns of numbers in the cohort's table.
    categorical: its columns of names.
    boolean: its columns of true and false.
  """

  name: str
  kind: str
  side: str
  path: ClassVar[tuple[str, ...]] = ()
  views: ClassVar[Mapping[str, str]] = {}
  missing: ClassVar[str] = 'error'
  numeric: ClassVar[tuple[str, ...]] = ()
  categorical: ClassVar[tuple[str, ...]] = ()
  boolean: ClassVar[tuple[str, ...]] = ()

  @property
  def patterns(self) -> tuple[str, ...]:
    """Of files of single studies, or columns that hold their paths."""
    return tuple(self.views.values()) or self.path

  def check(self, where: str) -> None:
    """Checks keys that depend on each other.

    Raises:
      UserError: that begins with `where`.
    """
    del where

  @abc.abstractmethod
  def read(
    self,
    records,
    *,
    image_size: int = 0,
    cache_dir: str = '',
    on_progress: Progress | None = None,
  ) -> tuple[modality_lib.Data | None, list[tables.Problem]]:
    """The data of the n studies of `records`.

    Args:
      records: the columns of the table and the paths of files.
      image_size: side of images; 0 for what the section says.
      cache_dir: where decoded files are kept.
      on_progress: called with the numbers of files done and of all.

    Returns:
      The data, None where no study has any, and what a person should look at.

    Raises:
      ProblemsError: listing every file that cannot be read.
      UserError: if the cache folder is full or not writable.
    """


def key(read: Reader, default: Any = (), *, needed: bool = False) -> Any:
  """A field of `Section` that a descriptor may give, or must.

  A `default` that is a function makes it.
  """
  metadata = {_READ: read, _NEEDED: needed}
  if callable(default):
    return dataclasses.field(default_factory=default, metadata=metadata)
  return dataclasses.field(default=default, metadata=metadata)


def read(value: Any, path) -> dict[str, Section]:
  """Reads the tables of all modalities; `path` is named in errors.

  Raises:
    UserError: for an unknown kind or key, a value of the wrong type or a
      modality that lacks what its kind needs.
  """
  if not isinstance(value, dict) or not value:
    raise errors.UserError(
      f"'{path}': modalities must be tables such as [modalities.cxr] with "
      f'kind = "image", got {value!r}.'
    )
  if len(value) > MOST_MODALITIES:
    raise errors.UserError(
      f"'{path}': {len(value)} modalities, at most {MOST_MODALITIES}."
    )
  return {name: _section(name, entry, path) for name, entry in value.items()}


def _section(name, entry, path) -> Section:
  where = f"'{path}', modalities.{name}"
  if not _NAME.fullmatch(name) or name in _RESERVED:
    raise errors.UserError(
      f'{where}: a modality is named by a letter and then letters, digits and '
      f'underscores, at most 32, and not {" or ".join(_RESERVED)}.'
    )
  if not isinstance(entry, dict):
    raise errors.UserError(f'{where}: expected a table, got {entry!r}.')
  entry = dict(entry)
  # Kinds may bring their sections along: they are looked up first.
  known = kinds.KINDS.names()
  if 'kind' not in entry:
    raise errors.UserError(
      f"{where} lacks the key 'kind'; legal are {', '.join(known)}."
    )
  kind = entry.pop('kind')
  if kind not in known:
    raise errors.unknown_name('kind', str(kind), known, where=where)
  cls = SECTIONS.get(kind, where=where).build
  readers = {
    f.name: f.metadata[_READ]
    for f in dataclasses.fields(cls)
    if _READ in f.metadata
  }
  side = _SIDE('side', entry.pop('side', kinds.get(kind).side), where)
  for given in entry:
    if given not in readers:
      raise errors.unknown_name(
        'key', given, ('side', *readers), where=f"{where}, kind '{kind}'"
      )
  values = {k: readers[k](k, given, where) for k, given in entry.items()}
  for f in dataclasses.fields(cls):
    if f.metadata.get(_NEEDED) and not values.get(f.name):
      raise errors.UserError(
        f"{where}: kind '{kind}' needs the key '{f.name}'."
      )
  section = cls(name, kind, side, **values)
  section.check(where)
  return section


def fail(name, where, expected, given) -> errors.UserError:
  """The error of a key whose value is not what is expected."""
  return errors.UserError(f'{where}: {name} must be {expected}, got {given!r}.')


def text(name, given, where) -> str:
  """Reads a text."""
  if not isinstance(given, str) or not given:
    raise fail(name, where, 'a text in quotes', given)
  return given


def texts(name, given, where) -> tuple[str, ...]:
  """Reads one text or a list of texts."""
  if keys.scalar_text(given) is not None:
    given = [given]
  found = given if isinstance(given, list) else [None]
  found = [keys.scalar_text(x) for x in found]
  if None in found or '' in found:
    raise fail(name, where, 'a list of texts', given)
  return tuple(found)


def choice(*legal: str) -> Reader:
  """Reads one of these texts."""

  def read_choice(name, given, where):
    if given not in legal:
      what = f'choice of {name}' if name in _VERBS else name
      raise errors.unknown_name(what, str(given), legal, where=where)
    return given

  return read_choice


def whole(least: int, most: int) -> Reader:
  """Reads a whole number in this range."""

  def read_whole(name, given, where):
    if type(given) is not int or not least <= given <= most:
      raise fail(name, where, f'a whole number from {least} to {most}', given)
    return given

  return read_whole


def number(name, given, where) -> float:
  """Reads a finite number."""
  if type(given) not in (int, float) or not math.isfinite(given):
    raise fail(name, where, 'a number', given)
  return float(given)


_SIDE = choice(*types.SIDES.values())
# Of kinds whose files lie on a grid.
SIZE = whole(0, config.LARGEST_SIDE)


def places(section: Section, records) -> list[list[str]]:
  """Per study, where each of its paths was named."""
  source = records.table
  return [
    [f'{source.file} {source.unit} {line}' for line in lines]
    for lines in records.path_lines[section.name]
  ]
