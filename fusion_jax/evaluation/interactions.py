"""Whether a gain differs between groups: the interaction test.

That the gain is shown in one group and not in another is no evidence that it
differs between them (Altman and Bland, 2003, BMJ 326, 219); the difference of
the gains is what has to be tested.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.evaluation import bounds, families

# Of a two-sided test: that of the 95% intervals.
ALPHA = 0.05


@dataclasses.dataclass(frozen=True, eq=False)
class _Contrasts:
  """The contrasts of one column and arm.

  Attributes:
    column: that divides the studies.
    arm: whose gain it is.
    levels: names of the l levels that are compared.
    estimate: (c,) one contrast of two levels, else c = l of each level less
      the mean of the others.
    se: (c,) bootstrap standard deviations times the factor.
    t: (c, r) standardised errors of the replicates, NaN where undefined.
    reason: why nothing is tested; empty otherwise.
  """

  column: str
  arm: str
  levels: tuple[str, ...]
  estimate: np.ndarray
  se: np.ndarray
  t: np.ndarray
  reason: str


def test(
  gains: Mapping[str, Mapping[str, np.ndarray]],
  arms: Sequence[str],
  *,
  factor: float = 1.0,
) -> list[dict[str, Any]]:
  """Tests, by column and arm, that the gain is the same in all levels.

  Two levels: the difference of their gains. More: each level's gain less the
  mean gain of the other levels, of which the largest counts. This contrast
  test has about the power of a Wald test of all levels at once, says which
  level differs, agrees with its intervals and inverts no covariance of groups
  that may have ten events (Konietschke et al., 2013, Int. J. Biostat. 9,
  63-73).

  It is a two-sided standardised max-t of the patient bootstrap (Westfall and
  Young, 1993, section 2.6): contrast / (factor SD), against the largest
  |replicate - contrast| / SD. `p` allows for the levels of one column, which
  are one question of one arm; `p_adjusted` for all columns and arms.

  Args:
    gains: by column and level, (f, 1 + r) gains of the arms: as observed, then
      the bootstrap replicates, the same draws in all levels.
    arms: names of the f arms.
    factor: multiplies standard errors; see dependence.py.

  Returns:
    One dict per column and arm: column, arm, levels (names), contrast {level,
    against, estimate, low, high} of the largest standardised size, contrasts
    (all of them), statistic, p and p_adjusted; NaN with a reason where nothing
    can be tested. Intervals are simultaneous over the contrasts of the entry:
    one of them leaves out 0 if and only if p <= ALPHA.
  """
  found = [
    _contrasts(column, arm, by_level, a, factor)
    for column, by_level in gains.items()
    for a, arm in enumerate(arms)
  ]
  live = [x for x in found if x.t.size]
  most = np.zeros(0)
  if live:
    most = np.sort(_largest(np.concatenate([x.t for x in live])))
  return [_entry(x, most) for x in found]


def _contrasts(column, arm, by_level, a, factor) -> _Contrasts:
  levels = tuple(k for k, x in by_level.items() if not np.isnan(x[a, 0]))
  none = np.zeros((0, 0))

  def nothing(reason):
    nan = np.full(1, np.nan)
    return _Contrasts(column, arm, levels, nan, nan, none, reason)

  if len(levels) < 2:
    return nothing('fewer than two groups are large enough')
  values = np.stack([by_level[k][a] for k in levels])
  if len(levels) == 2:
    values = values[:1] - values[1:]
  else:
    # Less the mean of the others.
    values = (values - values.mean(axis=0)) * len(levels) / (len(levels) - 1)
  values = families.snapped(values)
  estimate, replicates = values[:, 0], values[:, 1:]
  defined = (~np.isnan(replicates)).sum(axis=1)
  if defined.min() < max(2, bounds.DEFINED_SHARE * replicates.shape[1]):
    return nothing(bounds.too_few(int(defined.min()), replicates.shape[1]))
  se = np.nanstd(replicates, axis=1, ddof=1)
  flat = se <= bounds.ROUNDING
  if (flat & (estimate != 0)).any():
    return nothing(f'{families.NO_VARIANCE} over the resamples')
  if flat.all():
    # Identical predictions gain nothing anywhere.
    return _Contrasts(column, arm, levels, estimate, 0 * se, none, '')
  t = (replicates - estimate[:, None]) / np.where(flat, 1, se)[:, None]
  return _Contrasts(column, arm, levels, estimate, factor * se, t, '')


def _largest(t: np.ndarray) -> np.ndarray:
  """(r,) largest sizes of (c, r), of the replicates where one is defined."""
  t = t[:, ~np.isnan(t).all(axis=0)]
  return np.nanmax(np.abs(t), axis=0)


def _entry(x: _Contrasts, most: np.ndarray) -> dict[str, Any]:
  """The entry, given the sorted largest sizes over all columns and arms."""
  nan = math.nan
  found = {'column': x.column, 'arm': x.arm, 'levels': list(x.levels)}
  if x.reason:
    return {
      **found,
      'contrast': None,
      'contrasts': [],
      'statistic': nan,
      'p': nan,
      'p_adjusted': nan,
      'reason': x.reason,
    }
  at, statistic, reach = 0, 0.0, 0.0
  p = adjusted = 1.0
  if x.t.size:
    sizes = np.abs(x.estimate) / np.where(x.se > 0, x.se, 1)
    at = int(np.argmax(sizes))
    statistic = float(sizes[at])
    own = _largest(x.t)
    reach = families.upper_quantile(own, ALPHA)
    p = _p(statistic, own)
    adjusted = _p(statistic, most)
  named = [
    {
      **_sides(x.levels, i),
      'estimate': float(x.estimate[i]),
      'low': float(x.estimate[i] - reach * x.se[i]),
      'high': float(x.estimate[i] + reach * x.se[i]),
    }
    for i in range(len(x.estimate))
  ]
  return {
    **found,
    'contrast': named[at],
    'contrasts': named,
    'statistic': statistic,
    'p': p,
    'p_adjusted': adjusted,
  }


def _p(statistic: float, largest: np.ndarray) -> float:
  return float((1 + (largest >= statistic).sum()) / (1 + len(largest)))


def _sides(levels, i) -> dict[str, Any]:
  others = [level for k, level in enumerate(levels) if k != i]
  return {'level': levels[i], 'against': others}
