"""A first cohort.toml for a folder of a table and images, to be edited.

Every line that is a guess carries its reason as a comment.
"""

import collections
import dataclasses
import os
import pathlib

from fusion_jax.core import commands, errors, files, text_tables
from fusion_jax.data import (
  draft_features,
  draft_labels,
  drafting,
  image_tree,
  table_files,
  tables,
)

_TABLES = tuple(x for x in table_files.SUFFIXES if x != '.txt')
_IMAGES = image_tree.SUFFIXES
_UNREAD_IMAGES = ('.dcm', '.nii', '.nii.gz', '.mha', '.nrrd', '.npy', '.npz')
# Of a text table, enough to see its header.
_HEADER_BYTES = 2**20
# Pairs of so many columns are tried as names of the studies.
_PAIRED = 30


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
  name = max(
    found, key=lambda x: (_width(folder / x), (folder / x).stat().st_size)
  )
  table = dataclasses.replace(tables.read(folder / name), file=name)
  draft = drafting.Draft(table)
  check = commands.line('prepare', '--cohort=THIS_FILE', '--data_root=FOLDER')
  draft.lines += [
    f"# A first draft from the files in '{folder.resolve().name}': read every",
    '# line, correct it, then check it with',
    f'# {check}',
    'version = 1',
  ]
  draft.set('name', folder.resolve().name, "the folder's name")
  others = f' of {len(found)} tables' if len(found) > 1 else ''
  width = f'{len(table.columns)} columns'
  most = f'most columns{others}' if others else width
  draft.set('table', name, f'{most}, {len(table)} rows')
  for column, kind in table.nested.items():
    draft.left[column] = f'holds {kind}'
  for column in list(table.columns):
    if not draft.values(column):
      draft.leave(column, 'every value is missing')
  patient = _patient_column(draft)
  _images(draft, folder, patient)
  _patient(draft, patient)
  target = draft_labels.propose(draft)
  _fold_and_site(draft)
  draft_features.propose(draft, target)
  draft.lines += [
    'orientation = "fixed"  # "free" if flips and rotations change nothing',
    'licence = ""  # not known',
    'citation = ""  # not known',
    'notes = []',
  ]
  if draft.left:
    draft.lines.append('\n# Columns left out:')
    draft.lines += [f'#   {x}: {why}' for x, why in draft.left.items()]
  return '\n'.join(_one_line(x) for x in draft.lines + draft.tail) + '\n'


def _one_line(text: str) -> str:
  """`text` whose names and cells cannot break out of a comment."""
  start, rest = ('\n', text[1:]) if text.startswith('\n') else ('', text)
  return start + ''.join(x if x.isprintable() else ' ' for x in rest)


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
  """Paths relative to `folder`, sorted, hidden and lock files left out."""
  found = []
  for place, folders, names in os.walk(folder):
    folders[:] = sorted(x for x in folders if not x.startswith('.'))
    for name in sorted(names):
      bare = name.lower().removesuffix('.gz')
      fits = bare.endswith(suffixes) or name.lower().endswith(suffixes)
      path = os.path.join(place, name)
      if fits and not name.startswith(('.', '~$')) and os.path.isfile(path):
        found.append(os.path.relpath(path, folder))
  return found


def _width(path: pathlib.Path) -> int:
  """How many columns a table has; 0 where it cannot be read, 1 for JSON."""
  suffix = table_files.suffix_of(path)
  if suffix in table_files.JSON:  # Often settings, rarely the table.
    return 1
  try:
    if suffix in table_files.PARQUET:
      import pyarrow.parquet

      return len(pyarrow.parquet.read_schema(path).names)
    if suffix in table_files.TEXT and path.stat().st_size > _HEADER_BYTES:
      with open(path, 'rb') as f:
        text = f.read(_HEADER_BYTES).decode('utf-8', 'replace')
      text, mark, _ = text_tables.delimited(text, tabs=suffix == '.tsv')
      return len(text_tables.header(text, mark))
    return len(table_files.read(path).names)
  # Another table may do; if none does, reading the chosen one says why.
  except (errors.UserError, OSError, ValueError):
    return 0


def _images(draft, folder: pathlib.Path, patient: str) -> None:
  """Keys study and images: the column that names the files, if any."""
  names = _files(folder, _IMAGES)
  best = max(
    (x for c in draft.table.columns for x in _matches(draft, c, names)),
    key=lambda x: x.rank,
    default=None,
  )
  _study(draft, best.column if best and best.names_study else '', patient)
  if best is None:
    draft.lines.append(_no_images(folder, names))
    return
  draft.set(
    'images',
    best.pattern,
    f"{best.found} of {best.given} values of '{best.column}' name one of "
    f'{len(names)} files{best.note}',
    best.column,
  )
  if best.found < best.given:
    draft.set(
      'missing_images',
      'absent',
      f'{best.given - best.found} rows name a file that is not there',
    )


def _no_images(folder, names) -> str:
  if names:
    return f'# images: no column names the {len(names)} image files.'
  for suffix in _UNREAD_IMAGES:
    count = len(_files(folder, (suffix,)))
    if count:
      return (
        f'# images: {count} {suffix} files cannot be read; convert them to PNG.'
      )
  return '# images: no image file was found.'


@dataclasses.dataclass(frozen=True)
class _Match:
  """How the cells of a column name image files.

  Attributes:
    column: of the table.
    pattern: the value of the key images.
    found: rows whose file is there.
    given: rows whose cell is not blank.
    exact: how literally: 3 for whole paths, 2 for names, 1 for stems, 0 for
      beginnings of names.
    note: what else to say.
  """

  column: str
  pattern: str
  found: int
  given: int
  exact: int
  note: str = ''

  @property
  def rank(self):
    # Of equally many files, the most literal way leaves least to guess.
    return self.found, self.exact

  @property
  def names_study(self) -> bool:
    return self.exact < 3


def _matches(draft, column: str, names: list[str]) -> list[_Match]:
  cells = [x for x in draft.table.columns[column] if x is not None]
  if not names or not cells:
    return []
  wanted = set(cells)
  by_name, by_stem = (
    collections.defaultdict(list),
    collections.defaultdict(list),
  )
  for name in names:
    base = os.path.basename(name)
    by_name[base].append(name)
    by_stem[os.path.splitext(base)[0]].append(name)
  whole = set(names)
  firsts = {x: x.split(';')[0].strip() for x in wanted}
  field = '{' + column + '}'
  matches = []

  def add(hits, exact, pattern, files_hit):
    found = sum(x in hits for x in cells)
    # A few cells that happen to be names of files are no column of names.
    if found and found >= 0.1 * len(cells):
      folders = {os.path.dirname(x) for x in files_hit}
      note = ''
      if len(folders) > 1:
        note = f' in {len(folders)} folders: do these tell the label?'
      matches.append(_Match(column, pattern, found, len(cells), exact, note))

  paths = {x for x in wanted if firsts[x] in whole}
  add(paths, 3, column, [firsts[x] for x in paths if '/' in firsts[x]][:1])
  named = [by_name[x][0] for x in wanted if x in by_name]
  add(wanted & by_name.keys(), 2, _joined(named, field), named)
  stems = [by_stem[x][0] for x in wanted if x in by_stem]
  add(wanted & by_stem.keys(), 1, _joined(stems, field, suffix=True), stems)
  if not any((paths, named, stems)):
    begun, files_hit, mark = _beginnings(wanted, by_stem)
    pattern = _joined(files_hit, f'{field}{mark}*', suffix=True)
    add(begun, 0, pattern, files_hit)
  return matches


def _beginnings(wanted, by_stem):
  """Cells that a file's stem begins with, before a mark such as '_'."""
  pairs, marks = [], collections.Counter()
  for stem, paths in by_stem.items():
    for at, mark in enumerate(stem):
      if not mark.isalnum() and stem[:at] in wanted:
        pairs.append((stem[:at], mark, paths[0]))
        marks[mark] += 1
        break
  if not pairs:
    return set(), [], ''
  (mark, _), *_ = marks.most_common(1)
  kept = [x for x in pairs if x[1] == mark]
  return {x[0] for x in kept}, [x[2] for x in kept], mark


def _joined(paths: list[str], field: str, *, suffix: bool = False) -> str:
  """A pattern for `paths`; '*' for parts of folders that differ."""
  if not paths:
    return ''
  if suffix:
    # The most frequent suffix is taken.
    endings = collections.Counter(os.path.splitext(x)[1] for x in paths)
    field += endings.most_common(1)[0][0]
  folders = collections.Counter(os.path.dirname(x) for x in paths)
  parts = [x.split(os.sep) for x in folders]
  if len({len(x) for x in parts}) == 1:
    steps = zip(*parts, strict=True)
    place = [_star(set(x)) for x in steps]
  else:
    place = folders.most_common(1)[0][0].split(os.sep)
  return os.path.join(*place, field) if place != [''] else field


def _star(names: set[str]) -> str:
  """What `names` have in common, '*' for the rest."""
  if len(names) == 1:
    return min(names)
  return os.path.commonprefix(sorted(names)) + '*'


def _study(draft, image_column: str, patient: str) -> None:
  named = [x for x in draft.find(drafting.STUDY) if draft.is_distinct(x)]
  if image_column and draft.is_distinct(image_column):
    reason = 'names the image files and never repeats'
    draft.set('study', image_column, reason, image_column)
  elif named:
    draft.set('study', named[0], 'an id by its name, never repeats', named[0])
  elif patient and draft.is_distinct(patient):
    draft.set('study', patient, 'one row a patient', patient)
  else:
    _study_by_values(draft, patient)


def _study_by_values(draft, patient: str) -> None:
  """The first column, or else two columns, in which no value repeats."""
  columns = [x for x in draft.table.columns if x not in draft.left]
  # Measurements may happen to differ in all rows, so texts come first.
  columns.sort(key=lambda x: drafting.is_number(draft.values(x)))
  counts = next((x for x in columns if draft.counts_rows(x)), '')
  columns = [x for x in columns if x != counts]
  column = next((x for x in columns if draft.is_distinct(x)), '')
  if column:
    draft.set('study', column, 'the first column that never repeats', column)
    return
  visits = draft.find(drafting.VISIT)
  others = [x for x in columns if x not in visits]
  firsts = [patient] if patient else others[:_PAIRED]
  for second in visits + (others[:_PAIRED] if patient else []):
    for first in firsts:
      if first != second and draft.is_distinct(first, second):
        reason = 'together they never repeat'
        draft.set('study', [first, second], reason, first, second)
        return
  if counts:
    draft.set(
      'study', counts, 'no other column is distinct in all rows', counts
    )
    return
  draft.set(
    'study',
    patient or columns[0],
    'NO COLUMN IS DISTINCT IN ALL ROWS: add one that numbers the studies',
    patient or columns[0],
  )


def _patient_column(draft) -> str:
  """The column called like a patient; ids before others, '' for none."""
  found = draft.find(drafting.PATIENT)
  return min(found, key=lambda x: drafting.plain(x).count('_'), default='')


def _patient(draft, column: str) -> None:
  if not column:
    draft.set('patient', 'none', 'no column is called patient, subject, ...')
    draft.set('patient_reason', '', 'say here why: it is repeated in reports')
    return
  count = len(draft.values(column))
  draft.set('patient', column, f'by its name; {count} patients', column)
  for other in draft.find(drafting.PATIENT):
    draft.leave(other, 'looks like an id')


def _fold_and_site(draft) -> None:
  for column in draft.find(drafting.FOLD)[:1]:
    if drafting.is_number(draft.values(column)):
      draft.set('fold', column, 'by its name, whole numbers', column)
  for column in draft.find(drafting.SITE)[:1]:
    reason = 'by its name; studies of one site can be left out together'
    draft.set('site', column, reason, column)
