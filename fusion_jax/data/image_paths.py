"""Which image files belong to which study."""

import dataclasses
import re
from collections.abc import Iterator

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import image_tree, tables

SEPARATOR = ';'
_FIELD = re.compile(r'\{([^{}]*)\}')
_WORD = r'[^\W_]+'

# Of so many absent images it is said which file was probably meant; the rest
# are only counted.
_HINTS = 20


def fields(pattern: str, where) -> tuple[str, ...]:
  """The column names in braces; () if `pattern` is itself a column name.

  Raises:
    UserError: naming the file `where`, for braces that do not pair up or '**'.
  """
  rest = _FIELD.sub('', pattern)
  if '{' in rest or '}' in rest or '{}' in pattern:
    raise errors.UserError(
      f"'{where}': images = '{pattern}' has braces that do not enclose a "
      "column name; write for example 'images/{image_id}.png'."
    )
  found = tuple(_FIELD.findall(pattern))
  if found and '**' in pattern:
    raise errors.UserError(
      f"'{where}': images = '{pattern}' has '**'; a '*' stands for anything in "
      "one name: write one for each folder, as in 'images/*/{image_id}.png'."
    )
  return found


@dataclasses.dataclass(frozen=True)
class _Named:
  """A path as one row names it.

  Attributes:
    parts: its texts in order, with the column each comes from: '' for one of
      the pattern, None for the pattern's `*`.
  """

  parts: tuple[tuple[str, str | None], ...]

  def __str__(self):
    return ''.join(text for text, _ in self.parts)

  @property
  def has_star(self) -> bool:
    return any(column is None for _, column in self.parts)


def resolve(
  d,
  table,
  every,
  root,
  row_of,
  count,
  findings,
  *,
  noun='image',
  keys=('images', 'missing_images'),
):
  """Paths of each study's images relative to `root`, and their lines.

  Only the `*` of a pattern stands for anything, never one in a cell. All paths
  lie in the data folder, links followed, and none that a `*` reaches is also
  named by another study, be it an excluded one.

  Args:
    d: the descriptor; its `images` are patterns (with columns in braces, and
      `*` for any part of a name) or columns that hold paths separated by ';'.
    table: the table of r rows.
    every: the table before rows were excluded from it.
    root: the data folder.
    row_of: (r,) number of each row's study.
    count: number n of studies.
    findings: where missing files, paths that leave the folder or belong to two
      studies, and rows that repeat are reported.
    noun: what a file shows.
    keys: of the descriptor, what `images` and `missing_images` stand for.

  Returns:
    Two lists of n lists.
  """
  paths = [[] for _ in range(count)]
  lines = [[] for _ in range(count)]
  excluded = every.rows(~np.isin(every.lines, table.lines))
  search = _Search(root, d, every, findings, noun, keys)
  begun = set()
  for row, study in enumerate(row_of):
    line = int(table.lines[row])
    found = [
      path
      for named in dict.fromkeys(_named(d, table, row))
      for path in search.find(named, _key(d, table, row), line)
    ]
    fresh = [x for x in dict.fromkeys(found) if x not in paths[study]]
    if study in begun and not fresh and line not in search.unread:
      findings.add(
        f"study '{_key(d, table, row)}' stands on several rows, of which this "
        'one names no further image.',
        line=line,
        column='/'.join(d.study),
        kind='duplicated study',
      )
    begun.add(study)
    paths[study] += fresh
    lines[study] += [line] * len(fresh)
  search.report()
  search.check_excluded(excluded)
  return paths, lines


def _key(d, table, row) -> str:
  return '/'.join(table.columns[x][row] or '' for x in d.study)


def _named(d, table, row) -> Iterator[_Named]:
  """The paths that one row names."""
  for pattern in d.images:
    columns = fields(pattern, d.path)
    if not columns:
      cell = table.columns[pattern][row]
      for path in (cell or '').split(SEPARATOR):
        if path.strip():
          yield _Named(((path.strip(), pattern),))
      continue
    if any(table.columns[x][row] is None for x in columns):
      continue
    parts = []
    # Texts of the pattern and names of columns take turns.
    for at, text in enumerate(_FIELD.split(pattern)):
      if at % 2:
        parts.append((table.columns[text][row], text))
      else:
        parts += [
          (x, None if x == '*' else '') for x in re.split(r'(\*)', text) if x
        ]
    yield _Named(tuple(parts))


class _Search:
  """Looks up the files that rows name."""

  def __init__(self, root, d, every, findings, noun, keys):
    self._noun, self._keys = noun, keys
    self._root = root
    self._d = d
    self._findings = findings
    self._tree = image_tree.Tree(root)
    self._found = 0
    self._absent = 0
    # The first file that may be what an absent one meant.
    self._hint = ''
    # Lines with a path that gave no image.
    self.unread: set[int] = set()
    # By path: how each study names it first.
    self._claims: dict[str, dict[str, _Named]] = {}
    self._levels = {
      x: set(every.columns[x])
      for pattern in d.images
      for x in fields(pattern, d.path)
      if '*' in pattern
    }
    self._told = set()

  def find(self, named: _Named, study: str, line: int) -> list[str]:
    try:
      hits = self._look_up(named)
    except image_tree.OutsideError as e:
      self._findings.add(f'{e}', line=line, kind='image outside the folder')
      self._found += 1
      self.unread.add(line)
      return []
    for path, groups in hits if self._levels else ():
      self._claim(path, named, study, line)
      self._check_continued(path, named, study, groups, line)
    if hits:
      self._found += 1
      return [path for path, _ in hits]
    self._absent += 1
    self.unread.add(line)
    hint = self._tree.hint(f'{named}') if self._absent <= _HINTS else ''
    if self._d.missing_images == 'error':
      self._findings.add(
        f"no such {self._noun} '{named}'.{hint}",
        line=line,
        kind=f'missing {self._noun}',
      )
    elif hint and not self._hint:
      self._hint = f" Of '{named}' on {self._findings.unit} {line}:{hint}"
    return []

  def _look_up(self, named):
    """Paths, and what each `*` on the way to them stands for."""
    hits = self._tree.find(named.parts)
    if not hits and '\\' in f'{named}':
      slashes = [(text.replace('\\', '/'), x) for text, x in named.parts]
      hits = self._tree.find(slashes)
    return hits

  def _claim(self, path, named, study, line) -> None:
    """Reports a file that a `*` gives to two studies."""
    claims = self._claims.setdefault(path, {})
    for other, before in claims.items():
      starred = named if named.has_star else before
      if other == study or named == before or not starred.has_star:
        continue
      if path not in self._told:
        self._told.add(path)
        self._findings.add(
          f"image '{path}' is of two studies: '{other}' takes it as "
          f"'{before}', '{study}' as '{named}'. Let images say where the name "
          "of a study ends, such as '{id}_*.png' beside '{id}.png'.",
          line=line,
          kind='image of two studies',
        )
    claims.setdefault(study, named)

  def _check_continued(self, path, named, study, groups, line) -> None:
    """Reports a `*` that makes an id of the pattern into another one."""
    parts = list(named.parts)
    stars = iter(groups)
    filled = [(next(stars) if x is None else t, x) for t, x in parts]
    for at, (value, column) in enumerate(filled):
      if not column or column not in self._levels:
        continue
      before = after = ''
      if at and filled[at - 1][1] is None and re.match(_WORD, value):
        before = re.search(f'({_WORD})?$', filled[at - 1][0])[0]
      if filled[at + 1 :] and filled[at + 1][1] is None:
        if re.search(f'{_WORD}$', value):
          after = re.match(f'({_WORD})?', filled[at + 1][0])[0]
      whole = before + value + after
      if path in self._told or whole == value:
        continue
      if whole in self._levels[column]:
        self._told.add(path)
        self._findings.add(
          f"study '{study}' takes image '{path}' as '{named}', but its name "
          f"says '{whole}', which is another {column}.",
          line=line,
          kind='image of another study',
        )
      elif _is_number(before[-1:] + value[:1], before) or _is_number(
        value[-1:] + after[:1], after
      ):
        self._findings.warn(
          f"the '*' of '{named}' continues a number: image '{path}' may be of "
          f"'{whole}'.",
          line=line,
          kind='number continued by a star',
        )

  def report(self) -> None:
    """Says once what absent images mean."""
    if not self._d.images:
      return
    absent, total = self._absent, self._absent + self._found
    if not self._found:
      self._findings.add(
        f'not one {self._noun} was found for {self._keys[0]} = '
        f"{list(self._d.images)} under '{self._root}'."
      )
    elif absent and self._d.missing_images == 'error':
      self._findings.add(
        f'{absent} of {total} named {self._noun}s are not there. If these '
        'studies have none, leave the cell blank or set '
        f'{self._keys[1]} = "absent".'
      )
    elif absent:
      self._findings.warn(
        f'{absent} of {total} named {self._noun}s are not there; their studies '
        f'are taken to have none.{self._hint}'
      )

  def check_excluded(self, excluded: tables.Table) -> None:
    """Images of excluded rows must not go to the studies that stay."""
    if not self._levels:
      return
    for row, line in enumerate(excluded.lines):
      study = _key(self._d, excluded, row)
      for named in _named(self._d, excluded, row):
        try:
          hits = self._look_up(named)
        except image_tree.OutsideError:
          continue  # Nobody opens it.
        for path, _ in hits:
          if path in self._claims:
            self._claim(path, named, study, int(line))


def _is_number(pair: str, continued: str) -> bool:
  """Whether an id and what continues it meet between two digits."""
  return bool(continued) and pair.isdigit()
