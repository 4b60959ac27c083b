"""The distribution of censoring, and weights that make up for it."""

from collections.abc import Callable

import numpy as np

from fusion_jax.evaluation import ranking

# Nobody counts as followed where less than this share is left.
_NONE = 1e-12

Curve = Callable[[np.ndarray], np.ndarray]


def survival(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, Curve]:
  """G(t) = P(still uncensored after t), by Kaplan and Meier (1958, JASA 53).

  Events come before censorings of the same time, as in scikit-survival. For
  other weights the curve is estimated again from those weights, so that a
  study of weight k is k studies: the censoring distribution belongs to the
  statistic and its uncertainty to the interval. It is that of the studies
  evaluated, never of the training part.

  Args:
    time: (n,) float.
    event: (n,) bool, False where censored.

  Returns:
    The u sorted distinct times and a function from (n, r) weights to
    (u + 1, r) values: 1 before the first time, then G at each of them.
  """
  times, group = np.unique(time, return_inverse=True)
  order = np.lexsort((~event, group))
  # Rows of one time: events first, then censorings.
  ends = np.searchsorted(group[order], np.arange(len(times)), side='right')
  starts = np.concatenate([[0], ends[:-1]])
  happened = starts + np.bincount(group[event], minlength=len(times))

  def kernel(weights):
    sums = ranking.cumulative(weights[order])
    total = sums[-1]
    left = total - sums[happened]
    gone = sums[ends] - sums[happened]
    hazard = np.divide(
      gone, left, out=np.zeros_like(left), where=left > _NONE * total
    )
    curve = np.ones((len(times) + 1, weights.shape[1]))
    np.cumprod(1 - hazard, axis=0, out=curve[1:])
    curve[curve < _NONE] = 0
    return curve

  return times, kernel


def place(times: np.ndarray, t) -> np.ndarray:
  """The row of a curve that holds its value at t."""
  return np.searchsorted(times, t, side='right')


def inverse(probability: np.ndarray, needed: np.ndarray) -> np.ndarray:
  """1 / probability where needed, 0 elsewhere; NaN for needed 1 / 0."""
  found = np.zeros(np.broadcast_shapes(probability.shape, needed.shape))
  np.divide(1, probability, out=found, where=needed & (probability > 0))
  return np.where(needed & (probability <= 0), np.nan, found)


def horizon(time: np.ndarray, share: float) -> Curve:
  """The last time at which a share of the studies is still followed.

  Args:
    time: (n,) float.
    share: of the total weight, between 0 and 1.

  Returns:
    A function from (n, r) weights to (r,) times, NaN without weight.
  """
  times, group = np.unique(time, return_inverse=True)
  order = np.argsort(group, kind='stable')
  starts = np.searchsorted(group[order], np.arange(len(times)))

  def kernel(weights):
    sums = ranking.cumulative(weights[order])
    followed = sums[-1] - sums[starts]
    enough = followed >= (share - 1e-9) * sums[-1]
    last = np.maximum(enough.sum(axis=0) - 1, 0)
    return np.where(sums[-1] > 0, times[last], np.nan)

  return kernel
