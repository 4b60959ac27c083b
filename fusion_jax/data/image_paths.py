"""Which image files belong to which study."""

import glob
import os
import pathlib
import re

from fusion_jax.core import errors
from fusion_jax.data import tables

SEPARATOR = ';'
_FIELD = re.compile(r'\{([^{}]*)\}')


def fields(pattern: str, where) -> tuple[str, ...]:
  """The column names in braces; () if `pattern` is itself a column name.

  Raises:
    UserError: naming the file `where`, for braces that do not pair up.
  """
  rest = _FIELD.sub('', pattern)
  if '{' in rest or '}' in rest or '{}' in pattern:
    raise errors.UserError(
      f"'{where}': images = '{pattern}' has braces that do not enclose a "
      "column name; write for example 'images/{image_id}.png'."
    )
  return tuple(_FIELD.findall(pattern))


def resolve(d, table, root, row_of, count, findings):
  """Paths of each study's images relative to `root`, and their lines.

  Args:
    d: the descriptor; its `images` are patterns (with columns in braces, and
      `*` for any file) or columns that hold paths separated by ';'.
    table: the table of r rows.
    root: the data folder.
    row_of: (r,) number of each row's study.
    count: number n of studies.
    findings: where missing files and rows that repeat are reported.

  Returns:
    Two lists of n lists.
  """
  paths = [[] for _ in range(count)]
  lines = [[] for _ in range(count)]
  search = _Search(pathlib.Path(root), d, findings)
  begun = set()
  for row, study in enumerate(row_of):
    line = int(table.lines[row])
    named = list(_named(d, table, row))
    fresh = [x for x in named if x not in paths[study]]
    if study in begun and not fresh:
      findings.add(
        f"study '{'/'.join(table.columns[x][row] or '' for x in d.study)}' "
        'stands on several rows, of which this one names no further image.',
        line=line,
        column='/'.join(d.study),
        kind='duplicated study',
      )
    begun.add(study)
    for path in dict.fromkeys(fresh):
      for found in search.find(path, line):
        paths[study].append(found)
        lines[study].append(line)
  search.report()
  return paths, lines


def _named(d, table, row):
  """The paths that one row names."""
  for pattern in d.images:
    columns = fields(pattern, d.path)
    if not columns:
      cell = table.columns[pattern][row]
      for path in (cell or '').split(SEPARATOR):
        if path.strip():
          yield path.strip()
      continue
    values = {x: table.columns[x][row] for x in columns}
    if None not in values.values():
      yield _FIELD.sub(lambda m, v=values: v[m.group(1)], pattern)


class _Search:
  """Looks files up, listing each folder once."""

  def __init__(self, root, d, findings):
    self._root = root
    self._d = d
    self._findings = findings
    self._folders = {}
    self._absent = 0
    self._found = 0

  def _listing(self, folder: str) -> set[str]:
    if folder not in self._folders:
      try:
        self._folders[folder] = set(os.listdir(self._root / folder))
      except OSError:
        self._folders[folder] = set()
    return self._folders[folder]

  def find(self, path: str, line: int) -> list[str]:
    folder, name = os.path.split(path)
    if '*' in name:
      escaped = glob.escape(str(self._root / folder))
      hits = sorted(glob.glob(os.path.join(escaped, name)))
      hits = [os.path.join(folder, os.path.basename(x)) for x in hits]
    else:
      hits = [path] if name in self._listing(folder) else []
    if hits:
      self._found += 1
      return hits
    self._absent += 1
    if self._d.missing_images == 'error':
      self._findings.add(
        f"no such image '{path}'.{self._hint(folder, name)}",
        line=line,
        kind='missing image',
      )
    return []

  def _hint(self, folder: str, name: str) -> str:
    listing = self._listing(folder)
    if not listing:
      return f" There is no folder '{folder}'." if folder else ''
    stem = os.path.splitext(name)[0]
    for suffix in ('.png', '.jpg', '.jpeg', '.PNG', '.JPG', '.JPEG'):
      if stem + suffix in listing:
        return f" There is '{stem + suffix}'."
    return ''

  def report(self) -> None:
    """Says once what absent images mean."""
    if not self._d.images:
      return
    if not self._found:
      self._findings.add(
        f'not one image was found for images = {list(self._d.images)} under '
        f"'{self._root}'."
      )
    elif self._absent and self._d.missing_images == 'error':
      self._findings.add(
        f'{self._absent} of {self._absent + self._found} named images are not '
        'there. If these studies have none, leave the cell blank or set '
        'missing_images = "absent".'
      )
    elif self._absent:
      self._findings.add(
        f'{self._absent} of {self._absent + self._found} named images are not '
        'there; their studies are taken to have none.',
        severity=tables.WARNING,
      )
