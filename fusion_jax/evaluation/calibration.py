"""Logistic recalibration: calibration slope and intercept."""

import numpy as np

# Probabilities are held this far from 0 and 1 before their log odds are taken:
# a single prediction of exactly 0 would otherwise decide the slope alone.
CLIP = 1e-6

_STEPS = 50
_TOLERANCE = 1e-10


def slope(
  positive: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None
):
  """Slope b of logit P(y = 1) = a + b logit(score) (Cox, 1958).

  1 is perfect, below 1 predictions are too extreme, above 1 too moderate.

  The slope is fitted once, with the given weights. For other weights it takes
  one Newton step from there, which has the same large-sample distribution as
  fitting again (one-step bootstrap: Moulton and Zeger, 1991, Computational
  Statistics & Data Analysis 11, 53-63).

  Args:
    positive: (n,) bool.
    scores: (n,) probabilities.
    weight: (n,) study weights of the fit, or None for ones.

  Returns:
    A function from (n, r) weights to (r,) slopes: NaN where one class has no
    weight, or everywhere if the scores do not vary or separate the classes.
  """
  y, x, weight = _arrays(positive, scores, weight)
  fitted = _fit(y, x, weight)
  p = expit(fitted[0] + fitted[1] * x)
  v = p * (1 - p)
  terms = np.stack([y - p, x * (y - p), v, v * x, v * x * x])

  def kernel(weights):
    g0, g1, h00, h01, h11 = terms @ weights
    determinant = h00 * h11 - h01 * h01
    step = np.divide(
      h00 * g1 - h01 * g0,
      determinant,
      out=np.full_like(g0, np.nan),
      where=determinant > 1e-12 * h00 * h11,
    )
    return np.where(_both(y, weights), fitted[1] + step, np.nan)

  return kernel


def intercept(
  positive: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None
):
  """Intercept a of logit P(y = 1) = a + logit(score): calibration in the large.

  0 is perfect, below 0 predictions are too high on average (Van Calster et
  al., 2019, BMC Medicine 17, 230). Arguments and resampling as for `slope`.

  Returns:
    A function from (n, r) weights to (r,) intercepts, NaN where one class has
    no weight.
  """
  y, x, weight = _arrays(positive, scores, weight)
  fitted = _fit_intercept(y, x, weight)
  p = expit(fitted + x)
  terms = np.stack([y - p, p * (1 - p)])

  def kernel(weights):
    gradient, curvature = terms @ weights
    step = np.divide(
      gradient,
      curvature,
      out=np.full_like(gradient, np.nan),
      where=curvature > 0,
    )
    return np.where(_both(y, weights), fitted + step, np.nan)

  return kernel


def logit(scores: np.ndarray) -> np.ndarray:
  """Log odds of probabilities, held within `CLIP` of 0 and 1."""
  p = np.clip(np.asarray(scores, np.float64), CLIP, 1 - CLIP)
  return np.log(p / (1 - p))


def _arrays(positive, scores, weight):
  y = np.asarray(positive, np.float64)
  weight = np.ones(len(y)) if weight is None else np.asarray(weight, float)
  return y, logit(scores), weight


def expit(x: np.ndarray) -> np.ndarray:
  """Probabilities of log odds."""
  return 0.5 * (1 + np.tanh(x / 2))


def _both(y, weights):
  heavy = y @ weights
  return (heavy > 0) & (weights.sum(axis=0) - heavy > 0)


def separated(positive: np.ndarray, scores: np.ndarray) -> bool:
  """Whether some threshold splits the two classes without error."""
  ones, zeros = scores[positive], scores[~positive]
  return bool(ones.min() >= zeros.max() or ones.max() <= zeros.min())


def _undefined(y, x):
  ones = y > 0
  if ones.all() or not ones.any() or np.ptp(x) == 0:
    return True
  return separated(ones, x)


def _fit(y, x, weight):
  """(2,) maximum-likelihood intercept and slope, NaN where there is none."""
  kept = weight > 0
  y, x, weight = y[kept], x[kept], weight[kept]
  if not len(y) or _undefined(y, x):
    return np.full(2, np.nan)
  return logistic(y, x, weight)


def logistic(y: np.ndarray, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
  """(2,) maximum-likelihood intercept and slope of logit P(y = 1) on x.

  Args:
    y: (n,) labels, or shares between 0 and 1; not separated by x.
    x: (n,) float.
    weight: (n,) study weights, none of them 0.
  """
  design = np.stack([np.ones_like(x), x], axis=1)
  beta = np.array([0.0, 1.0])

  def loss(b):
    z = design @ b
    return weight @ (np.logaddexp(0, z) - y * z)

  current = loss(beta)
  for _ in range(_STEPS):
    p = expit(design @ beta)
    gradient = design.T @ (weight * (y - p))
    curvature = (design * (weight * p * (1 - p))[:, None]).T @ design
    step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
    # Newton's step is halved until it helps: far out it can overshoot.
    size = 1.0
    while size > 1e-8 and loss(beta + size * step) > current:
      size /= 2
    beta = beta + size * step
    current = loss(beta)
    if np.abs(size * step).max() < _TOLERANCE * (1 + np.abs(beta).max()):
      break
  return beta


def _fit_intercept(y, x, weight):
  total = weight @ y
  if not 0 < total < weight.sum():
    return np.nan
  # The mean prediction rises with a, so the root is found by bisection.
  low, high = -50.0, 50.0
  while high - low > 1e-12 * 50:
    middle = (low + high) / 2
    if weight @ expit(middle + x) < total:
      low = middle
    else:
      high = middle
  return (low + high) / 2
