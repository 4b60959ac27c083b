"""Which studies an arm gets right that a single modality gets wrong."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import thresholds

REPAIRED, BROKEN = 'repaired', 'broken'
KINDS = (REPAIRED, BROKEN)


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
  """Studies of one kind, those that changed most first.

  Attributes:
    kind: 'repaired' or 'broken'.
    output: which label; 0 where there is one.
    study: (n,) str, at most as many as asked for.
    scores: by arm, (n,) what is shown of its prediction, mean over its models.
    thresholds: by arm, (n,) from where on it calls a study positive, likewise;
      NaN for tasks without.
    total: how many studies there are of this kind.
    models: (n,) how many models of the arm have predicted the study.
  """

  kind: str
  output: int
  study: np.ndarray
  scores: Mapping[str, np.ndarray]
  thresholds: Mapping[str, np.ndarray]
  total: int
  models: np.ndarray


def select(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  *,
  arm: str,
  single: str,
  count: int,
) -> list[Group]:
  """The studies that an arm gets right and the single one wrong; the reverse.

  A model's call is at the threshold of `thresholds.YOUDEN`, chosen on the
  validation part of its fold (binary, by label for multilabel), or the most
  probable class. An arm is right about a study if more than half of its models
  are that have it as a test study. Of each kind those come first whose score of
  the truth changed most, of equals by study id. For regression the absolute
  error takes the place of both.

  Args:
    task: what is predicted; not survival, where one study alone is never right
      or wrong.
    folds: of the test part, with thresholds.
    arm: the fusion arm.
    single: what it is held against.
    count: how many of each kind, at most.
  """
  standing = {a: _standing(task, folds, a) for a in (arm, single)}
  ours, theirs = standing[arm], standing[single]
  both = [s for s in sorted(ours) if s in theirs]
  found = []
  many = task.kind == types.MULTILABEL
  for output in range(task.num_outputs if many else 1):
    known = [s for s in both if not np.isnan(ours[s].truth[output])]
    score, right, shown, least = (
      {
        a: np.array([getattr(x[s], name)[output] for s in known])
        for a, x in standing.items()
      }
      for name in ('score', 'right', 'shown', 'least')
    )
    change = score[arm] - score[single]
    for kind in KINDS:
      sign = 1 if kind == REPAIRED else -1
      if task.kind == types.REGRESSION:
        able = sign * change > 0
      else:
        able = (sign * (right[arm] - 0.5) > 0) & (
          sign * (right[single] - 0.5) < 0
        )
      able = np.flatnonzero(able)
      # Stable, and `known` is sorted: ties are by study id.
      at = able[np.argsort(-sign * change[able], kind='stable')][:count]
      names = np.array(known, str)[at]
      found.append(
        Group(
          kind,
          output,
          names,
          {a: x[at] for a, x in shown.items()},
          {a: x[at] for a, x in least.items()},
          len(able),
          np.array([ours[s].models for s in names], int),
        )
      )
  return found


@dataclasses.dataclass(frozen=True)
class _Standing:
  """How an arm's models stand to one study.

  Attributes:
    truth: (l,) its labels.
    score: (k,) probability of the truth, or less the absolute error.
    right: (k,) share of models whose call is right.
    shown: (k,) probability of the label, of the true class, or the prediction.
    least: (k,) the threshold of its calls, NaN for tasks without.
    models: their number.
  """

  truth: np.ndarray
  score: np.ndarray
  right: np.ndarray
  shown: np.ndarray
  least: np.ndarray
  models: int


def _standing(task, folds, arm) -> dict[str, _Standing]:
  parts: dict[str, list] = {}
  for fold in folds:
    for seed, scores in fold.scores.get(arm, {}).items():
      values = _read(task, fold, arm, seed, scores)
      for i, study in enumerate(fold.study):
        parts.setdefault(study, []).append(
          (fold.labels[i], *(x[i] for x in values))
        )
  found = {}
  for study, models in parts.items():
    truth, *values = zip(*models, strict=True)
    found[study] = _Standing(
      truth[0], *(np.mean(x, axis=0) for x in values), len(models)
    )
  return found


def _read(task, fold, arm, seed, scores):
  """(n, k) of `_Standing`: score, right, shown and least of one model."""
  labels = fold.labels
  if task.kind == types.REGRESSION:
    error = np.abs(scores - labels)
    none = np.full_like(error, np.nan)
    return -error, none, scores, none
  if task.kind == types.MULTICLASS:
    known = ~np.isnan(labels[:, 0])
    code = np.where(known, labels[:, 0], 0).astype(int)
    own = np.take_along_axis(scores, code[:, None], axis=1)
    call = scores.argmax(axis=1)
    none = np.full_like(own, np.nan)
    return own, (call == code)[:, None].astype(float), own, none
  at = fold.thresholds[arm][seed].values[thresholds.YOUDEN]
  own = np.where(labels == 1, scores, 1 - scores)
  right = ((scores >= at) == (labels == 1)).astype(float)
  return own, right, scores, np.broadcast_to(at, scores.shape)
