"""How error rates differ between groups of studies."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import entries as entries_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import groups as groups_lib
from fusion_jax.evaluation import metrics, ranking, resampling
from fusion_jax.evaluation import thresholds as thresholds_lib

_CALL = thresholds_lib.YOUDEN
_BLOCK_BYTES = 2**22


def equalised_odds(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  groups: groups_lib.Groups,
  *,
  arms: Sequence[str],
  resamples: resampling.Resamples,
  min_group: int = groups_lib.MIN_GROUP,
  min_events: int = groups_lib.MIN_EVENTS,
  factor: float = 1.0,
) -> list[dict[str, Any]]:
  """How true and false positive rates differ between groups.

  Equalised odds (Hardt, Price and Srebro, 2016, definition 2.1) would have
  both gaps 0. Calls are made at the threshold that was chosen on the fold's
  validation part, one for all groups. A group's rate is the mean over folds
  and seeds; the gap is that of the groups with the highest and the lowest
  rate, and its interval that of the difference between these two groups. With
  more than two groups the gap is above 0 by chance alone.

  Args:
    task: what is predicted; only binary and multilabel tasks have calls.
    folds: test parts with thresholds (`thresholds.attach`).
    groups: of their studies.
    arms: names of the arms.
    resamples: of the whole table.
    min_group: as for `subgroups.subgroups`; smaller groups take no part.
    min_events: likewise.
    factor: multiplies standard errors; see dependence.py.

  Returns:
    One dict per column, arm (and label): column, arm, levels (rates by level),
    tpr_gap and fpr_gap; undefined numbers are NaN, with a reason.
  """
  if task.kind not in (types.BINARY, types.MULTILABEL):
    return []
  found = []
  for column, values in groups.columns.items():
    parts = {
      str(level): [
        f.take(groups.of(column, f.study) == level)
        for f in folds
        if (groups.of(column, f.study) == level).any()
      ]
      for level in np.unique(values)
    }
    levels = [
      level
      for level, inside in parts.items()
      if groups_lib.too_few(task, inside, min_group, min_events) is None
    ]
    rates = _rates(task, folds, groups, column, levels, arms, resamples)
    for i, label in enumerate(task.names):
      which = {'label': label} if task.kind == types.MULTILABEL else {}
      for a, arm in enumerate(arms):
        found.append(
          {
            'column': column,
            'arm': arm,
            **which,
            'levels': {
              level: {
                name: _entry(rates[k, i, a, at], metric=name, factor=factor)
                for k, name in enumerate(('tpr', 'fpr'))
              }
              for at, level in enumerate(levels)
            },
            'tpr_gap': _gap(levels, rates[0, i, a], factor),
            'fpr_gap': _gap(levels, rates[1, i, a], factor),
          }
        )
  return found


def _rates(task, folds, groups, column, levels, arms, resamples) -> np.ndarray:
  """(2, labels, a, levels, 1 + r) true and false positive rates.

  The first of the last axis is the estimate, the others are replicates.
  """
  replicates = resamples.counts.shape[1]
  k = len(task.names)
  shape = (2, k, len(arms), len(levels), 1 + replicates)
  sums, defined = np.zeros(shape), np.zeros(shape)
  for fold in folds:
    levels_here = groups.of(column, fold.study)
    member = np.stack([levels_here == x for x in levels]) if levels else None
    if member is None:
      continue
    places = resamples.rows(fold.patient)
    width = max(16, _BLOCK_BYTES // (8 * max(1, len(places))))
    for lo in range(0, 1 + replicates, width):
      block = slice(lo, min(lo + width, 1 + replicates))
      counts = resamples.counts[places, max(lo - 1, 0) : block.stop - 1]
      weights = counts * fold.weight[:, None]
      if not lo:
        weights = np.concatenate([fold.weight[:, None], weights], axis=1)
      for i in range(k):
        for kind, value in enumerate((1, 0)):
          rows = member & (fold.labels[:, i] == value)
          total = rows @ weights
          for a, arm in enumerate(arms):
            of_seeds = [
              ranking.ratio((rows & (scores[:, i] >= t[i])) @ weights, total)
              for scores, t in _calls(fold, arm)
            ]
            if not of_seeds:
              continue
            rate = metrics.mean(of_seeds)
            there = ~np.isnan(rate)
            sums[kind, i, a, :, block] += np.where(there, rate, 0)
            defined[kind, i, a, :, block] += there
  return ranking.ratio(sums, defined)


def _calls(fold, arm):
  """(scores (n, s), thresholds (s,)) of each seed's model."""
  for seed, scores in fold.scores.get(arm, {}).items():
    points = fold.thresholds.get(arm, {}).get(seed)
    if points is not None:
      yield scores, points.values[_CALL]


def _gap(levels, rates, factor) -> dict[str, Any]:
  """The largest difference of (levels, 1 + r) rates."""
  known = np.flatnonzero(~np.isnan(rates[:, 0])) if len(levels) else []
  if len(known) < 2:
    return {
      'estimate': math.nan,
      'low': math.nan,
      'high': math.nan,
      'reason': 'fewer than two groups are large enough',
    }
  high = known[np.argmax(rates[known, 0])]
  low = known[np.argmin(rates[known, 0])]
  if high == low:
    low = known[known != high][0]
  return {
    **_entry(rates[high] - rates[low], factor=factor),
    'highest': levels[high],
    'lowest': levels[low],
  }


def _entry(values, undefined=(), otherwise='undefined in every fold', **of):
  """{estimate, low, high} of (1 + r,) an estimate and its replicates."""
  return entries_lib.resampled(
    float(values[0]), values[1:], undefined, otherwise=otherwise, **of
  )
