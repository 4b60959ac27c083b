"""AUROCs of several arms on the same studies, with DeLong's covariance.

E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson (1988, Biometrics 44,
837-845), by midranks in O(n log n): X. Sun and W. Xu (2014, IEEE Signal
Processing Letters 21, 1389-1393). Studies are taken as independent: where
patients have several, these intervals are too narrow.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from fusion_jax.evaluation import bounds


@dataclasses.dataclass(frozen=True)
class Areas:
  """AUROCs of k sets of scores, or k weighted sums of such.

  Attributes:
    auroc: (k,) NaN if one of the classes is empty.
    positive: (k, n1) for each positive study the share of negative studies
      it is scored above, ties half; DeLong's V10.
    negative: (k, n0) for each negative study the share of positive studies
      scored above it; V01.
  """

  auroc: np.ndarray
  positive: np.ndarray
  negative: np.ndarray

  @functools.cached_property
  def covariance(self) -> np.ndarray:
    """(k, k); NaN if a class has fewer than two studies (equation 4)."""
    found = np.full((len(self.auroc),) * 2, np.nan)
    if min(self.positive.shape[1], self.negative.shape[1]) >= 2:
      found = sum(
        np.atleast_2d(np.cov(v)) / v.shape[1]
        for v in (self.positive, self.negative)
      )
    return found

  @property
  def se(self) -> np.ndarray:
    """(k,) standard errors, with rounding errors set to 0."""
    se = np.sqrt(np.maximum(np.diagonal(self.covariance), 0))
    return np.where(se <= bounds.ROUNDING, 0.0, se)

  @property
  def reason(self) -> str:
    """Why there are no standard errors; empty if there are."""
    few = min(self.positive.shape[1], self.negative.shape[1])
    if few >= 2:
      return ''
    return f'DeLong needs two studies of each class, one has {few}'

  def combine(self, weights: np.ndarray) -> 'Areas':
    """Sums of AUROCs weighted by (j, k), such as means and differences.

    Summing before the variances are taken makes the standard error of a
    difference between equal scores exactly 0.
    """
    weights = np.asarray(weights, np.float64)
    return Areas(
      weights @ self.auroc, weights @ self.positive, weights @ self.negative
    )


@dataclasses.dataclass(frozen=True)
class Difference:
  """Two correlated AUROCs compared; NaN where undefined, with the reason.

  Attributes:
    difference: first minus second.
    se: its standard error.
    low: lower end of its interval.
    high: upper end.
    p: one-sided: the first is not better.
    p_two_sided: the two are equal (what pROC's roc.test gives).
    reason: why something is undefined; empty otherwise.
  """

  difference: float
  se: float
  low: float
  high: float
  p: float
  p_two_sided: float
  reason: str


def areas(positive: np.ndarray, scores: np.ndarray) -> Areas:
  """AUROCs with what their covariance is made of; ties are exact.

  Args:
    positive: (n,) bool.
    scores: (k, n) float, higher = more likely positive.
  """
  positive, scores = np.asarray(positive, bool), np.asarray(scores, np.float64)
  n1, n0 = int(positive.sum()), int((~positive).sum())
  k = len(scores)
  if not n1 or not n0:
    return Areas(
      np.full(k, np.nan), np.full((k, n1), np.nan), np.full((k, n0), np.nan)
    )
  ranks = midranks(scores)
  above = (ranks[:, positive] - midranks(scores[:, positive])) / n0
  below = 1 - (ranks[:, ~positive] - midranks(scores[:, ~positive])) / n1
  return Areas(above.mean(axis=1), above, below)


def midranks(values: np.ndarray) -> np.ndarray:
  """(k, n) ranks from 1 to n within each row, tied values sharing theirs."""
  found = np.full(np.shape(values), 0.5)
  for row, ranks in zip(values, found, strict=True):
    ordered = np.sort(row)
    for side in ('left', 'right'):
      ranks += np.searchsorted(ordered, row, side) / 2
  return found


def difference(
  found: Areas, i: int, j: int, *, alpha: float = bounds.ALPHA
) -> Difference:
  """The paired test of area i minus area j (DeLong et al., 1988, eq. 6).

  Equal scores have the interval [0, 0] and p = 1. A difference that is not 0
  but has no variance has no interval: that a sample shows none is no evidence
  that there is none.
  """
  rows = [i, j]
  both = Areas(found.auroc[rows], found.positive[rows], found.negative[rows])
  both = both.combine(np.array([[1.0, -1.0]]))
  d, se = float(both.auroc[0]), float(both.se[0])
  nan = math.nan
  if math.isnan(d) or math.isnan(se):
    return Difference(d, se, nan, nan, nan, nan, found.reason)
  if se == 0:
    if abs(d) <= bounds.ROUNDING:
      return Difference(d, se, 0.0, 0.0, 1.0, 1.0, '')
    reason = 'the difference does not vary between studies'
    return Difference(d, se, nan, nan, nan, nan, reason)
  z = -special.ndtri(alpha)
  return Difference(
    d,
    se,
    float(d - z * se),
    float(d + z * se),
    float(special.ndtr(-d / se)),
    float(2 * special.ndtr(-abs(d) / se)),
    '',
  )


def partial_auroc(
  positive: np.ndarray,
  scores: np.ndarray,
  *,
  specificity: Sequence[float] = (0.8, 1.0),
  corrected: bool = False,
) -> float:
  """Area under the ROC curve where the specificity lies in a range.

  Args:
    positive: (n,) bool.
    scores: (n,) float, higher = more likely positive; tied scores are joined
      by a straight line.
    specificity: lowest and highest, 0 <= lowest < highest <= 1.
    corrected: whether to rescale so that guessing has .5 and perfection 1
      (McClish, 1989, Medical Decision Making 9, 190-195).

  Returns:
    NaN if one of the classes is empty.
  """
  positive, scores = np.asarray(positive, bool), np.asarray(scores)
  if positive.all() or not positive.any():
    return math.nan
  order = np.argsort(-scores, kind='stable')
  ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
  true = np.cumsum(positive[order])[ends] / positive.sum()
  false = np.cumsum(~positive[order])[ends] / (~positive).sum()
  x, y = np.append(0.0, false), np.append(0.0, true)
  steps = np.append(0.0, np.cumsum(np.diff(x) * (y[1:] + y[:-1]) / 2))

  def up_to(rate):
    k = int(np.searchsorted(x, rate, side='right')) - 1
    if k == len(x) - 1:
      return steps[-1]
    rest = rate - x[k]
    slope = (y[k + 1] - y[k]) / (x[k + 1] - x[k])
    return steps[k] + rest * (y[k] + slope * rest / 2)

  first, last = 1 - max(specificity), 1 - min(specificity)
  area = float(up_to(last) - up_to(first))
  if not corrected:
    return area
  least, most = (last**2 - first**2) / 2, last - first
  return (1 + (area - least) / (most - least)) / 2
