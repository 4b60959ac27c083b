"""How well scores rank: AUROC and average precision for many weightings.

Each function prepares one set of scores (it sorts them once) and returns a
function of (n, r) weights, one column per replicate, that is exact for ties.
"""

from collections.abc import Callable

import numpy as np

Kernel = Callable[[np.ndarray], np.ndarray]

_CHUNK = 32
_LOWER = np.tril(np.ones((_CHUNK, _CHUNK)))


def auroc(positive: np.ndarray, scores: np.ndarray) -> Kernel:
  """Area under the ROC curve, ties counted half (Hanley and McNeil, 1982).

  Args:
    positive: (n,) bool.
    scores: (n,) float, higher = more likely positive.

  Returns:
    A function from (n, r) weights to (r,) areas, NaN where one of the two
    classes has no weight.
  """
  # Sums run over the smaller class and are looked up for the larger one.
  few_are_positive = positive.mean() < 0.5
  few = np.flatnonzero(positive == few_are_positive)
  many = np.flatnonzero(positive != few_are_positive)
  few = few[np.argsort(scores[few], kind='stable')]
  many = many[np.argsort(scores[many], kind='stable')]
  below = np.searchsorted(scores[few], scores[many], side='left')
  up_to = np.searchsorted(scores[few], scores[many], side='right')
  tied = bool((below != up_to).any())

  def kernel(weights):
    lower = cumulative(weights[few])
    heavy = weights[many]
    total = lower[-1] * heavy.sum(axis=0)
    if tied:
      area = np.einsum('nr,nr->r', heavy, lower[below] + lower[up_to]) / 2
    else:
      area = np.einsum('nr,nr->r', heavy, lower[below])
    area = ratio(area, total)
    return 1 - area if few_are_positive else area

  return kernel


def average_precision(positive: np.ndarray, scores: np.ndarray) -> Kernel:
  """Average precision: sum over thresholds of precision times recall gained.

  Tied scores are one threshold; no interpolation (Davis and Goadrich, 2006).

  Args:
    positive: (n,) bool.
    scores: (n,) float, higher = more likely positive.

  Returns:
    A function from (n, r) weights to (r,) values, NaN where no positive study
    has weight.
  """
  hits, others = np.flatnonzero(positive), np.flatnonzero(~positive)
  hits = hits[np.argsort(-scores[hits], kind='stable')]
  others = others[np.argsort(-scores[others], kind='stable')]
  levels, last = np.unique(-scores[hits][::-1], return_index=True)
  ends = len(hits) - last  # hits at or above each distinct score
  above = np.searchsorted(-scores[others], levels, side='right')

  def kernel(weights):
    true = cumulative(weights[hits])
    false = cumulative(weights[others])[above]
    reached = true[ends]
    gained = np.diff(reached, axis=0, prepend=0)
    called = reached + false
    # Where nothing is called yet nothing is gained either.
    precision = np.divide(
      reached, called, out=np.zeros_like(called), where=called > 0
    )
    return ratio(np.einsum('nr,nr->r', gained, precision), true[-1])

  return kernel


def cumulative(weights: np.ndarray) -> np.ndarray:
  """(n + 1, r) sums of the first 0, 1, ..., n rows of (n, r) weights."""
  n, r = weights.shape
  sums = np.zeros((n + 1, r))
  # Sums within chunks as a matrix product, then the chunks before: three times
  # as fast as accumulating row by row.
  whole = n // _CHUNK * _CHUNK
  inside = np.matmul(_LOWER, weights[:whole].reshape(-1, _CHUNK, r))
  before = np.cumsum(inside[:, -1], axis=0)
  inside[1:] += before[:-1, None]
  sums[1 : whole + 1] = inside.reshape(whole, r)
  np.cumsum(weights[whole:], axis=0, out=sums[whole + 1 :])
  sums[whole + 1 :] += sums[whole]
  return sums


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
  """The quotient, NaN where the denominator is not positive."""
  return np.divide(
    numerator,
    denominator,
    out=np.full(np.shape(numerator), np.nan),
    where=denominator > 0,
  )


def first_at_least(ascending: np.ndarray, targets: np.ndarray) -> np.ndarray:
  """(t, r) first row of each column that reaches each target; u if none.

  Args:
    ascending: (u, r), no column falls.
    targets: (t, r) or (t, 1).
  """
  u, r = ascending.shape
  targets = np.broadcast_to(targets, (len(targets), r))
  return bisect(lambda row, column: ascending[row, column], u, targets)


def bisect(
  value: Callable[[np.ndarray, np.ndarray], np.ndarray],
  u: int,
  targets: np.ndarray,
) -> np.ndarray:
  """(t, r) first of u rows whose value reaches each target; u if none.

  Args:
    value: from rows (t, r) and columns (r,) to values that do not fall with
      the row.
    u: number of rows, 1 or more.
    targets: (t, r).
  """
  low = np.zeros(targets.shape, np.intp)
  high = np.full(targets.shape, u, np.intp)
  columns = np.arange(targets.shape[1])
  for _ in range(u.bit_length()):
    middle = (low + high) // 2
    found = value(np.minimum(middle, u - 1), columns) >= targets
    open_ = low < high
    high = np.where(open_ & found, middle, high)
    low = np.where(open_ & ~found, middle + 1, low)
  return low
