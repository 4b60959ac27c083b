"""Curves as means over models, with pointwise bands of the patient bootstrap.

A curve is averaged vertically: at each point of a fixed grid, over the seeds
of a fold and then over the folds. The band is the 2.5% and 97.5% percentile
at each point on its own, conditional on the trained models like every other
interval; it is not a band for the whole curve.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import metrics, parts, ranking, resampling

# Bands need fewer replicates than tests do.
MOST_REPLICATES = 300

_LEVEL = 0.95
_DEFINED_SHARE = 0.5
_BLOCK_BYTES = 2**22
_DIGITS = 5
# Of what has a unit and may be of any size.
_SIGNIFICANT = 6


def means(
  folds: Sequence[folds_lib.Fold],
  kernels: Callable[[folds_lib.Fold], Sequence[ranking.Kernel]],
  resamples: resampling.Resamples,
) -> np.ndarray:
  """The mean over folds and models of what kernels compute, by replicate.

  Args:
    folds: g folds.
    kernels: from a fold to the kernels of its models, functions of (n, r)
      weights to (..., r) values, NaN where undefined; none if the fold has no
      model, which leaves it out.
    resamples: of which the first `MOST_REPLICATES` are used.

  Returns:
    (..., 1 + r) the estimate, then the replicates; None if there is no model.
  """
  counts = resamples.counts[:, :MOST_REPLICATES]
  total, defined = 0.0, 0.0
  for fold in folds:
    functions = list(kernels(fold))
    if not functions:
      continue
    drawn = counts[resamples.rows(fold.patient)]
    weights = np.ones((len(fold.study), 1 + counts.shape[1]))
    weights[:, 1:] = drawn
    weights *= fold.weight[:, None]
    width = max(16, _BLOCK_BYTES // (8 * max(1, len(weights))))
    blocks = [
      metrics.mean([f(weights[:, lo : lo + width]) for f in functions])
      for lo in range(0, weights.shape[1], width)
    ]
    values = np.concatenate(blocks, axis=-1)
    there = ~np.isnan(values)
    total = total + np.where(there, values, 0)
    defined = defined + there
  if isinstance(defined, float):
    return None
  return ranking.ratio(total, defined)


def bounds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Pointwise 95% bounds of (..., 1 + r) values of `means`.

  NaN where fewer than half of the replicates, or the estimate, are undefined.
  """
  estimate, replicates = values[..., 0], values[..., 1:]
  known = ~np.isnan(replicates)
  enough = known.mean(axis=-1) >= _DEFINED_SHARE
  enough &= ~np.isnan(estimate)
  found = np.full((2, *estimate.shape), np.nan)
  if enough.any():
    tail = (1 - _LEVEL) / 2
    found[:, enough] = np.nanquantile(
      replicates[enough], [tail, 1 - tail], axis=-1
    )
  return found[0], found[1]


def column(
  task: types.Task, fold: folds_lib.Fold, scores: np.ndarray, label: str = ''
) -> tuple[np.ndarray, np.ndarray]:
  """Labels, NaN where unknown, and scores of one label or class, both (n,).

  Args:
    task: what is predicted.
    fold: n studies.
    scores: (n, s) of one model.
    label: empty for a task with one score.
  """
  model = parts.Model(task, fold.labels, scores, None, None, None, ())
  return parts.column(model, f'/{label}')


def kernels(
  task: types.Task,
  fold: folds_lib.Fold,
  arm: str,
  build: Callable[[np.ndarray, np.ndarray], ranking.Kernel],
  label: str = '',
) -> list[ranking.Kernel]:
  """Prepares one label of every model of an arm on the known labels.

  Args:
    task: what is predicted.
    fold: n studies.
    arm: its name.
    build: from (m,) labels and scores to a function of (m, r) weights.
    label: empty for a task with one score.
  """
  found = []
  for scores in fold.scores.get(arm, {}).values():
    y, s = column(task, fold, scores, label)
    rows = np.flatnonzero(~np.isnan(y))
    if len(rows):
      found.append(_prepare(build, y, s, rows))
  return found


def rounded(values: np.ndarray) -> list[Any]:
  """Plain numbers of a few digits, None where undefined."""
  return [
    None if np.isnan(x) else round(float(x), _DIGITS) + 0.0 for x in values
  ]


def significant(values: np.ndarray) -> np.ndarray:
  """Numbers in a unit, whatever their size, to six digits."""
  return np.array([float(f'{x:.{_SIGNIFICANT}g}') for x in values])


def band(
  values: np.ndarray | None,
  x: np.ndarray,
  names: tuple[str, str] = ('x', 'y'),
) -> dict[str, Any]:
  """A curve as JSON: its grid, values, and pointwise bounds.

  Args:
    values: (t, 1 + r) from `means`, or None where there is no model.
    x: (t,) the grid.
    names: of the grid and of the values.
  """
  if values is None:
    empty = {name: [] for name in (*names, 'low', 'high')}
    return {**empty, 'reason': 'no model was evaluated'}
  low, high = bounds(values)
  found = {
    names[0]: rounded(x),
    names[1]: rounded(values[:, 0]),
    'low': rounded(low),
    'high': rounded(high),
  }
  if np.isnan(values[:, 0]).all():
    found['reason'] = 'undefined in every fold'
  return found


def _prepare(build, y, s, rows):
  return parts.on_rows(rows, len(y), lambda: build(y[rows], s[rows]))
