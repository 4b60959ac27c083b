"""Reliability: calibration in bins of equal weight, for many weightings.

Studies are sorted by predicted probability and cut into bins of equal weight;
studies with equal predictions stay together, in the bin of their middle. The
bins belong to the statistic: every weighting cuts its own, so that a study of
weight k is k studies. Bins may be empty (few distinct predictions).
"""

from collections.abc import Callable

import numpy as np

from fusion_jax.evaluation import ranking

BINS = 10

DECOMPOSITION = (
  'ece',
  'ece_debiased',
  'reliability',
  'reliability_debiased',
  'resolution',
  'uncertainty',
  'within_bin',
)


def ece(
  positive: np.ndarray, scores: np.ndarray, bins: int = BINS
) -> ranking.Kernel:
  """Expected calibration error: mean over bins of |mean score - event rate|.

  With bins of equal weight (adaptive: Nixon et al., 2019). It is
  never negative and so too high on average, the more the fewer studies; and
  resamples, which repeat studies, are higher still.

  Args:
    positive: (n,) bool.
    scores: (n,) probabilities.
    bins: number of bins.

  Returns:
    A function from (n, r) weights to (r,) values, NaN without weight.
  """
  sums = binned(scores, [np.subtract(scores, positive, dtype=float)], bins)

  def kernel(weights):
    mass, gap = sums(weights)
    return ranking.ratio(np.abs(gap).sum(axis=0), mass.sum(axis=0))

  return kernel


def decompose(
  positive: np.ndarray, scores: np.ndarray, bins: int = BINS
) -> ranking.Kernel:
  """The Brier score in parts (Murphy, 1973, J. Applied Meteorology 12, 595).

  With f_k, y_k the means of scores and labels in bin k of weight share p_k
  and y the mean label: reliability sum p_k (f_k - y_k)^2, resolution
  sum p_k (y_k - y)^2, uncertainty y (1 - y). As scores differ within a bin,
  `within_bin` (the variance of scores less twice their covariance with the
  labels, within bins: Stephenson et al., 2008, Weather and Forecasting 23,
  752) is what makes

    Brier = reliability - resolution + uncertainty + within_bin

  exact. `reliability_debiased` takes off what perfectly calibrated
  predictions would have by chance, sum p_k y_k (1 - y_k) / (n_k - 1) with n_k
  the bin's weight (Brocker, 2012, Climate Dynamics 39, 655; Kumar et al.,
  2019); it is 0 on average for them and may be
  negative. Bins of weight 1 or less are left out of it.
  `ece_debiased` is its root with its sign, in the unit of a probability.

  Args:
    positive: (n,) bool.
    scores: (n,) probabilities.
    bins: number of bins.

  Returns:
    A function from (n, r) weights to (7, r) values in the order of
    `DECOMPOSITION`, NaN where there is no weight, or where a debiased value
    has no bin of weight above 1.
  """
  scores = np.asarray(scores, np.float64)
  sums = binned(scores, [scores, positive, scores**2, scores * positive], bins)

  def kernel(weights):
    mass, *parts = sums(weights)
    total = mass.sum(axis=0)
    f, y, square, product = (
      np.divide(x, mass, out=np.zeros_like(x), where=mass > 0) for x in parts
    )
    share = ranking.ratio(mass, np.broadcast_to(total, mass.shape))
    base = (share * y).sum(axis=0)
    reliability = (share * (f - y) ** 2).sum(axis=0)
    chance = np.divide(
      y * (1 - y), mass - 1, out=np.zeros_like(y), where=mass > 1
    )
    kept = np.where(mass > 1, share, 0)
    debiased = ranking.ratio(
      (kept * ((f - y) ** 2 - chance)).sum(axis=0), kept.sum(axis=0)
    )
    within = square - f**2 - 2 * (product - f * y)
    return np.stack(
      [
        (share * np.abs(f - y)).sum(axis=0),
        np.sign(debiased) * np.sqrt(np.abs(debiased)),
        reliability,
        debiased,
        (share * (y - base) ** 2).sum(axis=0),
        base * (1 - base),
        (share * within).sum(axis=0),
      ]
    )

  return kernel


def curve(
  outcome: np.ndarray, scores: np.ndarray, bins: int = BINS
) -> ranking.Kernel:
  """Mean prediction and mean outcome by bin, from the lowest prediction up.

  Args:
    outcome: (n,) labels of 0 and 1, or numbers.
    scores: (n,) predictions.
    bins: number of bins.

  Returns:
    A function from (n, r) weights to (2, bins, r) means, NaN in empty bins.
  """
  sums = binned(scores, [scores, outcome], bins)

  def kernel(weights):
    mass, predicted, observed = sums(weights)
    return np.stack(
      [ranking.ratio(predicted, mass), ranking.ratio(observed, mass)]
    )

  return kernel


def binned(
  scores: np.ndarray, terms, bins: int
) -> Callable[[np.ndarray], np.ndarray]:
  """Sums of weights and of weighted terms in bins of equal weight.

  Args:
    scores: (n,) that are cut into bins.
    terms: k arrays (n,) to sum, or (n, r) where they differ by weighting.
    bins: number b of bins.

  Returns:
    A function from (n, r) weights to (1 + k, b, r) sums.
  """
  levels, group = np.unique(scores, return_inverse=True)
  order = np.argsort(group, kind='stable')
  ends = np.searchsorted(group[order], np.arange(len(levels)), side='right')
  ends = np.concatenate([[0], ends])
  terms = [np.asarray(t, np.float64)[order] for t in terms]
  terms = [t[:, None] if t.ndim == 1 else t for t in terms]
  steps = np.arange(1, bins)[:, None]

  def kernel(weights):
    sorted_weights = weights[order]
    columns = np.arange(weights.shape[1])
    below = ranking.cumulative(sorted_weights)

    def twice_middle(level, column):
      # Without division, so that whole-number weights are compared exactly.
      both = below[ends[level], column] + below[ends[level + 1], column]
      return bins * both

    cuts = ranking.bisect(
      twice_middle, len(levels), 2 * steps * below[-1][None]
    )
    last = np.full((1, len(columns)), len(levels))
    rows = ends[np.concatenate([0 * last, cuts, last])]
    found = [np.diff(below[rows, columns], axis=0)]
    for term in terms:
      sums = ranking.cumulative(sorted_weights * term)
      found.append(np.diff(sums[rows, columns], axis=0))
    return np.stack(found)

  return kernel
