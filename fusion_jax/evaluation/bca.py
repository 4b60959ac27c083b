"""Bias-corrected and accelerated bootstrap intervals.

B. Efron (1987), Better bootstrap confidence intervals, Journal of the American
Statistical Association 82, 171-185.
"""

import math

import numpy as np
from scipy import special

from fusion_jax.evaluation import bounds, resampling

# With more patients than this, groups of them are left out together. That
# leaves sums of squared and cubed influences as they are on average; the
# acceleration then has an error of about 0.4 / groups.
_MOST_GROUPS = 1000


def jackknife(patients: np.ndarray, *, seed: int = 0) -> resampling.Resamples:
  """Each of the patients (or groups of patients) left out once.

  Args:
    patients: (n,) str, repeats allowed.
    seed: of the grouping, where there are more than a thousand patients.

  Returns:
    Resamples with counts of 0 and 1, (p, g).
  """
  patients = np.unique(patients)
  p = len(patients)
  g = min(p, _MOST_GROUPS)
  group = np.arange(p)
  if p > g:
    group = np.random.default_rng(seed).permutation(p) % g
  counts = np.ones((p, g), np.uint16)
  counts[np.arange(p), group] = 0
  return resampling.Resamples(patients, counts)


def interval(
  estimate: float,
  replicates: np.ndarray,
  left_out: np.ndarray,
  alpha: float = bounds.ALPHA,
) -> tuple[float, float, str]:
  """BCa interval of one statistic.

  A statistic that does not change when patients are left out has no
  acceleration, and the interval is the bias-corrected one.

  Args:
    estimate: from all patients.
    replicates: (r,) bootstrap values, NaN where undefined; left out.
    left_out: (g,) jackknife values, NaN where undefined; left out.
    alpha: error on each side.

  Returns:
    (low, high, ''), or two NaN and the reason: fewer than half of the
    replicates are defined, or all lie on one side of the estimate.
  """
  low, high, reason = bounds.percentile(replicates, alpha=alpha)
  if reason or math.isnan(estimate):
    return low, high, reason
  defined = replicates[~np.isnan(replicates)]
  share = ((defined < estimate).mean() + (defined <= estimate).mean()) / 2
  if share in (0, 1):
    reason = 'all resamples lie on one side of the estimate'
    return math.nan, math.nan, reason
  bias = special.ndtri(share)
  left_out = left_out[~np.isnan(left_out)]
  influence = left_out.mean() - left_out if len(left_out) else np.zeros(1)
  spread = (influence**2).sum()
  acceleration = 0.0
  if spread > bounds.ROUNDING**2:
    acceleration = (influence**3).sum() / (6 * spread**1.5)
  z = bias + special.ndtri([alpha, 1 - alpha])
  shares = special.ndtr(bias + z / (1 - acceleration * z))
  low, high = np.quantile(defined, shares)
  return float(low), float(high), ''
