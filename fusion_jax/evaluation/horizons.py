"""Discrimination and error of survival predictions at given times.

The censoring distribution is that of the evaluated studies themselves,
estimated again for every weighting (see `censoring.survival`).
"""

from collections.abc import Sequence

import numpy as np

from fusion_jax.evaluation import censoring, ranking


def auroc(
  time: np.ndarray, event: np.ndarray, scores: np.ndarray, t: float
) -> ranking.Kernel:
  """Cumulative/dynamic AUROC at t (Uno et al., 2007; Hung and Chiang, 2010).

  Cases had the event up to t and count 1 / G(their time), controls are
  followed beyond t; who was censored before counts for nothing. Tied scores
  count half.

  Args:
    time: (n,) float.
    event: (n,) bool, False where censored.
    scores: (n,) float, higher = riskier.
    t: the time.

  Returns:
    A function from (n, r) weights to (r,) areas, NaN without cases or without
    controls.
  """
  event = np.asarray(event, bool)
  case = event & (time <= t)
  rows = np.flatnonzero(case | (time > t))
  if not len(rows):
    return lambda weights: np.full(weights.shape[1], np.nan)
  times, curve = censoring.survival(time, event)
  own = censoring.place(times, time[rows])
  area = ranking.auroc(case[rows], scores[rows])
  is_case = case[rows][:, None]

  def kernel(weights):
    mine = weights[rows]
    factor = censoring.inverse(curve(weights)[own], is_case & (mine > 0))
    return area(np.where(is_case, mine * factor, mine))

  return kernel


def brier(
  time: np.ndarray, event: np.ndarray, alive: np.ndarray, t: float
) -> ranking.Kernel:
  """Brier score at t under censoring (Graf et al., 1999, Stat Med 18).

  Args:
    time: (n,) float.
    event: (n,) bool, False where censored.
    alive: (n,) predicted probability of no event up to t.
    t: the time.

  Returns:
    A function from (n, r) weights to (r,) scores, NaN where nobody is
    followed beyond t.
  """
  event = np.asarray(event, bool)
  case, control = event & (time <= t), time > t
  times, curve = censoring.survival(time, event)
  own, here = censoring.place(times, time), censoring.place(times, t)
  loss = np.where(case, alive**2, (1 - alive) ** 2)[:, None]
  case, control = case[:, None], control[:, None]

  def kernel(weights):
    g = curve(weights)
    factor = censoring.inverse(g[own], case & (weights > 0))
    factor += censoring.inverse(g[here], control & (weights > 0))
    total = ranking.ratio((weights * factor * loss).sum(0), weights.sum(0))
    return np.where((weights * control).sum(axis=0) > 0, total, np.nan)

  return kernel


def integrated(
  scores: Sequence[np.ndarray], times: Sequence[float]
) -> np.ndarray:
  """Mean Brier score over the span of the times, by the trapezoid rule.

  Args:
    scores: (r,) Brier scores at each of the times, rising.
    times: two or more; with fewer the result is NaN.
  """
  if len(times) < 2:
    return np.full(np.shape(scores[0]) if scores else 1, np.nan)
  area = np.trapezoid(np.stack(scores), np.asarray(times), axis=0)
  return area / (times[-1] - times[0])
