"""Gains of fusion arms over the best single modality.

The gain of a fusion arm is delta = min over single arms of metric(fusion) -
metric(single), for these trained models. Everything here is oriented so that
a positive difference is better.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fusion_jax.evaluation import families as families_lib
from fusion_jax.evaluation import metrics
from fusion_jax.evaluation import verdict as verdict_lib

# From names of fusion arms and of what each is compared with in each fold,
# and the observed (f, s) differences, to their family.
Families = Callable[
  [Sequence[str], Sequence[Sequence[str | None]], np.ndarray],
  families_lib.Family,
]


@dataclasses.dataclass(frozen=True)
class Against:
  """The gain of a fusion arm over one single arm; NaN where undefined."""

  single: str
  difference: float
  low: float
  high: float
  low90: float
  high90: float
  se: float
  p: float
  p_adjusted: float
  reason: str


@dataclasses.dataclass(frozen=True)
class Gain:
  """The gain of one fusion arm over the best of several single arms.

  Attributes:
    arm: the fusion arm.
    single: the single arm with the smallest difference; the best one.
    difference: that difference.
    low: simultaneous one-sided bounds at 2.5%, over all arms; the factor is
      in them.
    high: likewise.
    low90: bounds at 5%, for equivalence.
    high90: likewise.
    se: standard error of that difference, with the factor.
    p: one-sided p-value of 'not better than all of them', for this arm alone.
    p_adjusted: the same over all arms; at most .025 if and only if low > 0.
    against: the same arm against every single arm.
    fold_differences: (g,) difference from `single` in each fold.
    verdict: superior, equivalent, inconclusive or inferior.
    within_margin: superior or inferior, but by less than the margin.
    fragile: the verdict that a factor larger by `dependence.SENSITIVITY`
      gives, where that is another one; empty otherwise.
    reason: why the verdict could not be another one, where that is not seen
      from the bounds; empty otherwise.
  """

  arm: str
  single: str
  difference: float
  low: float
  high: float
  low90: float
  high90: float
  se: float
  p: float
  p_adjusted: float
  against: tuple[Against, ...]
  fold_differences: np.ndarray
  verdict: str
  within_margin: bool
  fragile: str
  reason: str


@dataclasses.dataclass(frozen=True)
class Compared:
  """All fusion arms, in their order, and the family they are judged by."""

  gains: tuple[Gain, ...]
  family: families_lib.Family | None
  singles: tuple[str, ...]


def best_single(estimates: Mapping[str, float]) -> str | None:
  """The arm with the highest value; of equals the first; None if all NaN.

  Args:
    estimates: by arm, oriented so that higher is better.
  """
  known = [a for a, x in estimates.items() if not math.isnan(x)]
  return max(known, key=estimates.get, default=None)


def paired(
  values: np.ndarray, rows: Sequence[int], chosen: np.ndarray
) -> np.ndarray:
  """Differences by fold between arms and what they are compared with.

  Args:
    values: (g, a, ...) metric by fold.
    rows: (f,) places of the fusion arms.
    chosen: (g, s) places of what they are compared with; -1 for none.

  Returns:
    (g, f, s, ...), NaN where one of the two is undefined.
  """
  folds = np.arange(len(values))[:, None]
  others = np.where(
    (chosen >= 0).reshape(*chosen.shape, *[1] * (values.ndim - 2)),
    values[folds, chosen],
    np.nan,
  )
  return values[:, rows, None] - others[:, None]


def resampled(
  arms: Sequence[str], replicates: np.ndarray, values: np.ndarray, factor: float
) -> Families:
  """What makes a family from bootstrap replicates.

  A fold's difference is in a replicate only if it is defined in the data.

  Args:
    arms: names of a arms.
    replicates: (g, a, r) of `values`.
    values: (g, a) as observed, NaN where undefined.
    factor: of the standard errors.
  """
  place = {arm: i for i, arm in enumerate(arms)}

  def family(fusions, singles, observed):
    rows = [place[arm] for arm in fusions]
    chosen = _places(singles, place)
    known = ~np.isnan(paired(values, rows, chosen))
    shape = (*observed.shape, replicates.shape[-1])
    drawn = np.full(shape, np.nan)
    # By single arm, as all of them at once would be large.
    for j in range(chosen.shape[1]):
      here = paired(replicates, rows, chosen[:, j : j + 1])[:, :, 0]
      here = np.where(known[:, :, j, None], here, np.nan)
      drawn[:, j] = metrics.mean([*here])
    return families_lib.resampled(observed, drawn, factor)

  return family


def compare(
  *,
  arms: Sequence[str],
  fusions: Sequence[str],
  singles: Sequence[str],
  values: np.ndarray,
  margin: float | None,
  families: Families,
  sensitivity: float = 0.0,
  missing: str = '',
) -> Compared:
  """The gain of every fusion arm over the best of the single arms.

  Args:
    arms: names of the a arms in `values`.
    fusions: the arms to judge, in the order of the result.
    singles: what they are compared with, of which the best counts.
    values: (g, a) metric by fold (mean over seeds), higher = better, NaN
      where undefined.
    margin: of equivalence; None if there is none to judge by.
    families: makes the bounds.
    sensitivity: what is added to the factor to see whether a verdict is
      fragile.
    missing: why no arm can be more than inconclusive; empty if it can.
  """
  fusions, singles = tuple(fusions), tuple(singles)
  if not fusions or not singles:
    return Compared((), None, singles)
  place = {arm: i for i, arm in enumerate(arms)}
  rows = [place[arm] for arm in fusions]
  constant = [[single] * len(values) for single in singles]
  by_fold = paired(values, rows, _places(constant, place))
  observed = np.stack(
    [metrics.mean([*by_fold[:, i]]) for i in range(len(rows))]
  )
  family = families(fusions, constant, observed)
  other = family.with_factor(family.factor + sensitivity)
  present = ~np.isnan(values[:, [place[a] for a in (*fusions, *singles)]])
  gains = []
  for i, arm in enumerate(fusions):
    reason = missing or _gap((arm, *singles), place, values, present)
    reason = reason or next(filter(None, family.reasons[i]), '')
    verdict, within = _judged(family, i, margin, reason)
    wider, _ = _judged(other, i, margin, reason)
    gains.append(
      _gain(
        arm, singles, family, i, by_fold[:, i], verdict, within, wider, reason
      )
    )
  return Compared(tuple(gains), family, singles)


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
  return best_single({a: sign * valid.get(a, math.nan) for a in singles})


def picked_on_validation(
  *,
  arms: Sequence[str],
  fusions: Sequence[str],
  references: Sequence[str | None],
  values: np.ndarray,
  margin: float | None,
  families: Families,
  gains: Sequence[Gain],
) -> tuple[Gain, ...]:
  """Every fusion arm against the single arm that validation picks by fold.

  A secondary line: what is picked can be weaker on the test part than another
  single arm. The verdict is that of this one difference, superior only if
  every single arm is beaten as well.

  Args:
    arms: names of the a arms in `values`.
    fusions: the arms to judge.
    references: (g,) the arm picked in each fold, None where none could be.
    values: as `compare` takes them.
    margin: of equivalence.
    families: makes the bounds.
    gains: what `compare` came to.
  """
  if not fusions or not any(references):
    return ()
  place = {arm: i for i, arm in enumerate(arms)}
  rows = [place[arm] for arm in fusions]
  picked = [list(references)]
  by_fold = paired(values, rows, _places(picked, place))
  observed = np.stack(
    [metrics.mean([*by_fold[:, i]]) for i in range(len(rows))]
  )
  family = families(tuple(fusions), picked, observed)
  present = ~np.isnan(values)
  singles = ('',)
  judged = []
  for i, (arm, gain) in enumerate(zip(fusions, gains, strict=True)):
    reason = family.reasons[i][0]
    reason = reason or _gap((arm,), place, values, present)
    verdict, within = _judged(family, i, margin, reason)
    if verdict == verdict_lib.SUPERIOR and not gain.low > 0:
      verdict, within = verdict_lib.INCONCLUSIVE, False
      reason = 'not shown to be better than every single modality'
    judged.append(
      _gain(arm, singles, family, i, by_fold[:, i], verdict, within, '', reason)
    )
  return tuple(judged)


def _places(
  singles: Sequence[Sequence[str | None]], place: Mapping[str, int]
) -> np.ndarray:
  """(g, s) places of s lists with the arm of each of g folds; -1 for none."""
  return np.array(
    [[-1 if arm is None else place[arm] for arm in by] for by in singles]
  ).T


def _judged(family, i, margin, reason) -> tuple[str, bool]:
  verdict, within = verdict_lib.judge(
    family.low[i], family.high[i], family.low90[i], family.high90[i], margin
  )
  if reason and verdict != verdict_lib.INFERIOR:
    return verdict_lib.INCONCLUSIVE, False
  return verdict, within


def _gap(wanted, place, values, present) -> str:
  """Which of the arms lacks a result in a fold that others have one in."""
  for arm in wanted:
    lacking = np.isnan(values[:, place[arm]]) & present.any(axis=1)
    if lacking.any():
      count = int(lacking.sum())
      folds = 'a fold' if count == 1 else f'{count} folds'
      return f"'{arm}' has no result in {folds} in which other arms have one"
  return ''


def _gain(
  arm, singles, family, i, by_fold, verdict, within, wider, reason
) -> Gain:
  difference = family.difference[i]
  known = not np.isnan(difference).all()
  least = int(np.nanargmin(difference)) if known else 0

  def smallest(values, *, defined=False):
    """Of all single arms; of those that are defined, or NaN if one is not."""
    values = values[~np.isnan(values)] if defined else values
    return float(values.min()) if len(values) else math.nan

  def largest(values):
    return float(values.max()) if len(values) else math.nan

  se = family.factor * family.se[i]
  return Gain(
    arm=arm,
    single=singles[least],
    difference=float(difference[least]),
    low=smallest(family.low[i]),
    high=smallest(family.high[i], defined=True),
    low90=smallest(family.low90[i]),
    high90=smallest(family.high90[i], defined=True),
    se=float(se[least]),
    p=largest(family.p[i]),
    p_adjusted=largest(family.p_adjusted[i]),
    against=tuple(
      Against(
        single=single,
        difference=float(difference[j]),
        low=float(family.low[i, j]),
        high=float(family.high[i, j]),
        low90=float(family.low90[i, j]),
        high90=float(family.high90[i, j]),
        se=float(se[j]),
        p=float(family.p[i, j]),
        p_adjusted=float(family.p_adjusted[i, j]),
        reason=family.reasons[i][j],
      )
      for j, single in enumerate(singles)
    ),
    fold_differences=by_fold[:, least],
    verdict=verdict,
    within_margin=within,
    fragile=wider if wider != verdict else '',
    reason=reason,
  )
