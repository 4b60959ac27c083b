"""What a larger study would show, and which way an estimate of the gain leans.

All of it from normal draws with the covariance of the observed differences:
d_s is the gain of one fusion arm over single modality s, its gain is
delta = min over s of d_s, and bounds are d_s -+ c * factor * SE_s with the
critical numbers c of the verdict's families. A factor above 1 is taken at its
word: estimates vary by it as well.
"""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from fusion_jax.evaluation import bounds

POWER = 0.8
DRAWS = 20_000
SEED = 0


UNDEFINED = 'the difference from a single modality has no standard error'
NO_BOUND = 'the difference from a single modality has no bounds'
NO_MARGIN = 'no margin is given'


@dataclasses.dataclass(frozen=True)
class Needed:
  """Patients that one arm needs for a verdict; None with the reason.

  Attributes:
    superior: if the true d_s is the margin for every single modality s.
    equivalent: if the true d_s is 0 for every s.
    superior_reason: why there is no number; empty if there is one.
    equivalent_reason: likewise.
  """

  superior: int | None
  equivalent: int | None
  superior_reason: str = ''
  equivalent_reason: str = ''


@dataclasses.dataclass(frozen=True)
class Shares:
  """How often each verdict is reached; the rest is inconclusive."""

  superior: float
  inferior: float
  equivalent: float


@dataclasses.dataclass(frozen=True)
class Arm:
  """One fusion arm's differences from s single modalities, positive is better.

  Attributes:
    covariance: (s, s) of the differences, from resampled patients or a model,
      without the factor.
    se: (s,) their standard errors, without the factor; NaN where undefined.
    critical_low: (s,) number of factor * se between d_s and its 95% lower
      bound.
    critical_low90: (s,) the same of its 90% lower bound.
    critical_high: the same of the 95% upper bound, one for all s.
    critical_high90: the same of the 90% upper bound.
    factor: by which shared training data widens intervals.
    patients: of which all this was found.
  """

  covariance: np.ndarray
  se: np.ndarray
  critical_low: np.ndarray
  critical_low90: np.ndarray
  critical_high: float
  critical_high90: float
  factor: float
  patients: int

  @property
  def reason(self) -> str:
    """Why nothing can be said; empty if something can."""
    se = np.asarray(self.se, float)
    if not se.size or not (se > bounds.ROUNDING).all():
      return UNDEFINED
    if not np.isfinite(self.covariance).all():
      return UNDEFINED
    critical = [
      *np.ravel(self.critical_low),
      *np.ravel(self.critical_low90),
      self.critical_high,
      self.critical_high90,
    ]
    return '' if np.isfinite(critical).all() else NO_BOUND

  def errors(self, draws: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """(draws, s) errors of the differences, without the factor."""
    return normal_draws(self.covariance, draws=draws, seed=seed)


def normal_draws(
  covariance: np.ndarray, *, draws: int = DRAWS, seed: int = SEED
) -> np.ndarray:
  """(draws, k) draws of mean 0 and a (k, k) covariance, singular or not."""
  values, vectors = np.linalg.eigh(np.asarray(covariance, float))
  # The symmetric root is unique: the same on any machine but for rounding.
  root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
  rng = np.random.default_rng(seed)
  # By column, as all that follows is a minimum or maximum over k.
  return np.asfortranarray(rng.standard_normal((draws, len(root))) @ root)


def needed(
  *,
  covariance: np.ndarray,
  se: np.ndarray,
  critical_low: np.ndarray,
  critical_low90: np.ndarray,
  critical_high: float,
  critical_high90: float,
  factor: float,
  margin: float | None,
  patients: int,
  power: float = POWER,
) -> Needed:
  """Patients with which one arm gets a verdict with the given probability.

  Per root of 1 / patients all standard errors and all errors shrink alike, so
  that each draw has a number of patients from which on it is called, and the
  answer is their quantile. With k = sqrt(n / N), "superior" needs
  margin + factor k z_s > critical_low_s factor k se_s for every s, and
  "equivalent" the verdict's own conditions; draws that would be called
  inferior or superior, at any number of patients, never count as equivalent.

  Args:
    covariance: see `Arm`, as all up to `factor`.
    se: see there.
    critical_low: see there.
    critical_low90: see there.
    critical_high: see there.
    critical_high90: see there.
    factor: see there; the number of patients grows by its square.
    margin: of equivalence, and the gain that is to be seen; None if there is
      none.
    patients: that were tested.
    power: probability of the verdict.
  """
  arm = Arm(
    covariance=np.atleast_2d(covariance),
    se=np.atleast_1d(se),
    critical_low=np.atleast_1d(critical_low),
    critical_low90=np.atleast_1d(critical_low90),
    critical_high=critical_high,
    critical_high90=critical_high90,
    factor=factor,
    patients=patients,
  )
  reason = arm.reason or ('' if margin else NO_MARGIN)
  if reason:
    return Needed(None, None, reason, reason)
  z = arm.errors()
  superior = np.max(arm.critical_low * arm.se - z, axis=1)
  low = np.max(arm.critical_low90 * arm.se - z, axis=1)
  high = np.min(arm.critical_high90 * arm.se + z, axis=1)
  equivalent = np.maximum(low, high)
  inferior = (arm.critical_high * arm.se + z < 0).any(axis=1)
  equivalent[inferior | (superior < 0)] = math.inf

  def count(reach):
    """The patients with which a share `power` of (draws,) reaches is small."""
    reach = float(np.quantile(reach, power, method='higher'))
    if not math.isfinite(reach):
      return None
    root = factor * math.sqrt(patients) * max(reach, 0) / margin
    # Two at least: of one patient there is no variance.
    return max(2, math.ceil(root**2))

  found = count(equivalent)
  eligible = np.isfinite(equivalent).mean()
  return Needed(
    superior=count(superior),
    equivalent=found,
    equivalent_reason=''
    if found
    else f'without a gain, {eligible:.0%} of studies of any size would be '
    f'called neither superior nor inferior, fewer than {power:.0%}',
  )


def least(
  needs: Mapping[str, Needed],
) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
  """The arm with the smallest need for superior, and for equivalent.

  Returns:
    Two pairs of an arm (the first of equals) and its patients; None if there
    is none.
  """

  def smallest(name):
    known = [(getattr(n, name), arm) for arm, n in needs.items()]
    known = [(n, arm) for n, arm in known if n is not None]
    if not known:
      return None
    n, arm = min(known, key=lambda pair: pair[0])
    return arm, n

  return smallest('superior'), smallest('equivalent')


def shares(
  arm: Arm,
  *,
  difference: np.ndarray,
  margin: float,
  patients: float,
  spread: float | None = None,
  errors: np.ndarray | None = None,
) -> Shares:
  """How often one arm gets each verdict in a study of some size.

  Args:
    arm: covariance and bounds.
    difference: (s,) the true differences.
    margin: of equivalence.
    patients: of the study.
    spread: by which estimates vary more than resampled patients show; the
      arm's factor if None, 1 if it only widens the bounds.
    errors: what `arm.errors()` returned, so that many calls draw once.

  Raises:
    ValueError: where `arm.reason` says that nothing can be known.
  """
  if arm.reason:
    raise ValueError(arm.reason)
  k = math.sqrt(arm.patients / patients)
  z = arm.errors() if errors is None else errors
  spread = arm.factor if spread is None else spread
  d = np.asarray(difference, float) + spread * k * z
  se = arm.factor * k * arm.se
  low = (d - arm.critical_low * se).min(axis=1)
  low90 = (d - arm.critical_low90 * se).min(axis=1)
  high = (d + arm.critical_high * se).min(axis=1)
  high90 = (d + arm.critical_high90 * se).min(axis=1)
  inferior = high < 0
  superior = ~inferior & (low > 0)
  close = (-margin < low90) & (high90 < margin)
  return Shares(
    superior=float(superior.mean()),
    inferior=float(inferior.mean()),
    equivalent=float((close & ~inferior & ~superior).mean()),
  )


def tied_lean(
  difference: np.ndarray,
  covariance: np.ndarray,
  factor: float = 1.0,
) -> float:
  """How far the estimate of one arm's gain lies off on average.

  The smallest of several estimates is lower than the smallest truth, the more
  so the closer they are: E[min_s(d_s + z_s)] - min_s d_s with z of the
  differences' covariance. 0 for a single modality, negative otherwise.

  Args:
    difference: (s,) of one fusion arm, as observed.
    covariance: (s, s) of the differences, without the factor.
    factor: by which shared training data widens intervals.

  Returns:
    The lean, in units of the metric; NaN if something is undefined.
  """
  d = np.atleast_1d(np.asarray(difference, float))
  covariance = np.atleast_2d(np.asarray(covariance, float))
  if not np.isfinite(d).all() or not np.isfinite(covariance).all():
    return math.nan
  if len(d) < 2:
    return 0.0
  z = factor * normal_draws(covariance)
  smallest = int(np.argmin(d))
  # What the mean of the draws themselves is off is taken out.
  lean = (d + z).min(axis=1) - d[smallest] - z[:, smallest]
  return float(lean.mean())


def choice_lean(
  difference: np.ndarray,
  covariance: np.ndarray,
  factor: float = 1.0,
) -> float:
  """By how much the gain of the arm that looks best is too high on average.

  Each draw chooses the arm with the largest gain; the lean is what that gain
  is above the same arm's mean over all draws (the winner's curse).

  Args:
    difference: (f, s) of the fusion arms, as observed. Arms with an undefined
      difference or covariance are left out.
    covariance: (f, s, f, s) of the differences, without the factor.
    factor: by which shared training data widens intervals.

  Returns:
    The lean, in units of the metric, 0 or more; NaN if no arm is defined.
  """
  d = np.asarray(difference, float)
  f, s = d.shape
  flat = np.asarray(covariance, float).reshape(f * s, f * s)
  variance = np.diagonal(flat).reshape(f, s)
  arms = np.flatnonzero((np.isfinite(d) & np.isfinite(variance)).all(axis=1))
  if not len(arms) or not s:
    return math.nan
  if len(arms) < 2:
    return 0.0
  kept = (arms[:, None] * s + np.arange(s)).ravel()
  flat = flat[np.ix_(kept, kept)]
  if not np.isfinite(flat).all():
    return math.nan
  z = factor * normal_draws(flat).reshape(DRAWS, len(arms), s)
  gains = (d[arms] + z).min(axis=2)
  chosen = gains.argmax(axis=1)
  return float((gains.max(axis=1) - gains.mean(axis=0)[chosen]).mean())
