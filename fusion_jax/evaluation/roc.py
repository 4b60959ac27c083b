"""ROC and precision-recall curves on a grid, for many weightings at once."""

import numpy as np

from fusion_jax.evaluation import ranking

GRID = np.arange(101) / 100

_ROUNDING = 1e-12


def roc(
  positive: np.ndarray, scores: np.ndarray, grid: np.ndarray = GRID
) -> ranking.Kernel:
  """Sensitivity at given false positive rates.

  Straight lines between the thresholds (tied scores are one threshold), the
  upper end where the curve rises vertically: ready for vertical averaging
  (Fawcett, 2006, Pattern Recognition Letters 27, 861). With constant
  scores it is the diagonal.

  Args:
    positive: (n,) bool.
    scores: (n,) float, higher = more likely positive.
    grid: (t,) false positive rates.

  Returns:
    A function from (n, r) weights to (t, r) sensitivities, NaN where one of
    the two classes has no weight.
  """
  sums = _above(positive, scores)
  grid = np.asarray(grid, np.float64)[:, None]

  def kernel(weights):
    true, false = sums(weights)
    columns = np.arange(weights.shape[1])
    target = grid * false[-1]
    beyond = ranking.first_at_least(false, target + _ROUNDING * false[-1])
    # Where the slack reaches nothing further the last threshold is meant.
    after = np.clip(beyond, 1, len(false) - 1)
    before = after - 1
    run = false[after, columns] - false[before, columns]
    part = np.divide(
      target - false[before, columns],
      run,
      out=np.ones_like(run),
      where=run > 0,
    )
    part = np.clip(part, 0, 1)
    rise = true[after, columns] - true[before, columns]
    found = true[before, columns] + part * rise
    both = np.where(false[-1] > 0, true[-1], 0)
    return ranking.ratio(found, np.broadcast_to(both, found.shape))

  return kernel


def precision_recall(
  positive: np.ndarray, scores: np.ndarray, grid: np.ndarray = GRID
) -> ranking.Kernel:
  """Precision at the highest threshold that reaches given recalls.

  A step function, without interpolation (Davis and Goadrich, 2006), whose
  area is the average precision; at recall 0 its limit from above.

  Args:
    positive: (n,) bool.
    scores: (n,) float, higher = more likely positive.
    grid: (t,) recalls.

  Returns:
    A function from (n, r) weights to (t, r) precisions, NaN where no positive
    study has weight.
  """
  sums = _above(positive, scores)
  grid = np.maximum(np.asarray(grid, np.float64), 2 * _ROUNDING)[:, None]

  def kernel(weights):
    true, false = sums(weights)
    columns = np.arange(weights.shape[1])
    place = ranking.first_at_least(true, (grid - _ROUNDING) * true[-1])
    place = np.minimum(place, len(true) - 1)
    hits = true[place, columns]
    found = ranking.ratio(hits, hits + false[place, columns])
    return np.where(true[-1] > 0, found, np.nan)

  return kernel


def _above(positive, scores):
  """Weights of positives and of others at or above each distinct score."""
  positive = np.asarray(positive, bool)[:, None]
  _, group = np.unique(-np.asarray(scores), return_inverse=True)
  order = np.argsort(group, kind='stable')
  levels = np.arange(group.max(initial=-1) + 1)
  ends = np.searchsorted(group[order], levels, side='right')
  ends = np.concatenate([[0], ends])
  hit = positive[order]

  def sums(weights):
    mine = weights[order]
    true = ranking.cumulative(mine * hit)[ends]
    return true, ranking.cumulative(mine * ~hit)[ends]

  return sums
