"""Standard errors from what papers print.

That is rarely more than an AUROC, perhaps with an interval or the number of
events.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from fusion_jax.core import errors

_LEVEL = 0.95


def clopper_pearson(
  successes: int, trials: int, level: float = _LEVEL
) -> tuple[float, float]:
  """Exact interval of a proportion (Clopper and Pearson 1934, Biometrika 26).

  Raises:
    UserError: unless 0 <= successes <= trials and trials > 0.
  """
  if not (trials > 0 and 0 <= successes <= trials):
    raise errors.UserError(
      f'{successes} of {trials} is no proportion: expected 0 <= successes <= '
      'trials and at least one trial.'
    )
  tail = (1 - level) / 2
  low, high = 0.0, 1.0
  if successes:
    low = float(stats.beta.ppf(tail, successes, trials - successes + 1))
  if successes < trials:
    high = float(stats.beta.ppf(1 - tail, successes + 1, trials - successes))
  return low, high


def group_sizes(
  rates: Sequence[tuple[float, float, float]], largest: int, decimals: int = 2
) -> list[int]:
  """Sizes of a group that explain published rates with exact intervals.

  A size fits if for each (rate, low, high) some count out of it has this rate
  and this Clopper-Pearson interval, all rounded to `decimals`. Where one size
  fits, the number of events of a paper that does not print it is known.

  Args:
    rates: published sensitivities (or specificities), all of one group.
    largest: the largest size to try, such as the size of the test part.
    decimals: that were printed.
  """
  found = []
  for size in range(1, largest + 1):
    counts = np.arange(size + 1)
    with np.errstate(invalid='ignore'):
      low = stats.beta.ppf((1 - _LEVEL) / 2, counts, size - counts + 1)
      high = stats.beta.ppf((1 + _LEVEL) / 2, counts + 1, size - counts)
    low, high = np.where(counts, low, 0), np.where(counts < size, high, 1)
    half = 0.5 * 10.0**-decimals + 1e-9
    shown = np.stack([counts / size, low, high])
    if all(
      (np.abs(shown - np.array(rate)[:, None]) <= half).all(axis=0).any()
      for rate in rates
    ):
      found.append(size)
  return found


def auroc_se(auroc: float, events: int, non_events: int) -> float:
  """Standard error of an AUROC from the class sizes alone.

  Hanley and McNeil (1982, Radiology 143, 29-36, equation 1), with their
  exponential approximation of the two probabilities that it needs.

  Raises:
    UserError: for an AUROC outside [0, 1] or an empty class.
  """
  if not 0 <= auroc <= 1:
    raise errors.UserError(f'AUROC = {auroc}: expected 0 to 1.')
  if events < 1 or non_events < 1:
    raise errors.UserError(
      f'{events} events and {non_events} non-events: an AUROC needs both.'
    )
  two_events = auroc / (2 - auroc)
  two_others = 2 * auroc**2 / (1 + auroc)
  variance = auroc * (1 - auroc)
  variance += (events - 1) * (two_events - auroc**2)
  variance += (non_events - 1) * (two_others - auroc**2)
  return math.sqrt(variance / (events * non_events))


def se_from_interval(low: float, high: float, level: float = _LEVEL) -> float:
  """Standard error that a published interval stands for, if it was normal.

  Raises:
    UserError: if `low` is not below `high`.
  """
  if not low < high:
    raise errors.UserError(
      f'An interval from {low} to {high} has no width: expected low < high.'
    )
  return (high - low) / (2 * float(stats.norm.ppf((1 + level) / 2)))


def difference_se(a: float, b: float, correlation: float) -> float:
  """Standard error of a paired difference, from those of its two terms.

  Papers print neither the paired variance nor the correlation of the two
  estimates on the same patients, so the latter is assumed and varied.

  Raises:
    UserError: for a correlation outside [-1, 1).
  """
  if not -1 <= correlation < 1:
    raise errors.UserError(
      f'correlation = {correlation}: expected -1 or more and less than 1.'
    )
  return math.sqrt(a**2 + b**2 - 2 * correlation * a * b)
