"""Simultaneous bounds of the gains of fusion arms over single arms.

A gain is metric(fusion) - metric(single), turned so that positive is better.
Bounds are those of a standardised max-t (Westfall and Young, 1993,
Resampling-based Multiple Testing, section 2.6): every draw is divided by one
standard error, that of the observed data. (A studentised one would have a
standard error for each draw.)
"""

import dataclasses
import math

import numpy as np

from fusion_jax.evaluation import bounds as bounds_lib
from fusion_jax.evaluation import delong

# Draws of the normal vector that stands for DeLong's AUROCs, and their seed.
NORMAL_DRAWS = 100_000
_NORMAL_SEED = 0

NO_VARIANCE = 'the difference does not vary'


@dataclasses.dataclass(frozen=True)
class Family:
  """f fusion arms against s single arms; arrays are (f, s) unless said.

  Lower bounds of one column hold at once for all f arms; upper bounds hold at
  once for all arms and all singles. So the smallest lower bound of a row is
  one of min_s gain, at once for all arms (the best single is the same for
  every arm), and the smallest upper bound of a row is one from above.

  Attributes:
    difference: as observed, NaN where undefined.
    se: standard errors, without the factor.
    factor: that multiplies them, for models that share training data.
    low: simultaneous one-sided lower bounds at `bounds.ALPHA`.
    high: simultaneous one-sided upper bounds at `bounds.ALPHA`.
    low90: lower bounds at `bounds.ALPHA_EQUIVALENCE`.
    high90: upper bounds at `bounds.ALPHA_EQUIVALENCE`.
    p: one-sided p-value of 'not better', for this difference alone.
    p_adjusted: the same for all arms against that single arm; `low > 0` if and
      only if it is at most `bounds.ALPHA`.
    critical_low: (s,) `low` is this many standard errors below the difference;
      NaN where no difference varies.
    critical_low90: (s,) the same for `low90`.
    critical_high: the same for `high`, one number.
    critical_high90: the same for `high90`.
    covariance: (f, s, f, s) of the differences, without the factor.
    reasons: f tuples of s texts: why there are no bounds; empty otherwise.
  """

  difference: np.ndarray
  se: np.ndarray
  factor: float
  low: np.ndarray
  high: np.ndarray
  low90: np.ndarray
  high90: np.ndarray
  p: np.ndarray
  p_adjusted: np.ndarray
  critical_low: np.ndarray
  critical_low90: np.ndarray
  critical_high: float
  critical_high90: float
  covariance: np.ndarray
  reasons: tuple[tuple[str, ...], ...]

  def with_factor(self, factor: float) -> 'Family':
    """The same family with bounds for another factor; p-values are dropped."""
    nan = np.full(self.difference.shape, np.nan)
    bounds = _bounds(
      self.difference,
      self.se,
      factor,
      (
        self.critical_low,
        self.critical_high,
        self.critical_low90,
        self.critical_high90,
      ),
    )
    return dataclasses.replace(
      self, factor=factor, **bounds, p=nan, p_adjusted=nan
    )


def resampled(
  difference: np.ndarray, replicates: np.ndarray, factor: float = 1.0
) -> Family:
  """The family of differences with bootstrap replicates.

  A difference that is zero in every replicate (identical predictions) has
  bounds of zero and p = 1. One that is constant but not zero (constant scores
  against perfect ones, or a handful of studies) has no bounds: the resamples
  show no variance, which is no evidence that there is none. Replicates in
  which a known difference is undefined are left out for all of them; if fewer
  than half remain there are no bounds.

  Args:
    difference: (f, s) observed, NaN where undefined.
    replicates: (f, s, r), NaN where undefined.
    factor: multiplies every standard error; see dependence.py.
  """
  known = ~np.isnan(difference)
  kept = ~np.isnan(replicates[known]).any(axis=0)
  values = replicates[..., kept]
  r = values.shape[-1]
  se = np.full(difference.shape, np.nan)
  covariance = np.full((difference.size,) * 2, np.nan)
  reason = ''
  if r > 1 and r >= bounds_lib.DEFINED_SHARE * len(kept):
    se[known] = values[known].std(axis=-1, ddof=1)
    covariance = np.atleast_2d(np.cov(values.reshape(difference.size, r)))
  else:
    reason = bounds_lib.too_few(r, len(kept))
  return _family(
    difference,
    se,
    factor,
    lambda s: values[:, s] - difference[:, s, None],
    covariance,
    reason,
    f'{NO_VARIANCE} over the resamples',
  )


def normal(
  areas: delong.Areas,
  arms: np.ndarray,
  singles: np.ndarray,
  draws: int = NORMAL_DRAWS,
) -> Family:
  """The family of AUROCs with DeLong's covariance.

  Bounds and p-values are those of `resampled`, with draws of a normal vector
  in the place of replicates.

  Args:
    areas: of all arms.
    arms: (f,) places of the fusion arms.
    singles: (s,) places of the single arms.
    draws: number of normal vectors, with a fixed seed.
  """
  shape = len(arms), len(singles)
  count = len(areas.auroc)
  weights = np.zeros((*shape, count))
  for i, arm in enumerate(arms):
    for j, single in enumerate(singles):
      weights[i, j, arm] += 1
      weights[i, j, single] -= 1
  known = ~np.isnan(areas.auroc)
  # An arm without an area must not make those of the others undefined.
  filled = dataclasses.replace(areas, auroc=np.where(known, areas.auroc, 0.0))
  gains = filled.combine(weights.reshape(-1, count))
  pairs = known[arms][:, None] & known[singles]
  difference = np.where(pairs, gains.auroc.reshape(shape), np.nan)
  covariance = np.where(known[:, None] & known, areas.covariance, 0.0)
  if np.isnan(covariance).any():
    covariance = np.zeros_like(covariance)
  values, vectors = np.linalg.eigh(covariance)
  root = vectors * np.sqrt(np.maximum(values, 0))
  rng = np.random.default_rng(_NORMAL_SEED)
  vector = root @ rng.standard_normal((count, draws))
  se = gains.se.reshape(shape)
  return _family(
    difference,
    se,
    1.0,
    lambda s: vector[arms] - vector[singles[s]],
    gains.covariance,
    areas.reason,
    f'{NO_VARIANCE} between studies',
  )


def upper_quantile(values: np.ndarray, alpha: float) -> float:
  """The order statistic of (r,) values exceeded with probability <= alpha.

  It is the one for which `low > 0` says the same as `p_adjusted <= alpha`.
  """
  r = len(values)
  rank = int(math.floor(alpha * (r + 1) + 1e-9))
  if not rank:
    return math.inf
  return float(np.partition(values, r - rank)[r - rank])


def snapped(value):
  """The value or array, with what is 0 but for rounding set to 0."""
  return np.where(np.abs(value) <= bounds_lib.ROUNDING, 0.0, value)


def _family(
  difference, se, factor, errors_of, covariance, reason, constant
) -> Family:
  """The family from draws of its errors.

  Args:
    difference: (f, s) observed.
    se: (f, s), NaN where unknown.
    factor: of the standard errors.
    errors_of: from the place of a single arm, (f, r) draws around 0.
    covariance: (f * s, f * s) of the differences.
    reason: why there are no standard errors at all; empty if there are.
    constant: why a difference without variance has no bounds.
  """
  f, s = difference.shape
  difference = snapped(difference)
  live = ~np.isnan(difference) & (se > bounds_lib.ROUNDING)
  flat = ~np.isnan(difference) & (se <= bounds_lib.ROUNDING)
  zero = flat & (difference == 0)
  p, p_adjusted = (np.where(zero, 1.0, np.nan) for _ in range(2))
  low, low90 = np.full(s, np.nan), np.full(s, np.nan)
  least = None
  for j in range(s):
    rows = live[:, j]
    if not rows.any():
      continue
    # Unscaled: the factor is for the data, the draws have their own spread.
    t = errors_of(j)[rows] / se[rows, j, None]
    most = t.max(axis=0)
    low[j] = upper_quantile(most, bounds_lib.ALPHA)
    low90[j] = upper_quantile(most, bounds_lib.ALPHA_EQUIVALENCE)
    seen = difference[rows, j] / (factor * se[rows, j])
    r = t.shape[1]
    p[rows, j] = (1 + (t >= seen[:, None]).sum(axis=1)) / (1 + r)
    most = np.sort(most)
    above = r - np.searchsorted(most, seen)
    p_adjusted[rows, j] = (1 + above) / (1 + r)
    below = t.min(axis=0)
    least = below if least is None else np.minimum(least, below)
  high = math.nan if least is None else upper_quantile(-least, bounds_lib.ALPHA)
  high90 = (
    math.nan
    if least is None
    else upper_quantile(-least, bounds_lib.ALPHA_EQUIVALENCE)
  )
  reasons = np.full((f, s), '', object)
  reasons[flat & ~zero] = constant
  reasons[np.isnan(difference)] = 'the difference is undefined in every fold'
  if reason:
    reasons[~np.isnan(difference)] = reason
  return Family(
    difference=difference,
    se=se,
    factor=factor,
    **_bounds(difference, se, factor, (low, high, low90, high90)),
    p=p,
    p_adjusted=p_adjusted,
    critical_low=low,
    critical_low90=low90,
    critical_high=high,
    critical_high90=high90,
    covariance=covariance.reshape(f, s, f, s),
    reasons=tuple(map(tuple, reasons)),
  )


def _bounds(difference, se, factor, critical) -> dict[str, np.ndarray]:
  """Bounds from the numbers of standard errors that reach to them."""
  live = se > bounds_lib.ROUNDING
  flat = (se <= bounds_lib.ROUNDING) & (difference == 0)
  reach = factor * np.where(live, se, np.nan)
  low, high, low90, high90 = critical
  limits = {
    'low': difference - low * reach,
    'high': difference + high * reach,
    'low90': difference - low90 * reach,
    'high90': difference + high90 * reach,
  }
  return {
    name: snapped(np.where(flat, 0.0, limit)) for name, limit in limits.items()
  }
