"""Intervals of one statistic, and the levels that all bounds share."""

import math

import numpy as np
from scipy import special

# One-sided error of intervals and comparisons, and of bounds that show
# equivalence.
ALPHA = 0.025
ALPHA_EQUIVALENCE = 0.05

# Differences, standard errors and bounds this small are rounding errors.
ROUNDING = 1e-12

# Intervals need this share of the replicates to be defined.
DEFINED_SHARE = 0.5

# Metrics that do not lie in (0, 1), without label or horizon.
_UNLIMITED = (
  'log_loss',
  'calibration_slope',
  'calibration_intercept',
  'r2',
  'rmse',
  'mae',
)


def of_metric(
  metric: str,
  estimate: float,
  replicates: np.ndarray,
  *,
  factor: float = 1.0,
  alpha: float = ALPHA,
) -> tuple[float, float, str]:
  """The interval of an arm's metric from its bootstrap replicates.

  On the logit scale for metrics in (0, 1), else by percentiles.

  Args:
    metric: its name.
    estimate: from the data; NaN where undefined.
    replicates: (r,) NaN where undefined; these are left out.
    factor: multiplies standard errors; see dependence.py.
    alpha: error on each side.

  Returns:
    (low, high, ''), or two NaN and the reason: fewer than half of the
    replicates are defined, the estimate is 0 or 1, or it does not vary.
  """
  if not in_unit_interval(metric) or not estimate <= 1:
    return percentile(replicates, alpha=alpha, estimate=estimate, factor=factor)
  defined, reason = _defined(replicates)
  if reason:
    return math.nan, math.nan, reason
  return logit(estimate, factor * float(defined.std(ddof=1)), alpha=alpha)


def in_unit_interval(metric: str) -> bool:
  """Whether a metric lies between 0 and 1."""
  # A name may end in that of a label or a time.
  return metric.partition('/')[0].partition('@')[0] not in _UNLIMITED


def logit(
  estimate: float, se: float, *, alpha: float = ALPHA
) -> tuple[float, float, str]:
  """An interval made on the logit scale and turned back.

  Its ends are logit(estimate) +- z se / (estimate (1 - estimate)) by the delta
  method. It never leaves (0, 1) and keeps its level better near 1 (Pepe, 2003,
  The Statistical Evaluation of Medical Tests, section 5.2.4).

  Returns:
    (low, high, ''), or two NaN and the reason where it does not exist.
  """
  if math.isnan(estimate) or math.isnan(se):
    return math.nan, math.nan, 'it is undefined'
  if not ROUNDING < estimate < 1 - ROUNDING:
    reason = f'an estimate of {round(estimate)} has no interval'
    return math.nan, math.nan, reason
  if se <= ROUNDING:
    return math.nan, math.nan, 'it does not vary over the resamples'
  centre = special.logit(estimate)
  reach = -special.ndtri(alpha) * se / (estimate * (1 - estimate))
  low, high = special.expit([centre - reach, centre + reach])
  return float(low), float(high), ''


def percentile(
  replicates: np.ndarray,
  *,
  alpha: float = ALPHA,
  estimate: float = math.nan,
  factor: float = 1.0,
) -> tuple[float, float, str]:
  """Percentile interval of one statistic.

  Args:
    replicates: (r,) values, NaN where undefined; these are left out.
    alpha: error on each side.
    estimate: around which the interval is widened by `factor`.
    factor: see dependence.py.

  Returns:
    (low, high, ''), or two NaN and the reason if fewer than half of the
    replicates are defined.
  """
  defined, reason = _defined(replicates)
  if reason:
    return math.nan, math.nan, reason
  low, high = np.quantile(defined, [alpha, 1 - alpha])
  return *widened(float(low), float(high), estimate, factor), ''


def widened(
  low: float, high: float, estimate: float, factor: float
) -> tuple[float, float]:
  """An interval whose distances from the estimate are `factor` times as far."""
  if factor == 1:
    return low, high
  return (
    estimate - factor * (estimate - low),
    estimate + factor * (high - estimate),
  )


def too_few(defined: int, drawn: int) -> str:
  """Why there is no interval where few resamples are defined."""
  return f'only {defined} of {drawn} resamples are defined'


def _defined(replicates) -> tuple[np.ndarray, str]:
  defined = replicates[~np.isnan(replicates)]
  if len(defined) < max(DEFINED_SHARE * len(replicates), 2):
    return defined, too_few(len(defined), len(replicates))
  return defined, ''
