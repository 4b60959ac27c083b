"""The predictions of one fold, arranged study by study for all its models."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import errors, types
from fusion_jax.evaluation import predictions as predictions_lib


@dataclasses.dataclass(frozen=True)
class OperatingPoints:
  """Thresholds of one model, chosen on its validation part.

  Attributes:
    values: by rule (see thresholds.py), (k,) float64, one per label; NaN
      where there is none.
    reasons: by rule, (k,) why the rule had no answer; empty where it had one.
  """

  values: Mapping[str, np.ndarray]
  reasons: Mapping[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Fold:
  """One part of one fold: n studies and the scores of every model on them.

  Attributes:
    repeat: number of the repeated split.
    fold: number of the fold.
    study: (n,) str, sorted.
    patient: (n,) str.
    labels: (n, l) float64, NaN where unknown.
    weight: (n,) float64 study weights.
    complete: (n,) bool: whether the study has all modalities.
    scores: by arm and seed, (n, s) float64.
    thresholds: by arm and seed, filled by `thresholds.attach`.
    survival: by arm and seed, (n, t) predicted P(no event up to horizon); NaN
      where a model predicts none.
    horizons: (t,) the horizons' names, rising.
  """

  repeat: int
  fold: int
  study: np.ndarray
  patient: np.ndarray
  labels: np.ndarray
  weight: np.ndarray
  complete: np.ndarray
  scores: Mapping[str, Mapping[int, np.ndarray]]
  thresholds: Mapping[str, Mapping[int, OperatingPoints]] = dataclasses.field(
    default_factory=dict
  )
  survival: Mapping[str, Mapping[int, np.ndarray]] = dataclasses.field(
    default_factory=dict
  )
  horizons: tuple[str, ...] = ()

  def of_model(self, arm: str, seed: int) -> dict[str, Any]:
    """What `metrics` may use of a model besides its scores, by keyword."""
    return {
      'points': self.thresholds.get(arm, {}).get(seed),
      'survival_at': self.survival.get(arm, {}).get(seed),
      'horizons': self.horizons,
    }

  def take(self, rows: np.ndarray) -> 'Fold':
    """The studies given by an index or a mask."""
    return dataclasses.replace(
      self,
      study=self.study[rows],
      patient=self.patient[rows],
      labels=self.labels[rows],
      weight=self.weight[rows],
      complete=self.complete[rows],
      scores=_rows(self.scores, rows),
      survival=_rows(self.survival, rows),
    )


def arrange(
  predictions: predictions_lib.Predictions,
  part: str = predictions_lib.TEST,
  condition: str = predictions_lib.INTACT,
) -> tuple[Fold, ...]:
  """The folds of one part and condition, in order of repeat and fold.

  Nothing depends on the order of the rows. The table must pass
  `predictions.check`.

  Raises:
    UserError: for a column survival_<t> whose t is no positive number.
  """
  times = _horizons(predictions)
  p = predictions.take(
    np.flatnonzero(
      (predictions.part == part) & (predictions.condition == condition)
    )
  )
  if not len(p):
    return ()
  keys = [p.repeat, p.fold, predictions_lib.factorize(p.arm)[1], p.seed]
  study = predictions_lib.factorize(p.study_id)[1]
  order = np.lexsort((study, *reversed(keys)))
  p, keys = p.take(order), [k[order] for k in keys]
  complete = np.ones(len(p), bool)
  for available in p.available.values():
    complete &= available

  def starts(columns):
    changed = np.zeros(len(p), bool)
    changed[0] = True
    for column in columns:
      changed[1:] |= np.diff(column) != 0
    return np.flatnonzero(changed)

  models = starts(keys)
  found = []
  for lo, hi in _spans(starts(keys[:2]), len(p)):
    inside = models[(models >= lo) & (models < hi)]
    scores: dict[str, dict[int, np.ndarray]] = {}
    curves: dict[str, dict[int, np.ndarray]] = {}
    everywhere = True
    for start, end in _spans(inside, hi):
      arm, seed = str(p.arm[start]), int(p.seed[start])
      scores.setdefault(arm, {})[seed] = p.scores[start:end]
      if times:
        curves.setdefault(arm, {})[seed] = np.stack(
          [p.survival[t][start:end] for t in times], axis=1
        )
      everywhere = everywhere & complete[start:end]
    rows = slice(lo, lo + len(everywhere))
    weight = None if p.weight is None else p.weight[rows]
    found.append(
      Fold(
        repeat=int(p.repeat[lo]),
        fold=int(p.fold[lo]),
        study=p.study_id[rows],
        patient=p.patient_id[rows],
        labels=p.labels[rows],
        weight=np.ones(len(everywhere)) if weight is None else weight,
        complete=everywhere,
        scores=scores,
        survival=curves,
        horizons=times,
      )
    )
  return tuple(found)


def horizons(folds: Sequence[Fold]) -> tuple[str, ...]:
  """The horizons for which survival was predicted, rising."""
  return folds[0].horizons if folds else ()


def events(task: types.Task, labels: np.ndarray) -> int | dict[str, int] | None:
  """How many of the studies have the event, by class or label if several.

  Args:
    task: what is predicted.
    labels: (n, l), NaN where unknown.

  Returns:
    A count for binary and survival, counts by name for multiclass and
    multilabel, None for regression.
  """
  if task.kind == types.REGRESSION:
    return None
  if task.kind == types.SURVIVAL:
    return int((labels[:, 1] == 1).sum())
  if task.kind == types.BINARY:
    return int((labels[:, 0] == 1).sum())
  positive = positives(task, labels)
  return {name: int(positive[:, i].sum()) for i, name in enumerate(task.names)}


def positives(task: types.Task, labels: np.ndarray) -> np.ndarray:
  """(n, k) bool: who is positive for each class or label."""
  if task.kind == types.MULTICLASS:
    return labels == np.arange(task.num_outputs)
  return labels == 1


def _rows(by_arm, rows):
  return {
    arm: {seed: array[rows] for seed, array in by_seed.items()}
    for arm, by_seed in by_arm.items()
  }


def _horizons(predictions) -> tuple[str, ...]:
  times = {}
  for name in predictions.survival:
    try:
      times[name] = float(name)
    except ValueError:
      times[name] = np.nan
    if not 0 < times[name] < np.inf:
      raise errors.UserError(
        f"Predictions: column 'survival_{name}': expected a positive time "
        f'after the underscore, as in survival_365.'
      )
  return tuple(sorted(times, key=times.get))


def _spans(starts, end):
  return zip(starts, [*starts[1:], end], strict=True)
