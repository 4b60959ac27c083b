"""From log hazards to survival curves: Breslow's baseline, in NumPy float64.

Cox models, and networks trained with Cox's loss, give log hazards up to one
constant. With times t, events e, weights w and log hazards z of studies that
the model was not fitted on, the cumulative hazard at log hazard 0 is

  H(s) = sum over event times t' <= s of D(t') / R(t'),
  D(t') = sum_{i: t_i = t', e_i = 1} w_i
  R(t') = sum_{j: t_j >= t'} w_j exp z_j

(Breslow, in the discussion of Cox, 1972, Journal of the Royal Statistical
Society B 34, 187-220). Events at one time share one risk set, in which all of
them and all studies censored at that time still are, as in the loss of
core/links.py. A study survives s with probability S(s | z) = exp(-H(s) exp z).

H is not known beyond the last time at which anyone was under observation, and
not at all without an event: it is NaN there. With z = 0 for all studies it is
the estimate of Nelson and Aalen, and S the marginal curve.
"""

import dataclasses

import numpy as np

from fusion_jax.core import links, types


@dataclasses.dataclass(frozen=True, eq=False)
class Baseline:
  """A cumulative hazard of log hazard 0: a step function of time.

  Attributes:
    times: (k,) increasing: where the function is given; between two times it
      is what it was at the earlier one, before the first it is 0.
    cumulative_hazard: (k,) never decreasing; NaN where it is not known.
    end: the last time at which it is known; NaN if there is none.
  """

  times: np.ndarray
  cumulative_hazard: np.ndarray
  end: float

  def at(self, times) -> np.ndarray:
    """(t,) cumulative hazards at (t,) times; NaN after `end`."""
    times = np.asarray(times, np.float64)
    place = np.searchsorted(self.times, times, side='right')
    found = np.concatenate([[0.0], self.cumulative_hazard])[place]
    return np.where(times <= self.end, found, np.nan)


def fit(labels, log_hazard, weight=None) -> Baseline:
  """Breslow's estimate, as in the module's docstring.

  Args:
    labels: (n, 2) time and event; rows with a NaN are left out.
    log_hazard: (n,) z, within 700 of 0, beyond which exp z is no number.
    weight: (n,) not negative, or None for ones; rows of weight 0 are left out.

  Returns:
    The baseline at the distinct times of events. Without an event nothing is
    known: `end` is NaN.
  """
  labels = np.asarray(labels, np.float64)
  weight = np.ones(len(labels)) if weight is None else np.asarray(weight)
  known = links.known(types.Task(types.SURVIVAL, ('time', 'event')), labels)
  rows = np.flatnonzero(known[:, 0] & (weight > 0))
  rows = rows[np.argsort(labels[rows, 0], kind='stable')]
  time, event = labels[rows].T
  died = event > 0
  if not died.any():
    return Baseline(np.zeros(0), np.zeros(0), float('nan'))
  w = weight[rows].astype(np.float64)
  # Logarithms until the end: far log hazards must not lose the near ones.
  own = np.asarray(log_hazard, np.float64)[rows] + np.log(w)
  at_risk = np.logaddexp.accumulate(own[::-1])[::-1]
  times = np.unique(time[died])
  deaths = np.bincount(np.searchsorted(times, time[died]), w[died])
  log_jump = np.log(deaths) - at_risk[np.searchsorted(time, times)]
  with np.errstate(over='ignore'):
    hazard = np.exp(np.logaddexp.accumulate(log_jump))
  return Baseline(times, hazard, float(time[-1]))


def survival(baseline: Baseline, log_hazard, at) -> np.ndarray:
  """(n, t) probabilities of no event by each of (t,) times, given (n,) z.

  NaN at times at which the baseline is not known.
  """
  z = np.asarray(log_hazard, np.float64)[:, None]
  with np.errstate(divide='ignore', over='ignore'):
    return np.exp(-np.exp(np.log(baseline.at(at)) + z))
