"""What became of those whom an arm calls at low, middle and high risk."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import bands, horizons, pooling, resampling
from fusion_jax.evaluation import folds as folds_lib

GROUPS = ('lowest third', 'middle third', 'highest third')
_GRID = 101
_TICKS = 6
# Of the events, how many lie before the first and the last time of a curve.
_SPAN = (0.1, 0.9)
_TIMES = 17
# Fewer than this is nobody: shares of a study add up with rounding.
_NONE = 1e-9


def survival(
  task: types.Task,
  test: Sequence[folds_lib.Fold],
  valid: Sequence[folds_lib.Fold],
  arm: str,
  resamples: resampling.Resamples,
) -> dict[str, Any] | None:
  """Kaplan-Meier curves (1958, JASA 53, 457-481) by third of predicted risk.

  Each model divides its test part at the terciles of its own scores on the
  validation part of its fold: no test study has a say in where. A study that
  several models tested counts once, with the share of its models in each
  group. Bands are pointwise, from the patient bootstrap, given the cuts.

  Args:
    task: a survival task; None is returned for others.
    test: test parts.
    valid: validation parts; a fold without one is left out.
    arm: its name.
    resamples: of the patients of the test parts.

  Returns:
    {groups: [{group, studies, events, x, y, low, high}], at_risk: {x, counts
    (groups, times)}}: x are times from 0, y the shares without the event
    after x, None where nobody of the group is left at risk. None if no model
    has both parts.
  """
  if task.kind != types.SURVIVAL:
    return None
  cuts = _cuts(valid, arm)
  pooled = pooling.pool(
    [
      f
      for f in test
      if set(f.scores.get(arm, {})) <= set(cuts.get(_key(f), {}))
      and f.scores.get(arm)
    ],
    (arm,),
  )
  if not pooled:
    return None
  group, time, event, share, place = _rows(pooled, cuts, arm, resamples)
  if not len(time):
    return None
  grid = np.linspace(0, time.max(), _GRID)
  ticks = np.linspace(0, time.max(), _TICKS)
  counts = resamples.counts[:, : bands.MOST_REPLICATES]
  weights = np.ones((len(time), 1 + counts.shape[1]))
  weights[:, 1:] = counts[place]
  weights *= share[:, None]
  groups, at_risk = [], []
  for i, name in enumerate(GROUPS):
    own = weights * group[:, i : i + 1]
    values = kaplan_meier(time, event, own, grid)
    groups.append(
      {
        'group': name,
        'studies': pooling.number(own[:, 0].sum()),
        'events': pooling.number(own[event, 0].sum()),
        **bands.band(values, grid),
      }
    )
    at_risk.append([own[time >= t, 0].sum() for t in ticks])
  return {
    'groups': groups,
    'at_risk': {
      'x': pooling.numbers(ticks),
      'counts': pooling.numbers(np.array(at_risk)),
    },
  }


def kaplan_meier(
  time: np.ndarray, event: np.ndarray, weights: np.ndarray, grid: np.ndarray
) -> np.ndarray:
  """Shares without the event after each time of a grid.

  Args:
    time: (n,) to event or censoring.
    event: (n,) bool.
    weights: (n, r).
    grid: (t,) times.

  Returns:
    (t, r) values, NaN after the last time of anybody with weight.
  """
  times, place = np.unique(time, return_inverse=True)
  mass, gone = np.zeros((2, len(times), weights.shape[1]))
  np.add.at(mass, place, weights)
  np.add.at(gone, place[event], weights[event])
  left = np.cumsum(mass[::-1], axis=0)[::-1]
  hazard = np.divide(gone, left, out=np.zeros_like(left), where=left > _NONE)
  curve = np.ones((len(times) + 1, weights.shape[1]))
  np.cumprod(1 - hazard, axis=0, out=curve[1:])
  found = curve[np.searchsorted(times, grid, side='right')]
  # Row i of `followed` is who is there at times[i]; past the last is nobody.
  followed = np.concatenate([left, np.zeros_like(left[:1])])
  there = followed[np.searchsorted(times, grid, side='left')] > _NONE
  return np.where(there, found, np.nan)


def auroc_over_time(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  arm: str,
  resamples: resampling.Resamples,
) -> dict[str, Any] | None:
  """Cumulative/dynamic AUROC of an arm at many times (`horizons.auroc`).

  Args:
    task: a survival task; None is returned for others.
    folds: test parts; their events say which times.
    arm: its name; None is returned if it has no model.
    resamples: of the patients.

  Returns:
    {x, y, low, high}: means over models and folds, with pointwise bands, at
    times from the 10% to the 90% quantile of the times of events.
  """
  if task.kind != types.SURVIVAL:
    return None
  labels = np.concatenate([f.labels for f in folds])
  happened = labels[labels[:, 1] > 0, 0]
  if not len(happened) or not any(f.scores.get(arm) for f in folds):
    return None
  times = np.unique(np.linspace(*np.quantile(happened, _SPAN), _TIMES))

  def kernels(fold):
    rows = np.flatnonzero(~np.isnan(fold.labels).any(axis=1))
    time, event = fold.labels[rows, 0], fold.labels[rows, 1] > 0
    found = []
    for scores in fold.scores.get(arm, {}).values():
      at = [horizons.auroc(time, event, scores[rows, 0], t) for t in times]
      found.append(lambda w, at=at: np.stack([f(w[rows]) for f in at]))
    return found

  return bands.band(bands.means(folds, kernels, resamples), times)


def _key(fold) -> tuple[int, int]:
  return fold.repeat, fold.fold


def _cuts(valid, arm) -> dict[tuple[int, int], dict[int, np.ndarray]]:
  """By fold and seed, the terciles of the scores on validation."""
  return {
    _key(fold): {
      seed: np.quantile(scores[:, 0], [1 / 3, 2 / 3])
      for seed, scores in fold.scores.get(arm, {}).items()
      if len(scores)
    }
    for fold in valid
  }


def _rows(pooled, cuts, arm, resamples):
  """Of every tested row: shares of the groups, label, share, patient."""
  found = []
  for tested in pooled:
    fold = tested.fold
    rows = np.flatnonzero(~np.isnan(fold.labels).any(axis=1))
    models = fold.scores[arm]
    group = np.zeros((len(rows), len(GROUPS)))
    for seed, scores in models.items():
      cut = cuts[_key(fold)][seed]
      place = np.searchsorted(cut, scores[rows, 0], side='left')
      group[np.arange(len(rows)), place] += 1 / len(models)
    found.append(
      (
        group,
        fold.labels[rows, 0],
        fold.labels[rows, 1] > 0,
        tested.share[rows],
        resamples.rows(fold.patient[rows]),
      )
    )
  return tuple(np.concatenate(x) for x in zip(*found, strict=True))
