"""A first cohort.toml for a folder of a table and images, to be edited.

Every line that is a guess carries its reason as a comment.
"""

import collections
import dataclasses
import json
import os
import pathlib
import re

import numpy as np

from fusion_jax.core import errors, files, types
from fusion_jax.data import checks, image_tree, records, tables

_TABLES = ('.csv', '.tsv', '.parquet', '.pq')
_IMAGES = image_tree.SUFFIXES
_UNKNOWN = ('unk', 'unknown', '?', 'not known', 'unclear', "don't know")

_PATIENT = r'(^|_)(patient|subject|person|participant|mrn|pid)(_?id|_?no)?($|_)'
_STUDY = r'(^|_)(study|image|exam|accession|scan|series|case|record)'
_LABEL = r'^(label|target|outcome|class|diagnosis|malignant|y)($|_)'
_FOLD = r'^(fold|cv_fold|split)$'
_SITE = r'(^|_)(site|hospital|cent(re|er)|institution)($|_)'
_TIME = r'^(time|survival_time|follow_?up|days|os_time|time_to_event)($|_)'
_EVENT = r'^(event|status|death|died|dead|censor)'
_DATE = re.compile(r'^\d{4}-\d\d-\d\d|^\d{1,2}[./]\d{1,2}[./]\d{2,4}')

_MAX_CLASSES = 20
_MANY_LEVELS = 100


@dataclasses.dataclass
class _Draft:
  """Keys with their values and reasons, in order; columns left out and why."""

  table: tables.Table
  lines: list[str]
  left: dict[str, str]
  used: set[str] = dataclasses.field(default_factory=set)

  def set(self, key: str, value, reason: str, *columns: str) -> None:
    self.lines.append(f'{key} = {_toml(value)}  # {reason}')
    self.used.update(columns)

  def find(self, pattern: str) -> list[str]:
    return [
      x
      for x in self.table.columns
      if re.search(pattern, x.lower()) and x not in self.used
    ]


def _toml(value) -> str:
  if isinstance(value, list | tuple):
    return '[' + ', '.join(_toml(x) for x in value) + ']'
  return json.dumps(value, ensure_ascii=False)


def propose(folder: str | os.PathLike) -> str:
  """The text of a first cohort.toml for `folder`.

  Raises:
    UserError: if there is no such folder, or no table in it.
  """
  folder = pathlib.Path(folder)
  if not folder.is_dir():
    raise errors.UserError(f"No folder '{folder}' to draft a cohort from.")
  found = _files(folder, _TABLES)
  if not found:
    raise errors.UserError(
      f"No table ({', '.join(_TABLES)}) in '{folder}' or the folders in it."
    )
  pictures = _files(folder, _IMAGES)
  name = max(found, key=lambda x: (folder / x).stat().st_size)
  table = dataclasses.replace(tables.read(folder / name), file=name)
  draft = _Draft(table, [], {})
  draft.lines += [
    f"# A first draft from the files in '{folder.resolve().name}': read every",
    '# line, correct it, then check it with',
    '# python -m experiments.prepare --cohort=THIS_FILE --data_root=FOLDER',
    'version = 1',
  ]
  draft.set('name', folder.resolve().name, "the folder's name")
  others = f' of {len(found)} tables' if len(found) > 1 else ''
  draft.set('table', name, f'the largest{others}, {len(table)} rows')
  _images(draft, pictures)
  _patient(draft)
  target = _label(draft)
  _fold_and_site(draft)
  _features(draft, target)
  draft.lines += [
    'orientation = "fixed"  # "free" if flips and rotations change nothing',
    'licence = ""  # not known',
    'citation = ""  # not known',
    'notes = []',
  ]
  if draft.left:
    draft.lines.append('\n# Columns left out:')
    draft.lines += [f'#   {x}: {why}' for x, why in draft.left.items()]
  return '\n'.join(draft.lines) + '\n'


def write(
  folder: str | os.PathLike, out: str | os.PathLike, *, force: bool = False
) -> pathlib.Path:
  """Writes `propose(folder)` to the file (or into the folder) `out`.

  Raises:
    UserError: if the file exists and `force` is not set, or cannot be written.
  """
  out = pathlib.Path(out)
  if out.is_dir():
    out = out / 'cohort.toml'
  if out.exists() and not force:
    raise errors.UserError(
      f"'{out}' exists; name another file with --out or overwrite it with "
      '--force.'
    )
  text = propose(folder)
  try:
    out.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(out) as part:
      part.write_text(text, encoding='utf-8')
  except OSError as e:
    raise errors.UserError(f"Cannot write '{out}': {e.strerror}.") from None
  return out


def _files(folder: pathlib.Path, suffixes) -> list[str]:
  """Paths relative to `folder`, sorted, hidden ones left out."""
  found = []
  for place, folders, names in os.walk(folder):
    folders[:] = sorted(x for x in folders if not x.startswith('.'))
    for name in sorted(names):
      if name.lower().endswith(suffixes) and not name.startswith('.'):
        found.append(os.path.relpath(os.path.join(place, name), folder))
  return found


def _images(draft: _Draft, names: list[str]) -> None:
  """Keys study and images: the column that names the files, if any."""
  table = draft.table
  stems = {os.path.splitext(os.path.basename(x))[0]: x for x in names}
  whole = set(names)
  best, share, pattern = '', 0.0, ''
  for column, values in table.columns.items():
    cells = [x for x in values if x is not None]
    if not names or not cells:
      continue
    in_paths = sum(x.split(';')[0].strip() in whole for x in cells)
    in_stems = sum(x in stems for x in cells)
    found = max(in_paths, in_stems) / len(table)
    exact = in_paths >= in_stems
    # Whole paths leave nothing to guess, so they win over equal stems.
    if (found, exact) > (share, bool(pattern)) and found:
      share, best, pattern = found, column, column if exact else ''
  if best and not pattern:
    # Folders and suffixes may differ; the most frequent pair is taken.
    pairs = collections.Counter(
      (os.path.dirname(p), os.path.splitext(p)[1]) for p in names
    )
    (place, suffix), _ = pairs.most_common(1)[0]
    pattern = os.path.join(place, '{' + best + '}' + suffix)
  _study(draft, best if pattern != best else '')
  if best:
    draft.set(
      'images',
      pattern,
      f"{share:.0%} of the values of '{best}' name one of {len(names)} files",
      best,
    )
  elif names:
    draft.lines.append(
      f'# images: no column names the {len(names)} image files.'
    )
  else:
    draft.lines.append('# images: no image file was found.')


def _study(draft: _Draft, image_column: str) -> None:
  def distinct(column):
    values = draft.table.columns[column]
    return None not in set(values) and len(set(values)) == len(values)

  named = [x for x in draft.find(_STUDY) if distinct(x)]
  if image_column and distinct(image_column):
    reason = 'names the image files and never repeats'
    draft.set('study', image_column, reason, image_column)
  elif named:
    draft.set('study', named[0], 'an id by its name, never repeats', named[0])
  else:
    column = next((x for x in draft.table.columns if distinct(x)), '')
    if column:
      draft.set('study', column, 'the first column that never repeats', column)
    else:
      first = next(iter(draft.table.columns))
      draft.set('study', first, 'NO COLUMN IS DISTINCT IN ALL ROWS', first)


def _patient(draft: _Draft) -> None:
  found = draft.find(_PATIENT)
  if found:
    count = len(set(draft.table.columns[found[0]]))
    draft.set('patient', found[0], f'by its name; {count} patients', found[0])
    for column in found[1:]:
      draft.left[column] = 'looks like an id'
      draft.used.add(column)
    return
  draft.set('patient', 'none', 'no column is called patient, subject, ...')
  draft.set('patient_reason', '', 'say here why: it is repeated in reports')


def _values(draft, column) -> list[str]:
  return sorted({x for x in draft.table.columns[column] if x is not None})


def _is_number(values) -> bool:
  return bool(values) and not any(np.isnan(records.number(x)) for x in values)


def _label(draft: _Draft) -> np.ndarray | None:
  """Keys task and label; (r,) 0/1 label, or None if it is not binary."""
  times, events = draft.find(_TIME), draft.find(_EVENT)
  events = [x for x in events if len(_values(draft, x)) == 2]
  times = [x for x in times if _is_number(_values(draft, x))]
  if times and events:
    draft.set('task', types.SURVIVAL, 'there are a time and an event column')
    draft.set('time', times[0], 'by its name', times[0])
    if 'days' in times[0].lower():
      draft.set('time_unit', 'days', "by the column's name")
    draft.set('event', events[0], 'by its name, two values', events[0])
    return None
  found = draft.find(_LABEL)
  two = [x for x in found if len(_values(draft, x)) == 2]
  if not found:
    draft.set('task', types.BINARY, 'NOT KNOWN: no column is called label')
    draft.set('label', '', 'name the column to predict')
    return None
  label = (two or found)[0]
  for column in found:
    draft.used.add(column)
    if column != label:
      draft.left[column] = 'called like a label; perhaps another one'
  values = _values(draft, label)
  if two:
    draft.set('task', types.BINARY, f'the label has values {values}')
    draft.set('label', label, 'by its name', label)
    true = {*records.TRUE_VALUES, *records.FALSE_VALUES}
    positive = values[1]
    if not {tables.canonical(x).lower() for x in values} <= true:
      draft.set('positive', positive, 'which of the two means 1? A guess')
    else:
      positive = max(
        values, key=lambda x: tables.canonical(x).lower() in records.TRUE_VALUES
      )
    column = draft.table.columns[label]
    return np.array([np.nan if x is None else x == positive for x in column])
  if _is_number(values) and len(values) > _MAX_CLASSES:
    draft.set('task', types.REGRESSION, f'{len(values)} different numbers')
  else:
    draft.set('task', types.MULTICLASS, f'{len(values)} values')
  draft.set('label', label, 'by its name', label)
  return None


def _fold_and_site(draft: _Draft) -> None:
  for column in draft.find(_FOLD)[:1]:
    if _is_number(_values(draft, column)):
      draft.set('fold', column, 'by its name, whole numbers', column)
  for column in draft.find(_SITE)[:1]:
    reason = 'by its name; studies of one site can be left out together'
    draft.set('site', column, reason, column)


def _features(draft: _Draft, target: np.ndarray | None) -> None:
  kinds = {'numeric': [], 'categorical': [], 'boolean': []}
  codes = {}
  for column in draft.table.columns:
    if column in draft.used:
      continue
    values = _values(draft, column)
    unknown = [x for x in values if x.lower() in _UNKNOWN]
    kind = _kind(draft, column, [x for x in values if x not in unknown])
    why = kind if kind not in kinds else _suspicion(draft, column, kind, target)
    if why:
      draft.left[column] = why
      continue
    kinds[kind].append(column)
    codes.update(dict.fromkeys(unknown))
  reasons = {
    'numeric': 'every value is a number',
    'categorical': 'names that repeat',
    'boolean': 'two values, true and false',
  }
  for kind, columns in kinds.items():
    draft.set(kind, columns, reasons[kind], *columns)
  if codes:
    reason = 'kept as a level of their own, not as missing'
    draft.set('unknown_codes', list(codes), reason)


def _kind(draft, column, values) -> str:
  """A kind of feature, or why the column is none."""
  rows = sum(x is not None for x in draft.table.columns[column])
  if not values:
    return 'every value is missing'
  if len(values) == 1:
    return f"every value is '{values[0]}'"
  words = {*records.TRUE_VALUES, *records.FALSE_VALUES}
  if {tables.canonical(x).lower() for x in values} <= words:
    return 'boolean'
  if all(_DATE.search(x) for x in values):
    return 'dates; if it is when the prediction is made, set index_time'
  numbers = _is_number(values)
  looks_id = re.search(r'(^|_)id$', column.lower())
  if looks_id or (len(values) > 0.9 * rows and rows > 20 and not numbers):
    return f'looks like an id: {len(values)} values in {rows} rows'
  if numbers:
    return 'numeric'
  if len(values) > _MANY_LEVELS:
    return f'{len(values)} different names'
  return 'categorical'


def _suspicion(draft, column, kind, target) -> str:
  """Why a feature seems to give the label away; empty if it does not."""
  if target is None:
    return ''
  values = draft.table.columns[column]
  if kind == 'numeric':
    values = np.array(
      [np.nan if x is None else records.number(x) for x in values]
    )
  reason = checks.disguise(values, target, 'the label')
  if reason:
    return f'the label in disguise? {reason[0].upper()}{reason[1:]}'
  auroc = checks.missingness_auroc(values, target)
  if auroc:
    return f'whether it is missing predicts the label (AUROC {auroc:.2f})'
  return ''
