"""What became of those whom an arm calls at low, middle and high risk."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import bands, horizons, pooling, resampling
from fusion_jax.evaluation import folds as folds_lib

GROUPS = ('lowest third', 'middle third', 'highest third')
# A curve has at most so many places, numbers at risk at most so many times.
_PLACES, _TICKS = 200, 7
# Of the events, how many lie before the first and the last time of a curve.
_SPAN = (0.1, 0.9)
_TIMES = 17
_BLOCK_BYTES = 2**24
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
  validation part of its fold, so that no test study has a say in where. A
  study that several models tested counts once, with the share of its models in
  each group. Studies count as studies: their weights take no part. Bands are
  pointwise, from the patient bootstrap, given the cuts.

  Args:
    task: a survival task; None is returned for others.
    test: test parts.
    valid: validation parts; a fold without one is left out.
    arm: its name.
    resamples: of the patients of the test parts.

  Returns:
    {groups: [{group, studies, events, x, y, low, high}], at_risk: {x, counts
    (groups, times)}}: x are times from 0, y the shares without the event
    after x, up to the last time of anybody in the group, so that a group of
    nobody has none and a reason; at risk at a time is whose own time is not
    before it. Without a model that has both parts `groups` is empty and there
    is a `reason`.
  """
  if task.kind != types.SURVIVAL:
    return None
  cuts = _cuts(valid, arm)
  pooled = pooling.pool(
    [f for f in test if _all_cut(f.scores.get(arm), cuts.get(_key(f)))],
    (arm,),
  )
  rows = _rows(pooled, cuts, arm, resamples) if pooled else None
  if rows is None or not len(rows[1]):
    reason = 'no model was evaluated'
    if any(f.scores.get(arm) for f in test):
      reason = (
        'thirds are cut at scores on the validation part, and there is none'
      )
    return {'groups': [], 'reason': reason}
  group, time, event, share, place = rows
  grid = _grid(time, event)
  ticks = _round_times(time.max())
  counts = resamples.counts[:, : bands.MOST_REPLICATES]
  drawn = np.concatenate([np.ones((len(counts), 1)), counts], axis=1)
  width = max(16, _BLOCK_BYTES // (8 * len(time)))
  blocks = [slice(lo, lo + width) for lo in range(0, drawn.shape[1], width)]
  groups, at_risk = [], []
  for i, name in enumerate(GROUPS):
    counted = group[:, i] * share
    x = _until(grid, time[counted > 0])
    values = np.concatenate(
      [
        kaplan_meier(time, event, drawn[place, block] * counted[:, None], x)
        for block in blocks
      ],
      axis=1,
    )
    groups.append(
      {
        'group': name,
        'studies': pooling.number(counted.sum()),
        'events': pooling.number(counted[event].sum()),
        **_curve(values, x),
      }
    )
    at_risk.append([pooling.number(counted[time >= t].sum()) for t in ticks])
  return {
    'groups': groups,
    'at_risk': {'x': ticks.tolist(), 'counts': at_risk},
  }


def kaplan_meier(
  time: np.ndarray, event: np.ndarray, weights: np.ndarray, grid: np.ndarray
) -> np.ndarray:
  """Shares without the event after each time of a grid.

  Args:
    time: (n,) to event or censoring.
    event: (n,) bool.
    weights: (n, r); a study of weight k is k studies.
    grid: (t,) times.

  Returns:
    (t, r) values, NaN after the last time of anybody with weight.
  """
  order = np.argsort(time, kind='stable')
  times, starts = np.unique(time[order], return_index=True)
  weights = weights[order]
  mass = np.add.reduceat(weights, starts, axis=0)
  gone = np.add.reduceat(weights * event[order][:, None], starts, axis=0)
  left = np.cumsum(mass[::-1], axis=0)[::-1]
  hazard = np.divide(gone, left, out=np.zeros_like(left), where=left > _NONE)
  curve = np.ones((len(times) + 1, weights.shape[1]))
  np.cumprod(1 - hazard, axis=0, out=curve[1:])
  values = curve[np.searchsorted(times, grid, side='right')]
  # Row i of `followed` is who is there at times[i]; past the last is nobody.
  followed = np.concatenate([left, np.zeros_like(left[:1])])
  there = followed[np.searchsorted(times, grid, side='left')] > _NONE
  return np.where(there, values, np.nan)


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
  times = np.linspace(*np.quantile(happened, _SPAN), _TIMES)
  times = np.unique(bands.significant(times))

  def kernels(fold):
    rows = np.flatnonzero(~np.isnan(fold.labels).any(axis=1))
    time, event = fold.labels[rows, 0], fold.labels[rows, 1] > 0
    prepared = []
    for scores in fold.scores.get(arm, {}).values():
      at = [horizons.auroc(time, event, scores[rows, 0], t) for t in times]
      prepared.append(lambda w, at=at: np.stack([f(w[rows]) for f in at]))
    return prepared

  curve = bands.band(bands.means(folds, kernels, resamples), times)
  return {**curve, 'x': times.tolist()}


def _grid(time, event) -> np.ndarray:
  """0, times at which a curve falls, and the last of all."""
  falls = np.unique(time[event])
  if len(falls) > _PLACES:
    # Most places where most events are, however long the tail.
    falls = falls[np.linspace(0, len(falls) - 1, _PLACES).round().astype(int)]
  return np.unique(np.concatenate([[0.0], falls, [time.max()]]))


def _until(grid, time) -> np.ndarray:
  """The grid up to the last of the times of a group, and that one."""
  if not len(time):
    return grid[:0]
  return np.unique(np.append(grid[grid <= time.max()], time.max()))


def _curve(values, x) -> dict[str, Any]:
  curve = {**bands.band(values, x), 'x': x.tolist()}
  return curve if len(x) else {**curve, 'reason': 'no study is in this group'}


def _round_times(last: float) -> np.ndarray:
  """Times from 0 in round steps, not after the last."""
  rough = last / (_TICKS - 1)
  size = 10.0 ** np.floor(np.log10(rough))
  step = next(s * size for s in (1, 2, 2.5, 5, 10) if s * size >= rough)
  return bands.significant(np.arange(int(last / step + 1e-9) + 1) * step)


def _key(fold) -> tuple[int, int]:
  return fold.repeat, fold.fold


def _all_cut(scores, cuts) -> bool:
  """Whether there are models, and cuts for each of them."""
  return bool(scores) and set(scores) <= set(cuts or ())


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
  rows_of = []
  for tested in pooled:
    fold = tested.fold
    rows = np.flatnonzero(~np.isnan(fold.labels).any(axis=1))
    models = fold.scores[arm]
    group = np.zeros((len(rows), len(GROUPS)))
    for seed, scores in models.items():
      cut = cuts[_key(fold)][seed]
      place = np.searchsorted(cut, scores[rows, 0], side='left')
      group[np.arange(len(rows)), place] += 1 / len(models)
    rows_of.append(
      (
        group,
        fold.labels[rows, 0],
        fold.labels[rows, 1] > 0,
        tested.share[rows],
        resamples.rows(fold.patient[rows]),
      )
    )
  return tuple(np.concatenate(x) for x in zip(*rows_of, strict=True))
