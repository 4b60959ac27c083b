"""A descriptor and its table become one typed record per study.

Every fault is collected with its file, line and column; nothing is guessed
and nothing is dropped without being said.
"""

import dataclasses
import math
import os
import pathlib
import unicodedata

import numpy as np

from fusion_jax.core import errors, spellings, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import descriptor as descriptor_lib
from fusion_jax.data import (
  exclusions,
  image_paths,
  keys,
  labels,
  looks,
  modality,
  numbers,
  readings,
  tables,
)
from fusion_jax.data import features as features_lib

_MOST_FOLD = 10**9

# What groups and sites are called where the cell is blank.
MISSING_GROUP = 'missing'


@dataclasses.dataclass(eq=False)
class Records:
  """Columns of n studies, as far as they could be read.

  Attributes:
    descriptor: what was asked for.
    root: the data folder.
    findings: the faults found so far.
    table: the n rows that stand for the studies (the first row of each).
    study: (n,) str.
    patient: (n,) str.
    labels: (n, l) float64, NaN where unknown or illegal.
    task: with the class names in order.
    numeric: by name, (n,) float64.
    categorical: by name, (n,) object array of str or None.
    unknown_codes: by categorical column, its levels that mean 'unknown'.
    fold: (n,) int or None.
    site: (n,) str or None.
    index_time: (n,) float64 days or numbers, NaN where illegal; or None.
    index_is_date: whether it was read from dates; None without.
    groups: by name, (n,) str.
    weight: (n,) float64 or None.
    paths: by modality of files, per study the paths of its files relative to
      the data folder.
    path_lines: likewise, the line each path comes from.
    views: by modality of named views, per study which view each path shows.
    notes: sentences about what was left out.
    warnings: sentences that are warnings of every report.
    steps: from the rows that were read to the n studies.
  """

  descriptor: descriptor_lib.Descriptor
  root: pathlib.Path
  findings: tables.Findings
  table: tables.Table
  study: np.ndarray
  patient: np.ndarray
  labels: np.ndarray
  task: types.Task
  numeric: dict[str, np.ndarray]
  categorical: dict[str, np.ndarray]
  unknown_codes: dict[str, tuple[str, ...]]
  fold: np.ndarray | None
  site: np.ndarray | None
  index_time: np.ndarray | None
  index_is_date: bool | None
  groups: dict[str, np.ndarray]
  weight: np.ndarray | None
  paths: dict[str, list[list[str]]]
  path_lines: dict[str, list[list[int]]]
  views: dict[str, list[list[int]]]
  notes: tuple[str, ...]
  warnings: tuple[str, ...]
  steps: tuple[cohort_lib.Step, ...]

  def __len__(self) -> int:
    return len(self.study)

  @property
  def all_paths(self) -> list[list[str]]:
    """Per study the paths of its files of all modalities."""
    by_modality = list(self.paths.values())
    return [
      [path for x in by_modality for path in x[study]]
      for study in range(len(self))
    ]


def read(d: descriptor_lib.Descriptor, root: str | os.PathLike) -> Records:
  """Reads the table of `d` under the folder `root`.

  Faults of cells land in the result's `findings`.

  Raises:
    UserError: where there is nothing to go on: no table, no such column, no
      row left.
  """
  root = pathlib.Path(root)
  if not root.is_dir():
    raise errors.UserError(f"No data folder '{root}'.")
  codes = dict(d.unknown_codes)
  shared = codes.pop(keys.EVERY, ())
  table = tables.read(
    root / d.table,
    encoding=d.encoding,
    keep=shared + d.classes,
    codes=shared,
    codes_in=codes,
    as_written=d.study + d.patient,
    sheet=d.sheet,
  )
  table = dataclasses.replace(table, file=d.table)
  _check_columns(d, table)
  findings = tables.Findings(d.table, table.unit)
  every = table
  table, notes, steps = exclusions.apply(d, every, findings)
  study = _identifiers(table, d.study, 'study', findings)
  first, row_of, study = _first_rows(study)
  paths, path_lines, views = {}, {}, {}
  for section in d.sections.values():
    if patterns := section.patterns:
      name = section.name
      # Views keep their places, so each is looked up on its own.
      parts = [(x,) for x in patterns] if section.views else [patterns]
      found = [
        image_paths.resolve(
          d.of(x, section.missing),
          table,
          every,
          root,
          row_of,
          len(first),
          findings,
          noun=section.kind,
          keys=('images', 'missing_images')
          if d.images
          else ('path', 'missing'),
        )
        for x in parts
      ]
      paths[name], path_lines[name] = (
        [[y for part in study for y in part] for study in zip(*x, strict=True)]
        for x in zip(*found, strict=True)
      )
      if section.views:
        views[name] = _views(section, [x for x, _ in found], findings)
  if d.exclude_without_image:
    imaging = [
      paths[x.name]
      for x in d.sections.values()
      if x.side == modality.IMAGING and x.name in paths
    ]
    seen = np.array([any(x) for x in zip(*imaging, strict=True)])
    left = seen[row_of]
    table, more, steps = exclusions.without_image(d, table, left, steps)
    notes += more
    row_of = (np.cumsum(seen) - 1)[row_of[left]]
    first, study = np.unique(row_of, return_index=True)[1], study[seen]
    paths, path_lines, views = (
      {
        name: [x for x, kept in zip(values, seen, strict=True) if kept]
        for name, values in found.items()
      }
      for found in (paths, path_lines, views)
    )
  if len(first) < len(table):
    _check_repeats(d, table, first, row_of, findings)
  table = table.rows(first)
  columns = _Columns(d, table, findings)
  values, task = labels.read(d, table, findings, columns.numbers)
  features = features_lib.read(d, table, findings)
  patient = study
  if d.patient:
    patient = _identifiers(table, d.patient, 'patient', findings)
  return Records(
    descriptor=d,
    root=root,
    findings=findings,
    table=table,
    study=study,
    patient=patient,
    labels=values,
    task=task,
    numeric=features.numeric,
    categorical=features.categorical,
    unknown_codes=features.unknown_codes,
    fold=columns.fold(),
    site=columns.names(d.site) if d.site else None,
    index_time=columns.index_time(),
    index_is_date=columns.index_is_date,
    groups={x: columns.names(x) for x in d.groups},
    weight=columns.weight(),
    paths=paths,
    path_lines=path_lines,
    views=views,
    notes=notes + features.notes,
    # What is not plausible was taken away: no reader may miss it.
    warnings=features.notes,
    steps=steps,
  )


def _views(section, paths, findings) -> list[list[int]]:
  """Per study, the number of the view that each of its paths shows."""
  for view, of_view in zip(section.views, paths, strict=True):
    for names in of_view:
      if len(names) > 1:
        findings.add(
          f"view '{view}' of '{section.name}' is {len(names)} files of one "
          f"study: '{names[0]}' and '{names[1]}'.",
          kind='several files of a view',
        )
  return [
    [k for k, names in enumerate(study) for _ in names]
    for study in zip(*paths, strict=True)
  ]


def _check_columns(d, table) -> None:
  named = d.named_columns()
  for section in d.sections.values():
    for pattern in section.patterns:
      for column in image_paths.fields(pattern, d.path) or (pattern,):
        named.setdefault(column, 'images' if d.images else 'path')
  for column, key in named.items():
    if column in table.nested:
      raise errors.UserError(
        f"Table '{d.table}', column '{column}' (key {key} of '{d.path}'): "
        f'values of type {table.nested[column]} cannot be read as numbers or '
        'text.'
      )
    if column not in table.columns:
      _check_form(d, column, table)
      raise errors.unknown_name(
        'column', column, table.columns, where=f"key {key} of '{d.path}'"
      )


def _check_form(d, column: str, table) -> None:
  """Raises UserError if a name differs only in how its accents are coded."""
  form = unicodedata.normalize('NFC', column)
  if any(unicodedata.normalize('NFC', x) == form for x in table.columns):
    raise errors.UserError(
      f"'{d.path}': column '{column}' is in '{table.file}' with its accents "
      'coded in another way (a letter with its accent as one character or as '
      'two, NFC and NFD): copy the name from there.'
    )


def _identifiers(table, columns, key, findings) -> np.ndarray:
  """(r,) str: the values of `columns` joined by '/'."""
  parts = []
  for name in columns:
    column = table.columns[name]
    for row in np.flatnonzero(np.equal(column, None)):
      findings.add(
        f'the {key} is blank.',
        line=table.lines[row],
        column=name,
        kind=f'blank {key}',
      )
    column = spellings.unify_identifiers(column)
    parts.append(['' if x is None else x for x in column])
  joined = ['/'.join(x) for x in zip(*parts, strict=True)]
  if key == 'study':
    # Rows without a name stay apart, so that they are one fault each.
    joined = [
      x or f'({table.unit} {line})'
      for x, line in zip(joined, table.lines, strict=True)
    ]
  return np.array(joined, dtype=str)


def _first_rows(study):
  """First row of each study in order of appearance, study of each row."""
  names, first, inverse = np.unique(
    study, return_index=True, return_inverse=True
  )
  order = np.argsort(first)
  rank = np.empty_like(order)
  rank[order] = np.arange(len(order))
  return first[order], rank[inverse], names[order]


def _check_repeats(d, table, first, row_of, findings) -> None:
  """Several rows of a study must agree in all but its images."""
  rows = np.setdiff1d(np.arange(len(table)), first)
  base = first[row_of[rows]]
  used = [x for x in d.named_columns() if x not in d.study]
  for column in used:
    values = table.columns[column]
    for at in np.flatnonzero(values[rows] != values[base]):
      row, other = rows[at], base[at]
      findings.add(
        f"study '{_joined(table, d.study, row)}' has {_shown(values[row])} "
        f'here but {_shown(values[other])} on {table.unit} '
        f'{table.lines[other]}.',
        line=table.lines[row],
        column=column,
        kind='contradiction within a study',
      )


def _joined(table, columns, row) -> str:
  return '/'.join(table.columns[x][row] or '' for x in columns)


def _shown(value) -> str:
  return 'nothing' if value is None else f"'{value}'"


class _Columns:
  """Typed columns of a table whose faults go to `findings`."""

  def __init__(self, d, table, findings):
    self._d = d
    self._table = table
    self._findings = findings
    self.index_is_date: bool | None = None

  def _bad(self, row, column, message, kind):
    self._findings.add(
      message, line=self._table.lines[row], column=column, kind=kind
    )

  def _map(self, column, convert):
    """`convert` of each distinct text; None stays None."""
    values = self._table.columns[column]
    known = {x: convert(x) for x in set(values) if x is not None}
    known[None] = None
    out = np.empty(len(values), object)
    out[:] = [known[x] for x in values]
    return out

  def numbers(
    self, column: str, legal: str = '', *, codes=(), most=types.LARGEST
  ):
    """(n,) float64 and where a code of `codes` stands instead of a number."""
    return readings.read(
      self._table,
      column,
      self._d.number_format(column),
      self._findings,
      codes=codes,
      legal=legal,
      most=most,
    )

  def names(self, column: str) -> np.ndarray:
    values = self._table.columns[column]
    return np.array([MISSING_GROUP if x is None else x for x in values], str)

  def fold(self) -> np.ndarray | None:
    column = self._d.fold
    if not column:
      return None
    values, _ = self.numbers(column, 'a whole number', most=math.inf)
    text = self._table.columns[column]
    whole = (np.abs(values) < _MOST_FOLD) & (values == np.round(values))
    for row in np.flatnonzero(~whole):
      if text[row] is None or not math.isnan(values[row]):
        self._bad(
          row,
          column,
          f'the fold is {_shown(text[row])}, expected a whole number of at '
          'most nine digits.',
          'fold not a whole number',
        )
    return np.where(whole, values, -1).astype(np.int64)

  def index_time(self) -> np.ndarray | None:
    """(n,) days since 1970-01-01 where any is a date, else numbers."""
    column = self._d.index_time
    if not column:
      return None
    text = self._table.columns[column]
    given = {x for x in set(text) if x is not None}
    dates = self.index_is_date = any(
      math.isnan(numbers.number(x)) and not math.isnan(tables.days(x))
      for x in given
    )
    legal = 'an ISO date such as 2024-03-01 or 2024-03-01T14:30'
    if not dates:
      legal = f'{legal}, or a number'
    found = self._map(column, tables.days if dates else numbers.number)
    out = np.array([math.nan if x is None else x for x in found])
    bad = np.isnan(out)
    look = looks.of_dates(given)
    if look is None and bad.any():
      look = looks.of_cells({x for x in text[bad] if x is not None})
    if look is not None and look.value != looks.ISO:
      seen = bad & self._map(column, look.fits).astype(bool)
      readings.say_look(self._table, column, seen, look, self._findings)
      bad &= ~seen
    for row in np.flatnonzero(bad):
      self._bad(
        row,
        column,
        f'the index time is {_shown(text[row])}, expected {legal}.',
        'no index time',
      )
    return out

  def weight(self) -> np.ndarray | None:
    column = self._d.weight
    if not column:
      return None
    values, _ = self.numbers(column, most=math.inf)
    text = self._table.columns[column]
    least, most = types.WEIGHTS
    for row in np.flatnonzero(~((values >= least) & (values <= most))):
      if text[row] is None or not math.isnan(values[row]):
        self._bad(
          row,
          column,
          f'the weight is {_shown(text[row])}, expected a number from '
          f'{least:g} to {most:g}.',
          'illegal weight',
        )
    return values
