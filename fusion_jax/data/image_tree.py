"""The image files of a data folder, found by name without leaving it."""

import bisect
import dataclasses
import functools
import itertools
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence

from fusion_jax.core import files

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp', '.webp')

# A file that a row may have meant is looked for in so many folders.
_NEARBY = 100

# A name, or what its parts are: None stands for anything.
_Component = list[str | None]


class OutsideError(Exception):
  """A path that leaves the data folder; `str()` of it is a sentence."""


@dataclasses.dataclass(frozen=True)
class _Entry:
  is_link: bool
  is_folder: bool


class _Folder:
  """The names in one folder."""

  def __init__(self, path):
    self.entries: dict[str, _Entry] = {}
    try:
      with os.scandir(path) as found:
        for x in found:
          self.entries[x.name] = _Entry(x.is_symlink(), _is_folder(x))
    except OSError:
      pass  # What is not there, or may not be listed, has no names.

  @functools.cached_property
  def by_form(self) -> dict[str, list[str]]:
    """Names by their composed form: 'ü' may be one character or two."""
    found: dict[str, list[str]] = {}
    for name in sorted(self.entries):
      found.setdefault(_composed(name), []).append(name)
    return found

  @functools.cached_property
  def _forms(self) -> list[str]:
    return sorted(self.by_form)

  @functools.cached_property
  def _joined(self) -> tuple[str, list[int]]:
    """All forms in one text, and where each begins."""
    starts = itertools.accumulate((len(x) + 1 for x in self._forms), initial=0)
    return '\0'.join(self._forms), list(starts)

  def near(self, literals: Sequence[str]) -> Iterator[str]:
    """Forms that may match a pattern, in order.

    There can be as many rows as files, so that not all are looked at for each.

    Args:
      literals: texts that a form holds, the first one at its start.
    """
    start, longest = literals[0], max(literals, key=len)
    if start == longest:
      low = bisect.bisect_left(self._forms, start)
      for form in itertools.islice(self._forms, low, None):
        if not form.startswith(start):
          return
        yield form
      return
    text, starts = self._joined
    at = text.find(longest)
    while at >= 0:
      number = bisect.bisect_right(starts, at) - 1
      yield self._forms[number]
      at = text.find(longest, starts[number + 1])


def _is_folder(entry: os.DirEntry) -> bool:
  try:
    return entry.is_dir()
  except OSError:
    return False


def _literals(component: _Component) -> list[str]:
  """What is written before, between and behind the stars."""
  found = ['']
  for x in component:
    if x is None:
      found.append('')
    else:
      found[-1] += x
  return found


def _composed(text: str) -> str:
  return text if text.isascii() else unicodedata.normalize('NFC', text)


class Tree:
  """Looks files up, listing each folder once."""

  def __init__(self, root: str | os.PathLike):
    self._root = os.fspath(root)
    self._folders: dict[str, _Folder] = {}
    self._inside: dict[str, bool] = {}

  def find(
    self, parts: Sequence[tuple[str, str | None]]
  ) -> list[tuple[str, tuple[str, ...]]]:
    """Files of a path that may hold stars.

    Args:
      parts: texts that make up the path, each with None if it is a star that
        stands for anything within one name of a file or folder. As in a
        shell, a star at the start of a name does not match a dot.

    Returns:
      Paths relative to the root in alphabetical order, each with what its
      stars stand for.

    Raises:
      OutsideError: if the path leads out of the root, or a link on the way.
    """
    components = _components(parts)
    found = [('', ())] if components else []
    for at, component in enumerate(components):
      is_last = at == len(components) - 1
      found = [
        (os.path.join(folder, name), groups + more)
        for folder, groups in found
        for name, more in self._matches(folder, component, is_last)
      ]
    for path, _ in found:
      self._check_links(path)
    return found

  def _folder(self, path: str) -> _Folder:
    if path not in self._folders:
      self._folders[path] = _Folder(os.path.join(self._root, path))
    return self._folders[path]

  def _matches(self, path, component: _Component, is_last: bool):
    """Names in a folder, and what the stars in them stand for."""
    folder = self._folder(path)
    if None not in component:
      name = ''.join(component)
      if name in folder.entries:
        return [(name, ())]
      same = folder.by_form.get(_composed(name), [])
      return [(same[0], ())] if len(same) == 1 else []
    pattern = re.compile(
      ''.join(
        '(.*)' if x is None else re.escape(_composed(x)) for x in component
      ),
      re.DOTALL,
    )
    literals = [_composed(x) for x in _literals(component)]
    found = []
    for form in folder.near(literals):
      match = pattern.fullmatch(form)
      if match and (literals[0] or not form.startswith('.')):
        found += [
          (name, match.groups())
          for name in folder.by_form[form]
          if folder.entries[name].is_folder != is_last
        ]
    return found

  def _check_links(self, path: str) -> None:
    """Raises OutsideError if a link on the way leads out of the root."""
    place = ''
    for name in path.split(os.sep):
      folder, place = place, os.path.join(place, name)
      if not self._folders[folder].entries[name].is_link:
        continue
      if place not in self._inside:
        whole = os.path.join(self._root, place)
        self._inside[place] = files.is_within(whole, self._root)
      if not self._inside[place]:
        raise OutsideError(
          f"image '{path}' is not in the data folder: '{place}' is a link out "
          'of it. Copy the images into the folder, or set --data_root to one '
          'that holds both.'
        )

  def hint(self, text: str) -> str:
    """What is there instead of the absent file `text`, or nothing."""
    names = [
      x for x in text.replace('\\', '/').split('/') if x not in ('', '.')
    ]
    if not names or '..' in names or '*' in text:
      return ''
    missing = ''
    for at in range(1, len(names)):
      folder = '/'.join(names[:at])
      if not self._folder(folder).entries:
        missing = f" There is no folder '{folder}'."
        break
    near = ['/'.join(names[at:-1]) for at in range(len(names))]
    top = self._folder('').entries
    near += [x for x in sorted(top) if top[x].is_folder][:_NEARBY]
    for folder in near:
      name = self._similar(folder, names[-1])
      if name:
        return f"{missing} There is '{os.path.join(folder, name)}'."
    return missing

  def _similar(self, folder: str, name: str) -> str:
    """A file that differs in case, suffix or the '.0' of an id at most."""
    wanted = _composed(name).casefold()
    stem = os.path.splitext(wanted)[0]
    legal = {wanted, *(stem + x for x in SUFFIXES)}
    legal |= {stem.removesuffix('.0') + x for x in SUFFIXES}
    legal |= {wanted + x for x in SUFFIXES}
    entries = self._folder(folder).entries
    for other in sorted(entries):
      if _composed(other).casefold() in legal and not entries[other].is_folder:
        return other
    return ''


def _components(parts) -> list[_Component]:
  """The names of folders and of the file that a path consists of.

  Raises:
    OutsideError: if it is absolute or its '..' lead out of the root.
  """
  whole = ''.join(text for text, _ in parts)
  if whole.startswith('/') or re.match(r'[A-Za-z]:[/\\]|\\\\', whole):
    raise OutsideError(
      f"image '{whole}' is named by an absolute path; legal are paths relative "
      'to the data folder and inside it.'
    )
  split: list[_Component] = [[]]
  for text, column in parts:
    if column is None:
      split[-1].append(None)
      continue
    first, *rest = text.split('/')
    split[-1].append(first)
    split += [[x] for x in rest]
  found: list[_Component] = []
  for component in split:
    name = None if None in component else ''.join(component)
    if name == '..':
      if not found:
        raise OutsideError(
          f"image '{whole}' leaves the data folder; legal are paths inside it."
        )
      found.pop()
    elif name not in ('', '.'):
      found.append(component)
  return found
