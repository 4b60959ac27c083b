"""Random-effects meta-analysis: one effect of each study, pooled.

Arrays in, numbers out. The effects may be gains of fusion that papers print, or
those of runs of one's own.
"""

import dataclasses
import math

import numpy as np
from scipy import optimize, stats

from fusion_jax.core import errors

DL, PM, REML = 'dl', 'pm', 'reml'
ESTIMATORS = (DL, PM, REML)

# Fewer studies give a test of asymmetry almost no power (Sterne et al. 2011,
# BMJ 343:d4002).
FEWEST_FOR_EGGER = 10
# With fewer, a prediction interval rests on a between-study variance that is
# hardly known and misses its level (Partlett and Riley 2017, Stat. Med. 36,
# 301-317).
FEWEST_FOR_PREDICTION = 5

_LEVEL = 0.95
# Doublings of the bound that a between-study variance is searched below.
_DOUBLINGS = 200


@dataclasses.dataclass(frozen=True)
class Pooled:
  """A random-effects summary of k studies.

  Attributes:
    estimator: of the between-study variance, one of ESTIMATORS.
    k: number of studies.
    estimate: the mean effect over the population of studies.
    scale: Hartung and Knapp's q, the weighted mean square of the effects
      about their mean; 1 is expected.
    se: its Hartung-Knapp standard error, with max(1, scale) if `modified`.
    low: 95% interval of the mean, with t quantiles on k - 1 degrees.
    high: its upper end.
    p: two-sided p-value of 'the mean effect is 0'.
    prediction_low: 95% interval of the effect in a new study; NaN if none is
      given.
    prediction_high: its upper end.
    prediction_reason: why none is given; empty otherwise.
    tau2: between-study variance.
    q: Cochran's heterogeneity statistic.
    q_p: its p-value on k - 1 degrees.
    i2: share of the variance of the effects that is between studies, 0 to 1.
  """

  estimator: str
  k: int
  estimate: float
  scale: float
  se: float
  low: float
  high: float
  p: float
  prediction_low: float
  prediction_high: float
  prediction_reason: str
  tau2: float
  q: float
  q_p: float
  i2: float


@dataclasses.dataclass(frozen=True)
class Egger:
  """Egger's regression test of funnel asymmetry, or why there is none.

  Attributes:
    t: the statistic of the slope on the standard error; NaN if not done.
    df: its degrees of freedom, k - 2.
    p: two-sided p-value.
    limit: the effect expected of a study without sampling error.
    reason: why it was not done; empty otherwise.
  """

  t: float
  df: int
  p: float
  limit: float
  reason: str = ''


def tau2(
  effects: np.ndarray, variances: np.ndarray, estimator: str = REML
) -> float:
  """Between-study variance of k effects, never below 0.

  'dl' is the moment estimator of DerSimonian and Laird (1986, Control. Clin.
  Trials 7, 177-188), 'pm' solves Q(tau2) = k - 1 (Paule and Mandel 1982, J.
  Res. Natl. Bur. Stand. 87, 377-385), 'reml' maximises the restricted
  likelihood (Viechtbauer 2005, J. Educ. Behav. Stat. 30, 261-293).

  Args:
    effects: (k,).
    variances: (k,) sampling variances, positive.
    estimator: one of ESTIMATORS.

  Raises:
    UserError: for an unknown estimator, fewer than two studies, or variances
      that are not positive.
  """
  effects, variances = _checked(effects, variances)
  if estimator not in ESTIMATORS:
    raise errors.unknown_name(
      'estimator of tau2', estimator, ESTIMATORS, where='meta-analysis'
    )
  df = len(effects) - 1
  if estimator == DL:
    w = 1 / variances
    spare = w.sum() - (w**2).sum() / w.sum()
    return max(0.0, float((_q(effects, variances) - df) / spare))
  if estimator == PM:
    return _root(lambda t: _q(effects, variances + t) - df, variances)
  return _reml(effects, variances)


def pool(
  effects: np.ndarray,
  variances: np.ndarray,
  estimator: str = REML,
  *,
  modified: bool = True,
  fewest_for_prediction: int = FEWEST_FOR_PREDICTION,
) -> Pooled:
  """Pools k effects that differ between studies.

  The interval of the mean is Hartung and Knapp's (2001, Stat. Med. 20,
  3875-3889), which unlike the normal one holds its level with few studies: its
  variance is that of the random-effects mean times q, the weighted mean square
  of the effects, and its quantile is t's on k - 1 degrees. Where by chance the
  effects differ less than their standard errors say, q is below 1 and the
  interval can be narrower than that of a single precise study. The
  modification takes max(1, q) (Knapp and Hartung 2003, Stat. Med. 22,
  2693-2710; recommended with few studies of unequal size by Roever, Knapp and
  Friede 2015, BMC Med. Res. Methodol. 15:99, discussed by Jackson et al. 2017,
  Stat. Med. 36, 3923-3934).

  The prediction interval adds tau2 and uses the same t quantile (IntHout et
  al. 2016, BMJ Open 6:e010247). I2 is tau2 / (tau2 + typical sampling
  variance) (Higgins and Thompson 2002, Stat. Med. 21).

  Args:
    effects: (k,), k at least 2.
    variances: (k,) sampling variances, positive.
    estimator: of tau2.
    modified: whether q below 1 counts as 1.
    fewest_for_prediction: number of studies below which no prediction
      interval is given.

  Raises:
    UserError: as `tau2`.
  """
  effects, variances = _checked(effects, variances)
  between = tau2(effects, variances, estimator)
  k = len(effects)
  w = 1 / (variances + between)
  mean = float(w @ effects / w.sum())
  scale = float(w @ (effects - mean) ** 2 / (k - 1))
  se = math.sqrt((max(1.0, scale) if modified else scale) / w.sum())
  quantile = float(stats.t.ppf((1 + _LEVEL) / 2, k - 1))
  beyond, reason = quantile * math.sqrt(se**2 + between), ''
  if k < fewest_for_prediction:
    beyond = math.nan
    reason = (
      f'{k} studies: a prediction interval is given with '
      f'{fewest_for_prediction} or more'
    )
  if se > 0:
    p = 2 * float(stats.t.sf(abs(mean) / se, k - 1))
  else:
    p = 1.0 if mean == 0 else 0.0
  q = _q(effects, variances)
  own = 1 / variances
  typical = (k - 1) * own.sum() / (own.sum() ** 2 - (own**2).sum())
  return Pooled(
    estimator=estimator,
    k=k,
    estimate=mean,
    scale=scale,
    se=se,
    low=mean - quantile * se,
    high=mean + quantile * se,
    p=p,
    prediction_low=mean - beyond,
    prediction_high=mean + beyond,
    prediction_reason=reason,
    tau2=between,
    q=q,
    q_p=float(stats.chi2.sf(q, k - 1)),
    i2=float(between / (between + typical)),
  )


def egger(effects: np.ndarray, se: np.ndarray) -> Egger:
  """Egger's test: weighted regression of the effects on their standard errors.

  Egger et al. (1997, BMJ 315, 629-634); not done with fewer than
  FEWEST_FOR_EGGER studies or equal standard errors.

  Args:
    effects: (k,).
    se: (k,) standard errors, positive.
  """
  effects, se = np.asarray(effects, float), np.asarray(se, float)
  k = len(effects)
  if k < FEWEST_FOR_EGGER:
    return _no_egger(
      f'{k} studies: the test is done with {FEWEST_FOR_EGGER} or more'
    )
  if np.ptp(se) <= 1e-12 * se.max():
    return _no_egger('all studies have the same standard error')
  design = np.stack([1 / se, np.ones(k)], axis=1)
  inverse = np.linalg.inv(design.T @ design)
  limit, slope = inverse @ design.T @ (effects / se)
  residual = effects / se - design @ np.array([limit, slope])
  spread = residual @ residual / (k - 2)
  if not spread > 0:
    return _no_egger('the effects lie on a line exactly')
  t = float(slope / math.sqrt(spread * inverse[1, 1]))
  return Egger(t, k - 2, 2 * float(stats.t.sf(abs(t), k - 2)), float(limit))


def _no_egger(reason) -> Egger:
  return Egger(math.nan, 0, math.nan, math.nan, reason)


def _checked(effects, variances):
  effects = np.asarray(effects, float)
  variances = np.asarray(variances, float)
  if effects.ndim != 1 or effects.shape != variances.shape:
    raise errors.UserError(
      f'Effects of shape {effects.shape} and variances of shape '
      f'{variances.shape}: expected one of each per study.'
    )
  if len(effects) < 2:
    raise errors.UserError(
      f'{len(effects)} studies cannot be pooled: expected two or more.'
    )
  if not (np.isfinite(effects).all() and np.isfinite(variances).all()):
    raise errors.UserError('Effects and variances must be finite numbers.')
  if not (variances > 0).all():
    raise errors.UserError(
      f'A sampling variance of {variances.min()}: expected positive ones.'
    )
  return effects, variances


def _q(effects, variances) -> float:
  w = 1 / variances
  return float(w @ (effects - w @ effects / w.sum()) ** 2)


def _root(falling, variances) -> float:
  """Where a function that falls in tau2 crosses 0; 0 if it starts below."""
  if falling(0.0) <= 0:
    return 0.0
  high = float(variances.mean())
  for _ in range(_DOUBLINGS):
    if falling(high) < 0:
      break
    high *= 2
  return float(optimize.brentq(falling, 0.0, high, xtol=1e-16, rtol=1e-13))


def _reml(effects, variances) -> float:
  def score(t):
    """Derivative of the restricted log likelihood, times 2."""
    w = 1 / (variances + t)
    residual = effects - w @ effects / w.sum()
    return float((w**2) @ residual**2 - w.sum() + (w**2).sum() / w.sum())

  def loss(t):
    w = 1 / (variances + t)
    return (
      -np.log(w).sum() + math.log(w.sum()) + _q(effects, variances + t)
    ) / 2

  # The likelihood may have several tops: the best cell of a grid, then its
  # root. Beyond the observed spread the score is negative.
  top = float(np.var(effects, ddof=1) + variances.max()) * 2
  grid = np.concatenate([[0.0], np.geomspace(top * 1e-8, top, 400)])
  best = int(np.argmin([loss(t) for t in grid]))
  low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
  if score(low) <= 0:
    return float(low) if low else 0.0
  return float(optimize.brentq(score, low, high, xtol=1e-16, rtol=1e-13))
