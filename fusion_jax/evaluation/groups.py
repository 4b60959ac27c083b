"""The groups of studies that results are looked at in.

A group is a level of a declared column, of a pair of columns, or whether a
modality is there.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib

MIN_GROUP = 20
MIN_EVENTS = 10
AVAILABLE = 'available_'
YES, NO = 'yes', 'no'


@dataclasses.dataclass(frozen=True, eq=False)
class Groups:
  """What groups u studies are in.

  Attributes:
    study: (u,) str, sorted.
    declared: by column, (u,) str.
    available: by column, (u,) str 'yes' or 'no'; only of modalities that some
      studies have and others lack.
  """

  study: np.ndarray
  declared: Mapping[str, np.ndarray]
  available: Mapping[str, np.ndarray]

  @property
  def columns(self) -> dict[str, np.ndarray]:
    """All columns, declared ones first."""
    return {**self.declared, **self.available}

  def of(self, column: str, study: np.ndarray) -> np.ndarray:
    """(n,) str levels of the given studies."""
    return self.columns[column][np.searchsorted(self.study, study)]

  def cells(self) -> list[dict[str, str]]:
    """The groups: levels by column, then pairs of declared columns."""
    found = [
      {column: str(level)}
      for column, values in self.columns.items()
      for level in np.unique(values)
    ]
    for a, b in itertools.combinations(self.declared, 2):
      pairs = np.stack([self.declared[a], self.declared[b]], axis=1)
      found += [
        {a: str(x), b: str(y)} for x, y in np.unique(pairs, axis=0).tolist()
      ]
    return found

  def inside(self, cell: Mapping[str, str], study: np.ndarray) -> np.ndarray:
    """(n,) bool: which of the given studies are in the group."""
    rows = np.ones(len(study), bool)
    for column, level in cell.items():
      rows &= self.of(column, study) == level
    return rows


def find(predictions: predictions_lib.Predictions) -> Groups:
  """The groups of the studies that are tested."""
  tested = predictions.part == predictions_lib.TEST
  tested &= predictions.condition == predictions_lib.INTACT
  p = predictions.take(np.flatnonzero(tested))
  study, place = predictions_lib.factorize(p.study_id)
  first = np.zeros(len(study), np.int64)
  first[place[::-1]] = np.arange(len(place))[::-1]
  available = {}
  for name, x in p.available.items():
    # As for complete cases: a modality is there if it is in every row.
    everywhere = np.ones(len(study), bool)
    np.logical_and.at(everywhere, place, x)
    available[AVAILABLE + name] = np.where(everywhere, YES, NO)
  return Groups(
    study,
    {name: x[first].astype(str) for name, x in p.subgroup.items()},
    {k: x for k, x in available.items() if len(np.unique(x)) > 1},
  )


def too_few(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  min_group: int = MIN_GROUP,
  min_events: int = MIN_EVENTS,
) -> str | None:
  """Why a group is too small to be reported; None if it is not.

  Binary tasks need `min_events` studies with and without the event, survival
  with it, multiclass of two classes, multilabel with and without one label.
  Each study counts once, however many folds it is tested in.
  """
  patient = np.concatenate([f.patient for f in folds])
  return too_few_of(task, _labels(folds), patient, min_group, min_events)


def too_few_of(
  task: types.Task,
  labels: np.ndarray,
  patient: np.ndarray,
  min_group: int = MIN_GROUP,
  min_events: int = MIN_EVENTS,
) -> str | None:
  """As `too_few`, of (n, l) labels of distinct studies and their patients."""
  patients = len(np.unique(patient))
  if patients < min_group:
    return f'{patients} patients, fewer than {min_group}'
  if task.kind == types.REGRESSION:
    return None
  if task.kind == types.SURVIVAL:
    events = int((labels[:, 1] == 1).sum())
    return _fewer(events, 'events', min_events)
  if task.kind == types.BINARY:
    for value, what in ((1, 'studies with'), (0, 'studies without')):
      count = int((labels[:, 0] == value).sum())
      if count < min_events:
        return _fewer(count, f'{what} the event', min_events)
    return None
  positive = folds_lib.positives(task, labels).sum(axis=0)
  if task.kind == types.MULTICLASS:
    if (positive >= min_events).sum() < 2:
      return f'fewer than two classes with {min_events} studies each'
    return None
  negative = (labels == 0).sum(axis=0)
  if not (np.minimum(positive, negative) >= min_events).any():
    return f'no label with {min_events} studies with it and without it'
  return None


def counts(task: types.Task, folds: Sequence[folds_lib.Fold]) -> dict[str, Any]:
  """How many studies, patients and events; each study counts once."""
  once = _once(folds)
  events = folds_lib.events(task, _labels(folds))
  found = {
    'studies': len(once),
    'patients': _distinct(f.patient for f in folds),
    'events': events,
  }
  if events is None:
    found['events_reason'] = 'a regression has no events'
  return found


def _once(folds) -> np.ndarray:
  """Places of each study's first occurrence in the folds put together."""
  return np.unique(np.concatenate([f.study for f in folds]), return_index=True)[
    1
  ]


def _labels(folds) -> np.ndarray:
  return np.concatenate([f.labels for f in folds])[_once(folds)]


def _distinct(arrays) -> int:
  return len(np.unique(np.concatenate([*arrays])))


def _fewer(count: int, what: str, least: int) -> str | None:
  return f'{count} {what}, fewer than {least}' if count < least else None
