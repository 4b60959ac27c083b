"""Holm's correction for several tests, where there are no resamples.

With resamples the max-t bootstrap of comparison.py is better: it knows how
the differences hang together.
"""

import numpy as np
from scipy import special

from fusion_jax.evaluation import comparison


def adjust(p: np.ndarray) -> np.ndarray:
  """Adjusted p-values (Holm, 1979, Scandinavian J. of Statistics 6, 65-70).

  Args:
    p: (k,) p-values, NaN where undefined; these count as no test.

  Returns:
    (k,) values; those not above a level are rejected with that family-wise
    error.
  """
  p = np.asarray(p, np.float64)
  order = np.argsort(p, kind='stable')[: int((~np.isnan(p)).sum())]
  k = len(order)
  found = np.full(len(p), np.nan)
  steps = p[order] * np.arange(k, 0, -1)
  found[order] = np.minimum(np.maximum.accumulate(steps), 1)
  return found


def family(
  difference: np.ndarray, se: np.ndarray, reasons: list[str]
) -> comparison.Family:
  """The k differences with normal errors as one family.

  Args:
    difference: (k,) as observed, NaN where undefined.
    se: (k,) standard errors, NaN where undefined.
    reasons: (k,) why there is no standard error; empty otherwise.

  The test is Holm's; the bounds are Bonferroni's, as the ones that belong to
  Holm's test say of a rejected hypothesis no more than its sign (Strassburger
  and Bretz, 2008, Statistics in Medicine 27, 4914-4927). So a difference may be
  called better than 0 with a lower bound that is not above 0. Differences of 0
  without variance have bounds of 0 and p = 1; others without variance have
  none.
  """
  live = ~np.isnan(difference) & (se > 0)
  zero = (se == 0) & (np.abs(difference) <= comparison.ROUNDING)
  k = len(difference)
  values = {
    name: np.where(zero, 0.0, np.nan)
    for name in ('low', 'high', 'low90', 'high90')
  }
  p, p_adjusted = (np.where(zero, 1.0, np.nan) for _ in range(2))
  above, below = np.zeros(k, bool), np.zeros(k, bool)
  critical = np.nan
  if live.any():
    d, s = difference[live], se[live]
    for low, high, alpha in (
      ('low', 'high', comparison.ALPHA),
      ('low90', 'high90', comparison.ALPHA_EQUIVALENCE),
    ):
      reach = -special.ndtri(alpha / live.sum()) * s
      values[low][live], values[high][live] = d - reach, d + reach
    p[live] = special.ndtr(-d / s)
    p_adjusted[live] = adjust(p[live])
    above[live] = p_adjusted[live] <= comparison.ALPHA
    below[live] = adjust(special.ndtr(d / s)) <= comparison.ALPHA
    critical = float(-special.ndtri(comparison.ALPHA / live.sum()))
  found = []
  for i in range(k):
    reason = reasons[i]
    if not reason and np.isnan(difference[i]):
      reason = 'the difference is undefined'
    elif not reason and not live[i] and not zero[i]:
      reason = 'the difference does not vary between studies'
    found.append(reason)
  return comparison.Family(
    difference=difference,
    se=se,
    **values,
    p=p,
    p_adjusted=p_adjusted,
    above=above,
    below=below,
    critical=critical,
    reasons=tuple(found),
  )
