"""The table of predictions: one row per study, arm, repeat, fold and seed.

It is all that evaluation and report read, so that any statistic can be redone
without a model and other people's predictions can be evaluated as well.
docs/summary.md lists the columns of the files.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from fusion_jax.core import errors, types
from fusion_jax.evaluation import division, files

VALID = 'valid'
TEST = 'test'
PARTS = (VALID, TEST)
INTACT = 'intact'

_TEXT = ('study_id', 'patient_id', 'arm', 'part', 'condition')
_WHOLE = ('repeat', 'fold', 'seed')
_KEY = ('part', 'condition', 'repeat', 'fold', 'arm', 'seed')


@dataclasses.dataclass(frozen=True)
class Predictions:
  """Scores of n rows; a row is one study scored by one fitted model.

  Attributes:
    task: what is predicted; gives the meaning of labels and scores.
    study_id: (n,) str.
    patient_id: (n,) str.
    arm: (n,) str.
    repeat: (n,) int of repeated splits.
    fold: (n,) int.
    seed: (n,) int of the model's initialisation and batch order.
    part: (n,) str, 'valid' or 'test' of that fold.
    condition: (n,) str, 'intact' or the name of a control.
    labels: (n, l) float64, NaN where unknown (see types.Task).
    scores: (n, s) float64 (see types.Task).
    available: by modality, (n,) bool: whether the study has it.
    weight: (n,) float64 study weights, or None for equal weights.
    subgroup: by name, (n,) str.
    survival: by time as text, (n,) float64 predicted P(no event by then).
  """

  task: types.Task
  study_id: np.ndarray
  patient_id: np.ndarray
  arm: np.ndarray
  repeat: np.ndarray
  fold: np.ndarray
  seed: np.ndarray
  part: np.ndarray
  condition: np.ndarray
  labels: np.ndarray
  scores: np.ndarray
  available: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  weight: np.ndarray | None = None
  subgroup: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  survival: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    n = len(self.study_id)
    for name, column in _columns(self).items():
      if np.shape(column) != (n,):
        raise errors.UserError(
          f"Predictions: column '{name}' has shape {np.shape(column)}, "
          f'expected ({n},).'
        )
    for name, array, width in (
      ('labels', self.labels, self.task.num_labels),
      ('scores', self.scores, self.task.num_outputs),
    ):
      if np.shape(array) != (n, width):
        raise errors.UserError(
          f"Predictions: '{name}' has shape {np.shape(array)}, expected "
          f'({n}, {width}) for the {self.task.kind} task.'
        )

  def __len__(self) -> int:
    return len(self.study_id)

  @property
  def arms(self) -> tuple[str, ...]:
    """Names of the arms in the table, sorted."""
    return tuple(factorize(self.arm)[0].tolist())

  def take(self, rows: np.ndarray) -> 'Predictions':
    """The rows given by an index or a mask."""
    return _map(self, lambda column: column[rows])


def create(
  *,
  task: types.Task,
  study_id: np.ndarray,
  patient_id: np.ndarray,
  arm: str | np.ndarray,
  labels: np.ndarray,
  scores: np.ndarray,
  repeat: int | np.ndarray = 0,
  fold: int | np.ndarray = 0,
  seed: int | np.ndarray = 0,
  part: str | np.ndarray = TEST,
  condition: str | np.ndarray = INTACT,
  available: Mapping[str, np.ndarray] | None = None,
  weight: np.ndarray | None = None,
  subgroup: Mapping[str, np.ndarray] | None = None,
  survival: Mapping[str, np.ndarray] | None = None,
) -> Predictions:
  """Predictions of n rows, repeating whatever is given once.

  Labels and scores may be (n,) where they have one column.

  Raises:
    UserError: if the shapes do not fit each other or the task.
  """
  n = len(study_id)

  def full(value, dtype):
    value = np.asarray(value)
    value = value.astype(str) if dtype is str else value.astype(dtype)
    return np.full(n, value) if value.ndim == 0 else value

  def matrix(value):
    value = np.asarray(value, np.float64)
    return value[:, None] if value.ndim == 1 else value

  def columns(value, dtype):
    return {k: full(v, dtype) for k, v in (value or {}).items()}

  return Predictions(
    task=task,
    study_id=full(study_id, str),
    patient_id=full(patient_id, str),
    arm=full(arm, str),
    repeat=full(repeat, np.int64),
    fold=full(fold, np.int64),
    seed=full(seed, np.int64),
    part=full(part, str),
    condition=full(condition, str),
    labels=matrix(labels),
    scores=matrix(scores),
    available=columns(available, bool),
    weight=None if weight is None else full(weight, np.float64),
    subgroup=columns(subgroup, str),
    survival=columns(survival, np.float64),
  )


def concat(tables: Sequence[Predictions]) -> Predictions:
  """The rows of all tables, in order.

  Where some tables have weights, the others get weight 1.

  Raises:
    UserError: if there is no table, or if the tasks, modalities, subgroups or
      survival times of two tables differ.
  """
  if not tables:
    raise errors.UserError('There are no predictions to put together.')
  first = tables[0]
  for table in tables[1:]:
    for what, here, there in (
      ('task', first.task, table.task),
      ('modalities', set(first.available), set(table.available)),
      ('subgroups', set(first.subgroup), set(table.subgroup)),
      ('survival times', set(first.survival), set(table.survival)),
    ):
      if here != there:
        raise errors.UserError(
          f'Predictions of different {what} cannot be put together: '
          f'{_shown(here)} and {_shown(there)}.'
        )
  if any(t.weight is not None for t in tables):
    tables = [
      t
      if t.weight is not None
      else dataclasses.replace(t, weight=np.ones(len(t)))
      for t in tables
    ]
  return _map(tables[0], lambda *columns: np.concatenate(columns), *tables[1:])


def read(
  path: str | os.PathLike, *, task: types.Task | None = None
) -> Predictions:
  """Reads and checks a `.parquet` or `.csv` file of predictions.

  Args:
    path: the file.
    task: what is predicted; taken from the file if None: from its metadata if
      this library wrote it, else from its columns (a `label` of only 0 and 1
      is then binary, any other regression).

  Raises:
    UserError: if the file cannot be read, a column is missing or of the wrong
      type, or the table fails `check`.
  """
  predictions = create(**files.read(pathlib.Path(path), task).columns)
  check(predictions, where=f"'{path}'")
  return predictions


def write(predictions: Predictions, path: str | os.PathLike) -> None:
  """Writes the table as Parquet, or as CSV if `path` ends in `.csv`.

  The file appears at once and complete, or not at all.

  Raises:
    UserError: if the file cannot be written.
  """
  p = predictions
  columns = {name: getattr(p, name) for name in (*_TEXT, *_WHOLE)}
  for i, name in enumerate(p.task.label_columns):
    columns[name] = p.labels[:, i]
  if p.task.kind == types.MULTICLASS:
    names = np.array([*p.task.names, None], object)
    unknown = np.isnan(p.labels[:, 0])
    columns['label'] = names[np.where(unknown, -1, p.labels[:, 0]).astype(int)]
  for i, name in enumerate(p.task.score_columns):
    columns[name] = p.scores[:, i]
  files.write(pathlib.Path(path), p.task, {**columns, **_columns(p)})


def factorize(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Sorted distinct values (u,) and the (n,) int64 place of each in them."""
  values = np.asarray(values)
  if values.dtype.kind not in 'UO':
    levels, places = np.unique(values, return_inverse=True)
    return levels, places.reshape(-1)
  # Hashing beats sorting by far for millions of strings.
  encoded = pa.array(values, pa.string()).dictionary_encode()
  levels = np.array(encoded.dictionary.to_pylist(), dtype=str)
  order = np.argsort(levels, kind='stable')
  rank = np.empty(len(order), np.int64)
  rank[order] = np.arange(len(order))
  return levels[order], rank[encoded.indices.to_numpy()]


def check(predictions: Predictions, *, where: str = 'predictions') -> None:
  """Checks that the table can be evaluated.

  Args:
    predictions: the table.
    where: where it came from, for the messages.

  Raises:
    UserError: for an empty table, unknown parts, labels or scores that are
      not of the task, a study with two patients, labels, weights or subgroups,
      duplicate rows, models of one fold that do not cover the same studies,
      and folds that divide the studies as `division.faults` does not allow.
  """
  if not len(predictions):
    raise errors.UserError(f'{where}: there are no predictions.')
  if len(predictions.arms) > types.MOST_ARMS:
    raise errors.UserError(
      f'{where}: {len(predictions.arms)} arms; at most {types.MOST_ARMS} can '
      'be compared at once.'
    )
  problems = [
    *_part_problems(predictions),
    *_score_problems(predictions),
    *_label_problems(predictions),
  ]
  if not problems:
    problems = [
      *_study_problems(predictions),
      *_key_problems(predictions),
      *_division_problems(predictions),
    ]
  if len(problems) == 1:
    raise errors.UserError(f'{where}: {problems[0]}')
  if problems:
    raise errors.ProblemsError(f'{where} cannot be evaluated:', problems)


def _columns(p: Predictions) -> dict[str, np.ndarray]:
  columns = {name: getattr(p, name) for name in (*_TEXT, *_WHOLE)}
  if p.weight is not None:
    columns['weight'] = p.weight
  for kind in ('available', 'subgroup', 'survival'):
    for name, column in getattr(p, kind).items():
      columns[f'{kind}_{name}'] = column
  return columns


def _map(first: Predictions, function, *rest: Predictions) -> Predictions:
  """Applies `function` to each column of the tables, side by side."""
  tables = (first, *rest)

  def of(name):
    return function(*(getattr(t, name) for t in tables))

  def mapped(kind):
    return {
      name: function(*(getattr(t, kind)[name] for t in tables))
      for name in getattr(first, kind)
    }

  return Predictions(
    task=first.task,
    **{name: of(name) for name in (*_TEXT, *_WHOLE, 'labels', 'scores')},
    weight=None if first.weight is None else of('weight'),
    available=mapped('available'),
    subgroup=mapped('subgroup'),
    survival=mapped('survival'),
  )


def _shown(value: Any) -> str:
  if isinstance(value, types.Task):
    return f'{value.kind} of {", ".join(value.names)}'
  return ', '.join(sorted(value)) or 'none'


def _row(p: Predictions, row: int) -> str:
  return (
    f"study '{p.study_id[row]}', arm '{p.arm[row]}', repeat {p.repeat[row]}, "
    f'fold {p.fold[row]}, seed {p.seed[row]}'
  )


def _first(bad: np.ndarray) -> int:
  return int(np.argmax(bad))


def _part_problems(p: Predictions):
  unknown = [x for x in factorize(p.part)[0] if x not in PARTS]
  if unknown:
    yield (
      f"unknown part '{unknown[0]}'; known parts: {', '.join(PARTS)}. Other "
      'words (train, val) are read with --part_column=part.'
    )
  elif not np.any((p.part == TEST) & (p.condition == INTACT)):
    yield "no row has part 'test' and condition 'intact'."


def _score_problems(p: Predictions):
  bad = ~np.isfinite(p.scores).all(axis=1)
  if bad.any():
    yield (
      f'{bad.sum()} of {len(p)} rows have a missing or infinite score; the '
      f'first is {_row(p, _first(bad))}.'
    )
    return
  if p.task.kind in (types.REGRESSION, types.SURVIVAL):
    bad = (np.abs(p.scores) > types.LARGEST).any(axis=1)
    if bad.any():
      row = _first(bad)
      yield (
        f'{_row(p, row)} has score {p.scores[row, 0]:g}; expected a number of '
        f'at most {types.LARGEST:g} in size.'
      )
  if p.task.kind in (types.BINARY, types.MULTICLASS, types.MULTILABEL):
    bad = ((p.scores < 0) | (p.scores > 1)).any(axis=1)
    if bad.any():
      row = _first(bad)
      yield (
        f'scores of a {p.task.kind} task are probabilities, but '
        f'{_row(p, row)} has {p.scores[row].tolist()}.'
      )
  if p.task.kind == types.MULTICLASS:
    bad = np.abs(p.scores.sum(axis=1) - 1) > 1e-3
    if bad.any():
      row = _first(bad)
      yield (
        f'the class probabilities of {_row(p, row)} sum to '
        f'{p.scores[row].sum():.4g}, not 1.'
      )


def _label_problems(p: Predictions):
  known = ~np.isnan(p.labels)
  kind = p.task.kind
  if kind in (types.BINARY, types.MULTILABEL):
    legal, bad = '0 or 1', known & ~np.isin(p.labels, (0, 1))
  elif kind == types.MULTICLASS:
    k = p.task.num_outputs
    legal = f'a class code from 0 to {k - 1}'
    bad = known & ~np.isin(p.labels, np.arange(k))
  elif kind == types.SURVIVAL:
    legal = f'a time from 0 to {types.LARGEST:g} and an event of 0 or 1'
    time = p.labels[:, :1]
    legal_time = (time >= 0) & (time <= types.LARGEST)
    bad = known & ~np.hstack([legal_time, np.isin(p.labels[:, 1:], (0, 1))])
  else:
    legal = f'a number of at most {types.LARGEST:g} in size'
    bad = known & ~(np.abs(p.labels) <= types.LARGEST)
  bad = bad.any(axis=1)
  if bad.any():
    row = _first(bad)
    yield (
      f'{_row(p, row)} has label {p.labels[row].tolist()}; expected {legal}.'
    )
  if p.weight is not None:
    least, most = types.WEIGHTS
    bad = ~((p.weight >= least) & (p.weight <= most) | (p.weight == 0))
    if bad.any():
      row = _first(bad)
      yield (
        f'{_row(p, row)} has weight {p.weight[row]}; expected 0 or a number '
        f'from {least:g} to {most:g}.'
      )
    elif not p.weight.any():
      yield 'every weight is 0.'


def _study_problems(p: Predictions):
  """What belongs to a study must be the same wherever the study occurs."""
  studies, study = factorize(p.study_id)
  first = np.zeros(len(studies), np.int64)
  first[study[::-1]] = np.arange(len(study))[::-1]
  same_labels = p.labels == p.labels[first][study]
  same_labels |= np.isnan(p.labels) & np.isnan(p.labels[first][study])
  differing = {
    'patients': factorize(p.patient_id)[1],
    'labels': None,
    'weights': p.weight,
    **{f'subgroups {k!r}': factorize(v)[1] for k, v in p.subgroup.items()},
  }
  for what, column in differing.items():
    if what == 'labels':
      bad = ~same_labels.all(axis=1)
    elif column is None:
      continue
    else:
      bad = column != column[first][study]
    if bad.any():
      row = _first(bad)
      start = first[study[row]]
      yield (
        f"study '{p.study_id[row]}' has different {what}: arm "
        f"'{p.arm[start]}' (fold {p.fold[start]}) and arm '{p.arm[row]}' "
        f'(fold {p.fold[row]}) disagree.'
      )


def _key_problems(p: Predictions):
  """Duplicate rows, and models of a fold that cover different studies."""
  _, study = factorize(p.study_id)
  # A model is one (part, condition, repeat, fold, arm, seed); the first four
  # make the cell in which all models must score the same studies.
  model = np.zeros(len(p), np.int64)
  cell = model
  for name in _KEY:
    levels, place = factorize(getattr(p, name))
    model = factorize(model * len(levels) + place)[1]
    if name == 'fold':
      cell = model
  order = np.lexsort((study, model))
  twice = (np.diff(study[order]) == 0) & (np.diff(model[order]) == 0)
  if twice.any():
    yield f'{_row(p, order[_first(twice)])} occurs more than once.'
    return
  starts = np.flatnonzero(np.diff(model[order], prepend=-1))
  leaders: dict[int, np.ndarray] = {}
  for rows in np.split(order, starts[1:]):
    leader = leaders.setdefault(int(cell[rows[0]]), rows)
    if np.array_equal(study[rows], study[leader]):
      continue
    odd = np.setxor1d(study[rows], study[leader])[0]
    has, lacks = (rows, leader) if odd in study[rows] else (leader, rows)
    row, other = has[study[has] == odd][0], lacks[0]
    yield (
      f'{_row(p, row)}, part {p.part[row]}: this study is missing for arm '
      f"'{p.arm[other]}', seed {p.seed[other]}; all arms must cover the same "
      f'studies of a fold.'
    )
    return


def _division_problems(p: Predictions):
  studies, study = factorize(p.study_id)
  yield from division.faults(
    studies,
    study=study,
    repeat=p.repeat,
    fold=p.fold,
    test=p.part == TEST,
    valid=p.part == VALID,
  )
