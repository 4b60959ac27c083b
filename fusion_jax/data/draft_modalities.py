"""Volumes, series and vectors in a folder, as tables of a drafted cohort.toml.

Where there is any, the draft is of version 2: what it says of images and of
columns moves into tables of their own.
"""

import csv
import dataclasses
import io
import os
import pathlib
import re
import zipfile
from collections.abc import Callable, Sequence

import numpy as np

from fusion_jax.core import errors, text_tables, types
from fusion_jax.data import drafting, table_files, tables
from fusion_jax.data.kinds import image, series, table, vector, volume

_VOLUMES = ('.nii', '.npz', '.npy')
_GZ = '.gz'
_HEAD_BYTES = 2**20
_HEAD_ROWS = 2000
# Of a series: what its columns are called.
_TIME = r'(^|_)(time|minutes?|hours?|date|datetime|offset|charttime|days?)($|_)'
_CODE = (
  r'(^|_)(code|item|itemid|parameter|variable|test|analyte|event|name|label)'
  r'($|_)'
)
_VALUE = r'(^|_)(value|val|valuenum|result|measurement|reading)($|_)'
_UNITS = {
  'seconds': r'(^|_)(sec|seconds?)($|_)',
  'minutes': r'(^|_)(min|minutes?)($|_)',
  'hours': r'(^|_)(hr|hours?)($|_)',
  'days': r'(^|_)days?($|_)',
}
_MOVED = {
  'images': (types.IMAGE, 'path'),
  'missing_images': (types.IMAGE, 'missing'),
  'image_size': (types.IMAGE, 'size'),
  'orientation': (types.IMAGE, 'orientation'),
  'numeric': (types.EHR, 'numeric'),
  'categorical': (types.EHR, 'categorical'),
  'boolean': (types.EHR, 'boolean'),
}
_KIND_OF = {types.IMAGE: image.NAME, types.EHR: table.NAME}

# By column of the table, the ways in which its cells name files.
Match = Callable[[str, list[str]], list]


@dataclasses.dataclass(frozen=True)
class Found:
  """A modality of its own.

  Attributes:
    name: proposed for it.
    kind: of the modality.
    lines: its keys, with reasons.
    files: that it is made of, relative to the folder.
  """

  name: str
  kind: str
  lines: tuple[str, ...]
  files: tuple[str, ...]


def find(
  draft: drafting.Draft,
  folder: pathlib.Path,
  files: Sequence[str],
  others: Sequence[str],
  match: Match,
) -> list[Found]:
  """The volumes, series and vectors of a folder.

  Args:
    draft: of the table, whose study column is known.
    folder: of the data.
    files: all its arrays and NIfTI files, relative to it.
    others: its tables beside that of the draft.
    match: how a column names files (data/draft.py).
  """
  found = []
  for name in files:
    if name.endswith('.npz') and (made := _vectors(draft, folder, name)):
      found.append(made)
  taken = {x for made in found for x in made.files}
  left = [x for x in files if x not in taken]
  if made := _volumes(draft, left, match):
    found.append(made)
  for name in others:
    if made := _series(draft, folder, name):
      found.append(made)
  return _named_apart(found)


def _named_apart(found: list[Found]) -> list[Found]:
  names, out = {types.IMAGE, types.EHR}, []
  for one in found:
    name, k = one.name, 2
    while name in names:
      name, k = f'{one.name}_{k}', k + 1
    names.add(name)
    out.append(dataclasses.replace(one, name=name))
  return out


def _key(key: str, value, reason: str) -> str:
  return f'{key} = {drafting.toml(value)}  # {reason}'


def _name_of(path: str, otherwise: str) -> str:
  """A legal name of a modality, from that of a file or folder."""
  stem = os.path.basename(path).split('.')[0]
  name = re.sub(r'\W+', '_', stem).strip('_').lower()[:32]
  return name if re.fullmatch(r'[a-z][a-z0-9_]*', name) else otherwise


def _volumes(draft, files: list[str], match: Match) -> Found | None:
  tried = []
  for ending in _VOLUMES:
    for more in ('', _GZ):
      # A column is held against names up to their first suffix.
      names = [x.removesuffix(more) for x in files if x.endswith(ending + more)]
      names = [x for x in names if x.endswith(ending)]
      tried += [
        (x, more, names)
        for column in draft.table.columns
        for x in match(column, names)
      ]
  if not tried:
    return None
  best, more, names = max(tried, key=lambda x: x[0].rank)
  pattern = best.pattern + (more if '{' in best.pattern else '')
  lines = [
    _key(
      'path',
      pattern,
      f"{best.found} of {best.given} values of '{best.column}' name one of "
      f'{len(names)} files',
    )
  ]
  if best.found < best.given:
    reason = f'{best.given - best.found} rows name a file that is not there'
    lines.append(_key('missing', 'absent', reason))
  lines.append('# size = 64  # a cube that all are resampled to')
  return Found(
    _name_of(os.path.dirname(pattern), 'volume'),
    volume.NAME,
    tuple(lines),
    tuple(x + more for x in names),
  )


def _vectors(draft, folder, name: str) -> Found | None:
  """One .npz of all studies, by the names of its arrays."""
  try:
    with zipfile.ZipFile(folder / name) as f:
      arrays = {x.removesuffix('.npy') for x in f.namelist()}
    if arrays < {'study', 'vector'} or len(arrays) > 4:
      return None
    with np.load(folder / name, allow_pickle=False) as f:
      ids = {str(x) for x in f['study'].tolist()}
      shape = f['vector'].shape
  except (OSError, ValueError, KeyError, zipfile.BadZipFile):
    return None
  study = _study_ids(draft)
  there = len(study & ids)
  if not there or len(shape) != 2:
    return None
  reason = f'{there} of {len(study)} studies have {shape[1]} numbers'
  lines = [_key('path', name, reason)]
  if there < len(study):
    lines.append(_key('missing', 'absent', 'the others have none'))
  return Found(_name_of(name, 'vector'), vector.NAME, tuple(lines), (name,))


def _study_column(draft) -> str:
  """The one column that names studies; '' if there are several."""
  for line in draft.lines:
    if line.startswith('study = "'):
      return line.split('"')[1]
  return ''


def _study_ids(draft) -> set[str]:
  column = _study_column(draft)
  return set(draft.values(column)) if column in draft.table.columns else set()


def _series(draft, folder, name: str) -> Found | None:
  """A table with several rows a study, each with a time and a code."""
  head = _head(folder / name)
  column, study = _study_column(draft), _study_ids(draft)
  key = next(
    (
      x
      for x in ([column] if column in head else head)
      if (known := {y for y in head[x] if y} & study)
      and len(known) < len(head[x])
    ),
    '',
  )
  if not key:
    return None

  time, code, value = _columns({x: y for x, y in head.items() if x != key})
  if not (time and code and value):
    return None
  lines = [
    _key('table', name, 'several rows a study, each with a time and a code')
  ]
  if key != column:
    lines.append(_key('study', key, "its values are the studies'"))
  lines.append(_key('time', time, 'by its name'))
  if _are_numbers(head[time]):
    unit = next(
      (u for u, p in _UNITS.items() if re.search(p, drafting.plain(time))), ''
    )
    lines.append(
      _key(
        'time_unit',
        unit or 'hours',
        'by its name' if unit else f'{drafting.LOOK}not known',
      )
    )
  codes = sorted({x for x in head[code] if x})
  lines.append(_key('code', code, f'such as {", ".join(codes[:3])}'))
  lines.append(_key('value', value, 'numbers'))
  lines.append(
    f'# index = 0  # {drafting.LOOK}the time of the prediction, if it is one '
    'for all and there is no index_time; rows at or after it are an error'
  )
  return Found(_name_of(name, 'series'), series.NAME, tuple(lines), (name,))


def has_rows_by_time(path: pathlib.Path) -> bool:
  """Whether a table looks like the rows of a series."""
  return all(_columns(_head(path)))


def _columns(head: dict[str, list[str]]) -> tuple[str, str, str]:
  """The columns of time, code and value; empty where there is none."""

  def called(pattern, fits, *taken):
    return next(
      (
        x
        for x, cells in head.items()
        if x not in taken
        and re.search(pattern, drafting.plain(x))
        and fits(cells)
      ),
      '',
    )

  time = called(_TIME, lambda x: _are_numbers(x) or _are_dates(x))
  value = called(_VALUE, _are_numbers, time)
  code = called(_CODE, lambda x: len(set(x)) < len(x), time, value)
  return time, code, value


def _are_numbers(cells: Sequence[str]) -> bool:
  return drafting.is_number({x for x in cells if x})


def _are_dates(cells: Sequence[str]) -> bool:
  given = {x for x in cells if x}
  return bool(given) and all(tables.days(x) == tables.days(x) for x in given)


def _head(path: pathlib.Path) -> dict[str, list[str]]:
  """The first rows of a table by column, as text; {} if unreadable."""
  suffix = table_files.suffix_of(path)
  try:
    if suffix in table_files.PARQUET:
      import pyarrow.parquet

      file = pyarrow.parquet.ParquetFile(path)
      rows = next(file.iter_batches(batch_size=_HEAD_ROWS), None)
      if rows is None:
        return {}
      return {
        x: [_text(y) for y in rows.column(x).to_pylist()]
        for x in rows.schema.names
      }
    if suffix not in table_files.TEXT:
      return {}
    with open(path, 'rb') as f:
      content = f.read(_HEAD_BYTES)
    whole = len(content) < _HEAD_BYTES
    text = content.decode('utf-8', 'replace')
    text, mark, _ = text_tables.delimited(text, tabs=suffix == '.tsv')
    lines = list(csv.reader(io.StringIO(text), delimiter=mark))
  except (errors.UserError, OSError, ValueError, csv.Error):
    return {}
  if not whole:
    lines = lines[:-1]  # The last one may be cut.
  if not lines:
    return {}
  names, rows = lines[0], lines[1 : _HEAD_ROWS + 1]
  rows = [x for x in rows if len(x) == len(names)]
  return {x: [row[k] for row in rows] for k, x in enumerate(names)}


def _text(value) -> str:
  if value is None:
    return ''
  return f'{value:g}' if isinstance(value, float) else str(value)


def restructured(
  lines: Sequence[str], found: Sequence[Found]
) -> tuple[list[str], list[str]]:
  """A draft of version 1 as one of version 2.

  Args:
    lines: of the draft, one key each.
    found: modalities beside its images and columns.

  Returns:
    Lines of the cohort, and lines of its modalities, which come last.
  """
  kept, moved = [], {name: [] for name in _KIND_OF}
  for line in lines:
    key = line.split(' = ')[0].removeprefix('# ')
    if line == 'version = 1':
      kept.append('version = 2')
    elif key in _MOVED:
      name, new = _MOVED[key]
      moved[name].append(line.replace(f'{key} = ', f'{new} = ', 1))
    elif line.startswith('# images:'):
      continue
    else:
      kept.append(line)
  if not any(x.startswith('path') for x in moved[types.IMAGE]):
    moved[types.IMAGE] = []
  tail: list[str] = []
  for name, keys in moved.items():
    if keys:
      kind = drafting.toml(_KIND_OF[name])
      tail += [f'\n[modalities.{name}]', f'kind = {kind}', *keys]
  for one in found:
    kind = drafting.toml(one.kind)
    tail += [f'\n[modalities.{one.name}]', f'kind = {kind}', *one.lines]
  return kept, tail
