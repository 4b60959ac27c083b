"""Paired comparisons of fusion arms with the best single modality.

Everything here is oriented so that a positive difference is better; where
less of the metric is better the summary turns the signs back.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fusion_jax.evaluation import metrics

INFERIOR = 'inferior'
SUPERIOR = 'superior'
EQUIVALENT = 'equivalent'
INCONCLUSIVE = 'inconclusive'

# One-sided error of the comparisons, and of each side of the equivalence test.
ALPHA = 0.025
ALPHA_EQUIVALENCE = 0.05

# The n needed gives this power to see a difference as large as the margin.
POWER = 0.8
_NORMAL_QUANTILE_OF_POWER = 0.8416212335729143

# Differences this small are rounding errors.
ROUNDING = 1e-12

# Intervals need this share of the replicates to be defined.
_DEFINED_SHARE = 0.5


@dataclasses.dataclass(frozen=True)
class Family:
  """k paired differences tested together; all arrays are (k,).

  Attributes:
    difference: as observed.
    se: standard errors.
    low: simultaneous one-sided lower bounds at ALPHA.
    high: simultaneous one-sided upper bounds at ALPHA.
    low90: simultaneous lower bounds at ALPHA_EQUIVALENCE.
    high90: simultaneous upper bounds at ALPHA_EQUIVALENCE.
    p: one-sided p-value of 'not better', for this difference alone.
    p_adjusted: the same for the family.
    above: bool, whether the family's test calls the difference better than 0.
    below: bool, whether it calls it worse.
    critical: the number of standard errors between difference and `low` while
      nothing is rejected; NaN if no difference varies.
    reasons: (k,) why a bound is NaN; empty otherwise.
  """

  difference: np.ndarray
  se: np.ndarray
  low: np.ndarray
  high: np.ndarray
  low90: np.ndarray
  high90: np.ndarray
  p: np.ndarray
  p_adjusted: np.ndarray
  above: np.ndarray
  below: np.ndarray
  critical: float
  reasons: tuple[str, ...]


# From the arm chosen in each fold (None where there is none) and the (g, k)
# observed differences from it to their family.
Families = Callable[[Sequence[str | None], np.ndarray], Family]


@dataclasses.dataclass(frozen=True)
class Against:
  """The difference between a fusion arm and one single-modality arm.

  `beaten` says whether the fusion arm is shown to be better.
  """

  reference: str
  difference: float
  low: float
  high: float
  p: float
  p_adjusted: float
  beaten: bool
  reason: str


@dataclasses.dataclass(frozen=True)
class Comparison:
  """A fusion arm against the reference chosen fold by fold.

  Attributes are those of `Family` for this arm, and:
    fold_differences: (g,) one difference per fold, NaN where undefined.
    against: the same arm against every single-modality arm.
    patients_needed: so that POWER of all tests of this size would find a true
      difference as large as the margin; test sampling only. None if unknown.
    verdict: superior, equivalent, inconclusive or inferior.
    reason: why the verdict could not be another one, where that is not seen
      from the interval; empty otherwise.
  """

  arm: str
  difference: float
  se: float
  low: float
  high: float
  low90: float
  high90: float
  p: float
  p_adjusted: float
  fold_differences: np.ndarray
  against: tuple[Against, ...]
  patients_needed: int | None
  verdict: str
  reason: str


def choose_reference(
  valid: Mapping[str, float], singles: Sequence[str], higher_is_better: bool
) -> str | None:
  """The single-modality arm that is best on a fold's validation part.

  Args:
    valid: the metric by arm, NaN where undefined.
    singles: the candidates; of equals the first one wins.
    higher_is_better: of the metric.

  Returns:
    The arm's name, or None if the metric is undefined for all of them.
  """
  sign = 1 if higher_is_better else -1
  best = None
  for arm in singles:
    value = sign * valid.get(arm, math.nan)
    if not math.isnan(value) and (best is None or value > best[0]):
      best = value, arm
  return best and best[1]


def interval(
  replicates: np.ndarray, alpha: float = ALPHA
) -> tuple[float, float, str]:
  """Percentile interval of one statistic.

  Args:
    replicates: (r,) values, NaN where undefined; these are left out.
    alpha: error on each side.

  Returns:
    (low, high, ''), or two NaN and the reason if fewer than half of the
    replicates are defined.
  """
  defined = replicates[~np.isnan(replicates)]
  if len(defined) < _DEFINED_SHARE * len(replicates):
    return math.nan, math.nan, _too_few(len(defined), len(replicates))
  low, high = np.quantile(defined, [alpha, 1 - alpha])
  return float(low), float(high), ''


def max_t(difference: np.ndarray, replicates: np.ndarray) -> Family:
  """Studentised max-t bootstrap of k differences (Westfall and Young, 1993).

  t = (replicate - observed) / se with se the standard deviation over
  replicates; the quantiles of the largest and smallest t over the k
  differences give simultaneous bounds and adjusted p-values. The quantile is
  the order statistic for which `low > 0` says the same as
  `p_adjusted <= ALPHA`.

  A difference that is zero in every replicate (identical predictions) has
  bounds of zero and p = 1. One that is constant but not zero (constant scores
  against perfect ones, or a handful of studies) has no bounds: the resamples
  show no variance, which is no evidence that there is none. Replicates in
  which a difference is undefined are left out for all k; if fewer than half
  remain there are no bounds.

  Args:
    difference: (k,) observed, NaN where undefined.
    replicates: (k, r), NaN where undefined.
  """
  k = len(difference)
  nan = np.full(k, np.nan)
  known = ~np.isnan(difference)
  kept = ~np.isnan(replicates[known]).any(axis=0)
  values = replicates[:, kept]
  r = values.shape[1]
  enough = r > 1 and r >= _DEFINED_SHARE * len(kept)
  se = nan.copy()
  if enough and known.any():
    se[known] = values[known].std(axis=1, ddof=1)
  flat = known & (se <= ROUNDING)
  zero = flat & (np.abs(difference) <= ROUNDING)
  live = known & (se > ROUNDING)
  bounds = {name: nan.copy() for name in ('low', 'high', 'low90', 'high90')}
  p, p_adjusted = nan.copy(), nan.copy()
  critical = math.nan
  for bound in bounds.values():
    bound[zero] = 0.0
  p[zero] = p_adjusted[zero] = 1.0
  if live.any():
    d, s = difference[live], se[live]
    t = (values[live] - d[:, None]) / s[:, None]
    upper, lower = np.sort(t.max(axis=0)), np.sort(-t.min(axis=0))
    critical = _upper_quantile(upper, ALPHA)
    bounds['low'][live] = d - critical * s
    bounds['high'][live] = d + _upper_quantile(lower, ALPHA) * s
    bounds['low90'][live] = d - _upper_quantile(upper, ALPHA_EQUIVALENCE) * s
    bounds['high90'][live] = d + _upper_quantile(lower, ALPHA_EQUIVALENCE) * s
    observed = d / s
    p[live] = (1 + (t >= observed[:, None]).sum(axis=1)) / (1 + r)
    p_adjusted[live] = (1 + r - np.searchsorted(upper, observed)) / (1 + r)
  reasons = []
  for i in range(k):
    if not known[i]:
      reasons.append('the difference is undefined in every fold')
    elif not enough:
      reasons.append(_too_few(r, len(kept)))
    elif flat[i] and not zero[i]:
      reasons.append('the difference does not vary over the resamples')
    else:
      reasons.append('')
  return Family(
    difference=difference,
    se=se,
    **bounds,
    p=p,
    p_adjusted=p_adjusted,
    above=bounds['low'] > 0,
    below=bounds['high'] < 0,
    critical=critical,
    reasons=tuple(reasons),
  )


def compare(
  *,
  arms: Sequence[str],
  fusions: Sequence[str],
  singles: Sequence[str],
  references: Sequence[str | None],
  values: np.ndarray,
  margin: float,
  patients: int,
  replicates: np.ndarray | None = None,
  families: Families | None = None,
) -> list[Comparison]:
  """Compares every fusion arm with the reference and with every single arm.

  Args:
    arms: names of the a arms in `values`.
    fusions: the family, in the order of the result.
    singles: single-modality arms.
    references: (g,) the single-modality arm to beat in each fold, or None
      where it could not be chosen.
    values: (g, a) metric by fold (mean over seeds), higher = better, NaN
      where undefined.
    margin: of equivalence.
    patients: number that were tested.
    replicates: (g, a, r) bootstrap replicates of `values`.
    families: what makes a family of differences where there are no
      replicates.
  """
  if not fusions or not singles:
    return []
  place = {arm: i for i, arm in enumerate(arms)}
  rows = [place[arm] for arm in fusions]

  def family(chosen):
    """The differences from `chosen`, one arm per fold."""
    observed = np.full((len(chosen), len(rows)), np.nan)
    for g, arm in enumerate(chosen):
      if arm is not None:
        observed[g] = values[g, rows] - values[g, place[arm]]
    if families is not None:
      return families(chosen, observed), observed
    shape = (len(rows), replicates.shape[-1])
    sums, counts = np.zeros(shape), np.zeros(shape)
    for g, arm in enumerate(chosen):
      if arm is None:
        continue
      paired = replicates[g, rows] - replicates[g, place[arm]]
      # A fold without an observed difference stays out of the replicates too.
      there = ~np.isnan(paired) & ~np.isnan(observed[g])[:, None]
      sums += np.where(there, paired, 0)
      counts += there
    resampled = np.divide(
      sums, counts, out=np.full(shape, np.nan), where=counts > 0
    )
    return max_t(metrics.mean([*observed]), resampled), observed

  main, by_fold = family(references)
  against = {s: family([s] * len(references))[0] for s in singles}
  found = []
  for i, arm in enumerate(fusions):
    others = tuple(_against(s, f, i) for s, f in against.items())
    gaps = _gaps(values, references, place, arm)
    verdict, reason = _verdict(main, i, others, margin, gaps, any(references))
    found.append(
      Comparison(
        arm=arm,
        difference=float(main.difference[i]),
        se=float(main.se[i]),
        low=float(main.low[i]),
        high=float(main.high[i]),
        low90=float(main.low90[i]),
        high90=float(main.high90[i]),
        p=float(main.p[i]),
        p_adjusted=float(main.p_adjusted[i]),
        fold_differences=by_fold[:, i],
        against=others,
        patients_needed=_patients_needed(main, i, margin, patients),
        verdict=verdict,
        reason=reason,
      )
    )
  return found


def _too_few(defined, drawn) -> str:
  return f'only {defined} of {drawn} resamples are defined'


def _upper_quantile(ascending: np.ndarray, alpha: float) -> float:
  """The order statistic exceeded with probability at most alpha."""
  r = len(ascending)
  rank = int(math.floor(alpha * (r + 1) + 1e-9))
  return float(ascending[r - rank]) if rank else math.inf


def _gaps(values, references, place, arm) -> list[int]:
  """Folds in which the reference is defined but the arm has no model."""
  return [
    g
    for g, reference in enumerate(references)
    if reference is not None
    and not np.isnan(values[g, place[reference]])
    and np.isnan(values[g, place[arm]])
  ]


def _against(single: str, family: Family, i: int) -> Against:
  return Against(
    reference=single,
    difference=float(family.difference[i]),
    low=float(family.low[i]),
    high=float(family.high[i]),
    p=float(family.p[i]),
    p_adjusted=float(family.p_adjusted[i]),
    beaten=bool(family.above[i]),
    reason=family.reasons[i],
  )


def _verdict(family, i, against, margin, gaps, chosen) -> tuple[str, str]:
  """The first of inferior, superior, equivalent that holds, and a reason."""
  if not chosen:
    return INCONCLUSIVE, 'no fold has a reference to compare with'
  if family.reasons[i]:
    return INCONCLUSIVE, family.reasons[i]
  if family.below[i]:
    return INFERIOR, ''
  if gaps:
    # Folds in which an arm failed may be the hard ones.
    return INCONCLUSIVE, f'the arm has no result in {len(gaps)} fold(s)'
  reason = ''
  if family.above[i]:
    unbeaten = [x.reference for x in against if not x.beaten]
    if not unbeaten:
      return SUPERIOR, ''
    reason = f'not shown to be better than {", ".join(unbeaten)}'
  if -margin < family.low90[i] and family.high90[i] < margin:
    return EQUIVALENT, reason
  return INCONCLUSIVE, reason


def _patients_needed(family, i, margin, patients) -> int | None:
  se = family.se[i]
  if not se > ROUNDING or not math.isfinite(family.critical):
    return None
  reach = max(family.critical, 0) + _NORMAL_QUANTILE_OF_POWER
  return math.ceil(patients * (reach * se / margin) ** 2)
