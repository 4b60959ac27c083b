"""Files of predictions: Parquet and CSV to arrays and back."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from fusion_jax.core import (
  documents,
  errors,
  plain,
  spellings,
  text_tables,
  types,
)
from fusion_jax.core import files as core_files
from fusion_jax.evaluation import part_column as parts_lib

_METADATA = b'fusion_jax'
_VERSION = 1
# Beyond this not every whole number is a float64.
_LARGEST = 2**53
_WHOLE = ('repeat', 'fold', 'seed')
_OPTIONAL = (*_WHOLE, 'part', 'condition')
_TEXT = ('study_id', 'patient_id', 'arm', 'part', 'condition', 'label')
_SCORE = 'score_'
_LABEL = 'label_'
_GROUPED = ('available_', 'subgroup_', 'survival_')


@dataclasses.dataclass(frozen=True)
class Content:
  """What a file of predictions holds.

  Attributes:
    columns: keyword arguments of `predictions.create`.
    unused: columns that nothing is read from.
  """

  columns: dict[str, Any]
  unused: tuple[str, ...]


def read(
  path: pathlib.Path, task: types.Task | None, *, part_column: str = ''
) -> Content:
  """Reads a file of predictions.

  Args:
    path: a `.parquet` or `.csv` file.
    task: what is predicted; taken from the file if None: from its metadata if
      this library wrote it, else from its columns (a `label` of only 0 and 1
      is then binary, any other regression).
    part_column: the column that says of which part a row is, as
      `part_column.mapped` takes it; empty for the column `part` as it is.

  Raises:
    UserError: if the file cannot be read, a column is missing or of the wrong
      type, or one that is not used says of a row another part.
  """
  table = _open(path)
  for name in table.column_names:
    if table.column_names.count(name) > 1:
      raise errors.UserError(f"'{path}' has several columns '{name}'.")
  if path.suffix.lower() == '.csv':
    table = _from_sheet(table)
  return _from_arrow(table, task or _task_of(table, path), path, part_column)


def write(
  path: pathlib.Path, task: types.Task, columns: Mapping[str, np.ndarray]
) -> None:
  """Writes (n,) columns as Parquet, or as CSV if `path` ends in `.csv`.

  The file is its owner's alone.

  Raises:
    UserError: if the file cannot be written.
  """
  metadata = {
    'version': _VERSION,
    'task': {'kind': task.kind, 'names': list(task.names)},
  }
  csv = path.suffix.lower() == '.csv'
  if csv:
    columns = {k: _mapped(v, plain.in_sheet) for k, v in columns.items()}
  table = pa.table({k: _arrow(v) for k, v in columns.items()})
  table = table.replace_schema_metadata({_METADATA: json.dumps(metadata)})
  save = pyarrow.csv.write_csv if csv else pyarrow.parquet.write_table
  with core_files.saving(path, mode=core_files.PRIVATE) as part:
    save(table, part)


def _mapped(column: np.ndarray, change) -> np.ndarray:
  """A column, `change` applied to every text."""
  if column.dtype.kind not in 'UO':
    return column
  return np.array([x if x is None else change(x) for x in column], object)


def _arrow(column: np.ndarray) -> pa.Array:
  if column.dtype.kind in 'UO':
    return pa.array(column, pa.string())
  # Unknown labels are blank in CSV and null in Parquet.
  return pa.array(column, from_pandas=column.dtype.kind == 'f')


def _open(path: pathlib.Path) -> pa.Table:
  if not core_files.regular(path).is_file():
    raise errors.UserError(f"No such file of predictions: '{path}'.")
  suffix = path.with_name(path.name.lower().removesuffix('.gz')).suffix
  try:
    if suffix == '.parquet':
      return pyarrow.parquet.read_table(path)
    if suffix == '.csv':
      body, delimiter, _ = text_tables.delimited(text_tables.decode(path))
      names = text_tables.header(body, delimiter)
      text = [n for n in names if n in _TEXT or n.startswith('subgroup_')]
      return pyarrow.csv.read_csv(
        pa.BufferReader(body.encode()),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
        convert_options=pyarrow.csv.ConvertOptions(
          column_types=dict.fromkeys(text, pa.string()), null_values=['']
        ),
      )
  except (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    OSError,
    UnicodeDecodeError,
  ) as e:
    reason = str(e).splitlines()[0]
    raise errors.UserError(f"'{path}' cannot be read: {reason}") from None
  raise errors.UserError(
    f"'{path}': predictions are read from .parquet or .csv files, not "
    f"'{path.suffix}'."
  )


def _from_sheet(table: pa.Table) -> pa.Table:
  """Takes away the quotes that `write` puts before formulas."""
  for at, name in enumerate(table.column_names):
    if pa.types.is_string(table.schema.types[at]):
      cells = table.column(at).to_pylist()
      if any(x and x[0] == "'" for x in cells):
        cells = [x and plain.from_sheet(x) for x in cells]
        table = table.set_column(at, name, pa.array(cells, pa.string()))
  return table


def _task_of(table: pa.Table, path: pathlib.Path) -> types.Task:
  metadata = (table.schema.metadata or {}).get(_METADATA)
  if metadata is not None:
    return _stored_task(metadata, path)
  names = table.column_names
  scores = [n.removeprefix(_SCORE) for n in names if n.startswith(_SCORE)]
  labels = [n.removeprefix(_LABEL) for n in names if n.startswith(_LABEL)]
  if 'time' in names and 'event' in names:
    return types.Task(types.SURVIVAL, ('time', 'event'))
  if scores and labels:
    return types.Task(types.MULTILABEL, tuple(labels))
  if scores:
    return types.Task(types.MULTICLASS, tuple(scores))
  values = _floats(table, 'label', path)
  known = np.unique(values[~np.isnan(values)])
  if np.isin(known, (0, 1)).all():
    return types.Task(types.BINARY, ('label',))
  if len(known) == 2:
    raise errors.UserError(
      f"'{path}': label is {known[0]:g} or {known[1]:g}; a binary label is 0 "
      'or 1.'
    )
  return types.Task(types.REGRESSION, ('label',))


def _stored_task(metadata: bytes, path: pathlib.Path) -> types.Task:
  """What `write` noted of the task."""
  where = f'{path}, metadata'
  stored = documents.parse(metadata, documents.JSON, where=where)
  version = stored.get('version') if isinstance(stored, dict) else None
  if version != _VERSION:
    raise errors.UserError(
      f"'{path}' has version {version} of the predictions format; this library "
      f'reads version {_VERSION}.'
    )
  task = stored.get('task')
  task = task if isinstance(task, dict) else {}
  kind, names = task.get('kind'), task.get('names')
  listed = isinstance(names, list) and all(isinstance(x, str) for x in names)
  if kind not in types.TASK_KINDS or not listed or not names:
    raise errors.UserError(
      f"'{where}': expected a task with a kind ({', '.join(types.TASK_KINDS)}) "
      'and names; take the metadata away, or write the file anew.'
    )
  return types.Task(kind, tuple(names))


def _from_arrow(
  table: pa.Table, task: types.Task, path: pathlib.Path, part_column: str
) -> Content:
  names = table.column_names
  needed = ['study_id', 'patient_id', 'arm']
  needed += [*task.label_columns, *task.score_columns]
  missing = [n for n in needed if n not in names]
  if missing:
    raise errors.UserError(
      f"'{path}' has no column {_quoted(missing)}; a {task.kind} table needs "
      f'{", ".join(needed)}.'
    )
  _check_spelling(names, path)
  values = {}
  if part_column:
    values['part'] = parts_lib.mapped(table, part_column, path)
  for name in _OPTIONAL:
    if name in names and name not in values:
      values[name] = (_wholes if name in _WHOLE else _strings)(
        table, name, path
      )
  if task.kind == types.MULTICLASS:
    labels = _class_codes(table, task, path)[:, None]
  else:
    labels = _stack(table, task.label_columns, path)

  def group(prefix, read_column):
    return {
      n.removeprefix(prefix): read_column(table, n, path)
      for n in names
      if n.startswith(prefix)
    }

  column = parts_lib.column_of(part_column)
  used = {*needed, *_OPTIONAL, 'weight', column}
  if column and column != 'part':
    used.remove('part')
  unused = tuple(
    x for x in names if x not in used and not x.startswith(_GROUPED)
  )
  part = values.get('part', np.full(len(table), parts_lib.TEST))
  parts_lib.check(table, unused, part, path, declared='part' in values)
  columns = dict(
    task=task,
    study_id=_strings(table, 'study_id', path),
    patient_id=_strings(table, 'patient_id', path),
    arm=_strings(table, 'arm', path),
    labels=labels,
    scores=_stack(table, task.score_columns, path),
    available=group('available_', _booleans),
    weight=_floats(table, 'weight', path) if 'weight' in names else None,
    subgroup=group('subgroup_', _labels_of_groups),
    survival=group('survival_', _floats),
    **values,
  )
  return Content(columns, unused)


def _quoted(names) -> str:
  return ', '.join(f"'{n}'" for n in names)


def _check_spelling(names, path) -> None:
  """Extra columns are left alone unless they look like a mistyped one."""
  known = (*_OPTIONAL, 'weight')
  for name in names:
    bare = re.sub(r'[^a-z]', '', name.lower()).removesuffix('s')
    if name not in known and bare in known:
      raise errors.UserError(
        f"'{path}': unknown column '{name}'. Did you mean '{bare}'?"
      )


def _stack(table, names, path) -> np.ndarray:
  return np.stack([_floats(table, n, path) for n in names], axis=1)


def _floats(table: pa.Table, name: str, path) -> np.ndarray:
  if name not in table.column_names:
    raise errors.UserError(
      f"'{path}' has no column '{name}'; it has {_quoted(table.column_names)}."
    )
  column = table.column(name)
  kind = column.type
  if pa.types.is_dictionary(kind):
    column = column.cast(pa.string())
    kind = column.type
  if pa.types.is_string(kind) or pa.types.is_large_string(kind):
    values = np.empty(len(column))
    for row, text in enumerate(column.to_pylist()):
      try:
        values[row] = float(text) if text else np.nan
      except ValueError:
        hint = ''
        if re.fullmatch(r'[-+]?\d*,\d+', text):
          hint = ' Write decimal points, not commas.'
        raise errors.UserError(
          f"'{path}', row {row + 1}, column '{name}': expected a number, got "
          f"'{text}'.{hint}"
        ) from None
    return values
  if pa.types.is_null(kind):
    return np.full(len(column), np.nan)
  try:
    column = column.cast(pa.float64())
  except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
    raise errors.UserError(
      f"'{path}': column '{name}' holds {kind}, expected numbers."
    ) from None
  return column.to_numpy()


def _wholes(table, name, path) -> np.ndarray:
  values = _floats(table, name, path)
  bad = ~((np.abs(values) <= _LARGEST) & (values == np.floor(values)))
  if bad.any():
    row = int(np.argmax(bad))
    raise errors.UserError(
      f"'{path}', row {row + 1}, column '{name}': expected a whole number, "
      f'got {values[row]}.'
    )
  return values.astype(np.int64)


def _strings(table, name, path) -> np.ndarray:
  column = table.column(name).cast(pa.string())
  if column.null_count or pc.any(pc.equal(column, '')).as_py():
    blank = pc.fill_null(pc.equal(pc.fill_null(column, ''), ''), True)
    row = int(np.argmax(blank.to_numpy()))
    raise errors.UserError(f"'{path}', row {row + 1}: '{name}' is blank.")
  return np.array(column.to_pylist(), dtype=str)


def _labels_of_groups(table, name, path) -> np.ndarray:
  column = pc.fill_null(table.column(name).cast(pa.string()), '')
  return np.array(column.to_pylist(), dtype=str)


def _booleans(table, name, path) -> np.ndarray:
  column = table.column(name)
  if pa.types.is_boolean(column.type) and not column.null_count:
    return column.to_numpy()
  values = _floats(table, name, path)
  bad = ~np.isin(values, (0, 1))
  if bad.any():
    raise errors.UserError(
      f"'{path}', row {int(np.argmax(bad)) + 1}, column '{name}': expected "
      f'true or false.'
    )
  return values.astype(bool)


def _class_codes(table, task, path) -> np.ndarray:
  """(n,) float64 places of the labels among the classes, NaN where blank."""
  labels = pc.fill_null(table.column('label').cast(pa.string()), '').to_pylist()
  cells = np.array([x or None for x in labels], object)
  if not {x for x in labels if x} <= set(task.names):
    # Writers add '.0' where a column has gaps, to labels or to column names.
    cells = spellings.unify(cells)
  classes = {x: i for i, x in enumerate(task.names)}
  meant = spellings.match(classes, {x for x in cells if x is not None})
  codes = {cell: classes[name] for name, cell in meant.items()}
  for row, cell in enumerate(cells):
    if cell is not None and cell not in codes:
      raise errors.unknown_name(
        'class', labels[row], task.names, where=f"'{path}', row {row + 1}"
      )
  return np.array([codes.get(x, np.nan) for x in cells], np.float64)
