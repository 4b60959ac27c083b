"""Operating points: thresholds chosen on validation scores, never on test."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib

YOUDEN = 'youden'
SPECIFICITY_90 = 'specificity_90'
SENSITIVITY_90 = 'sensitivity_90'
RULES = (YOUDEN, SPECIFICITY_90, SENSITIVITY_90)

FALLBACK = 0.5
_LEVEL = 0.9
_ROUNDING = 1e-9


def choose(
  rule: str,
  positive: np.ndarray,
  scores: np.ndarray,
  weight: np.ndarray | None = None,
) -> tuple[float, str]:
  """The threshold t of a rule; a study is called positive if score >= t.

  Candidates are the distinct scores and one above them all (nobody is
  called). `youden` has the largest sensitivity + specificity - 1 (Youden,
  1950, Cancer 3, 32-35), of equals the lowest. `specificity_90` is the lowest
  with specificity >= .9, `sensitivity_90` the highest with sensitivity >= .9.
  Constant scores have two candidates: all called and none called.

  Args:
    rule: one of RULES.
    positive: (n,) bool.
    scores: (n,) probabilities.
    weight: (n,) study weights, or None for ones.

  Returns:
    The threshold and '', or NaN and the reason why there is none: a class the
    rule needs has no study with weight.
  """
  weight = np.ones(len(scores)) if weight is None else np.asarray(weight)
  kept = weight > 0
  positive, scores, weight = positive[kept], scores[kept], weight[kept]
  n = len(scores)
  if not n:
    return np.nan, 'no validation study has a known label'
  if rule != SPECIFICITY_90 and not positive.any():
    return np.nan, f'none of {n} validation studies is positive'
  if rule != SENSITIVITY_90 and positive.all():
    return np.nan, f'all {n} validation studies are positive'
  levels, group = np.unique(scores, return_inverse=True)
  candidates = np.append(levels, np.nextafter(levels[-1], np.inf))

  def called(rows):
    """Share of the rows' weight at or above each candidate."""
    mass = np.bincount(group[rows], weights=weight[rows], minlength=len(levels))
    above = np.append(np.cumsum(mass[::-1])[::-1], 0)
    return above / max(above[0], np.finfo(np.float64).tiny)

  sensitivity, specificity = called(positive), 1 - called(~positive)
  if rule == SPECIFICITY_90:
    return candidates[np.argmax(specificity >= _LEVEL - _ROUNDING)], ''
  if rule == SENSITIVITY_90:
    enough = np.flatnonzero(sensitivity >= _LEVEL - _ROUNDING)
    return candidates[enough[-1]], ''
  gain = sensitivity + specificity
  return candidates[np.argmax(gain >= gain.max() - _ROUNDING)], ''


def points(
  task: types.Task,
  labels: np.ndarray,
  scores: np.ndarray,
  weight: np.ndarray | None = None,
) -> folds_lib.OperatingPoints:
  """The thresholds of all rules, one per label, from validation scores.

  Args:
    task: a binary or multilabel task.
    labels: (n, l) of the validation part, NaN where unknown.
    scores: (n, l) of one model on the validation part.
    weight: (n,) study weights, or None for ones.
  """
  weight = np.ones(len(labels)) if weight is None else np.asarray(weight)
  values, reasons = {}, {}
  for rule in RULES:
    found = []
    for i in range(task.num_outputs):
      rows = ~np.isnan(labels[:, i])
      found.append(
        choose(rule, labels[rows, i] > 0, scores[rows, i], weight[rows])
      )
    values[rule] = np.array([t for t, _ in found])
    reasons[rule] = tuple(reason for _, reason in found)
  return _with_fallback(values, reasons)


def without(task: types.Task, reason: str) -> folds_lib.OperatingPoints:
  """The operating points of a model that has none, for the reason given.

  The threshold of `youden` is then .5; the others stay undefined, as the
  sensitivity at some other specificity is another metric.
  """
  k = task.num_outputs
  return _with_fallback(
    {rule: np.full(k, np.nan) for rule in RULES},
    {rule: (reason,) * k for rule in RULES},
  )


def attach(
  task: types.Task,
  test: Sequence[folds_lib.Fold],
  valid: Sequence[folds_lib.Fold],
) -> tuple[folds_lib.Fold, ...]:
  """The test folds with the operating points of every model in them.

  Each model's thresholds are chosen on the validation part of its own fold,
  from its own scores there. No test score or label takes part.

  Args:
    task: what is predicted; only binary and multilabel tasks have thresholds.
    test: folds of the test part.
    valid: folds of the validation part; those not in `test` are ignored.
  """
  if task.kind not in (types.BINARY, types.MULTILABEL):
    return tuple(test)
  validated = {(f.repeat, f.fold): f for f in valid}
  found = []
  for fold in test:
    part = validated.get((fold.repeat, fold.fold))
    by_arm: dict[str, dict[int, folds_lib.OperatingPoints]] = {}
    for arm, by_seed in fold.scores.items():
      for seed in by_seed:
        scores = part.scores.get(arm, {}).get(seed) if part else None
        by_arm.setdefault(arm, {})[seed] = (
          without(task, 'there are no validation predictions')
          if scores is None
          else points(task, part.labels, scores, part.weight)
        )
    found.append(dataclasses.replace(fold, thresholds=by_arm))
  return tuple(found)


def describe(
  task: types.Task, folds: Sequence[folds_lib.Fold], arm: str
) -> list[dict[str, Any]]:
  """An arm's thresholds by repeat, fold and seed, JSON-ready.

  Every entry has, by rule, a number (binary) or numbers by label; null with
  `reason` where a rule had no answer.
  """
  found = []
  for fold in folds:
    for seed, own in fold.thresholds.get(arm, {}).items():
      entry = {'repeat': fold.repeat, 'fold': fold.fold, 'seed': seed}
      for rule, values in own.values.items():
        plain = [None if np.isnan(t) else float(t) for t in values]
        many = task.kind == types.MULTILABEL
        entry[rule] = (
          dict(zip(task.names, plain, strict=True)) if many else plain[0]
        )
      reasons = {r for of in own.reasons.values() for r in of if r}
      if reasons:
        entry['reason'] = '; '.join(sorted(reasons))
      found.append(entry)
  return found


def notes(folds: Sequence[folds_lib.Fold]) -> list[str]:
  """Warnings about models whose calls are at .5 for want of a threshold."""
  found: dict[str, dict[tuple[int, int], None]] = {}
  for fold in folds:
    for by_seed in fold.thresholds.values():
      for own in by_seed.values():
        for reason in own.reasons[YOUDEN]:
          if reason:
            here = (fold.repeat, fold.fold)
            found.setdefault(reason, {})[here] = None
  return [
    f'No threshold could be chosen in repeat/fold '
    f'{", ".join(f"{r}/{k}" for r, k in places)}: {reason}; accuracy, '
    f'sensitivity and the like are at probability {FALLBACK} there.'
    for reason, places in found.items()
  ]


def _with_fallback(
  values: Mapping[str, np.ndarray], reasons: Mapping[str, tuple[str, ...]]
) -> folds_lib.OperatingPoints:
  chosen = values[YOUDEN]
  chosen = np.where(np.isnan(chosen), FALLBACK, chosen)
  return folds_lib.OperatingPoints({**values, YOUDEN: chosen}, reasons)
