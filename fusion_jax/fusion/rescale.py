"""A line through logits that makes their probabilities fit other studies.

Averaging logits of two models keeps their order but not their scale: where
each sees half of what matters the mean is half as extreme as it should be. A
slope and an intercept, fitted on validation predictions, put the scale right
and leave the order as it is, because the slope is held within SLOPES:

  binary, multilabel  for each label the logistic regression on the logit with
                      smoothed labels of Platt (1999, Advances in Large Margin
                      Classifiers, section 2.2)
  multiclass          one slope and no intercept: temperature scaling (Guo et
                      al. 2017, ICML, section 4.2). The order of a study's
                      classes stays; that of two studies by one class's
                      probability may change.
  survival            one slope on the log hazard, of the largest Cox partial
                      likelihood, and no intercept

What smoothing counts as a study follows Kish's effective number where studies
are weighted.
"""

import numpy as np
from scipy import optimize

from fusion_jax.core import links, types

TASKS = (types.BINARY, types.MULTICLASS, types.MULTILABEL, types.SURVIVAL)
SLOPES = (0.01, 100.0)

_BINARY = types.Task(types.BINARY, ('y',))


def fit(
  task: types.Task,
  logits: np.ndarray,
  labels: np.ndarray,
  weight: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
  """(s,) slopes, each within SLOPES, and (s,) intercepts.

  Args:
    task: of one of TASKS.
    logits: (n, s).
    labels: (n, l), NaN where unknown.
    weight: (n,) not negative.

  Returns:
    1 and 0 where nothing can be learnt: one class only, no event, no study.
  """
  slope, intercept = np.ones(task.num_outputs), np.zeros(task.num_outputs)
  used = links.known(task, labels) & (weight > 0)[:, None]
  if task.kind in (types.BINARY, types.MULTILABEL):
    for k in range(task.num_outputs):
      rows = used[:, k]
      y = labels[rows, k]
      if len(np.unique(y)) > 1:
        slope[k], intercept[k] = _platt(logits[rows, k], y, weight[rows])
    return slope, intercept
  rows = used[:, 0]
  slope[:] = _slope(task, logits[rows], labels[rows], weight[rows])
  return slope, intercept


def _platt(x, y, weight) -> tuple[float, float]:
  weight = weight * (weight.sum() / (weight**2).sum())
  up, down = weight @ y, weight @ (1 - y)
  target = np.where(y > 0, (up + 1) / (up + 2), 1 / (down + 2))[:, None]
  # On a scale of one, so that the search does not depend on the logits' own.
  center, spread = x.mean(), x.std() if np.ptp(x) > 0 else 1.0
  design = np.stack([(x - center) / spread, np.ones_like(x)], axis=1)

  def objective(b):
    z = (design @ b)[:, None]
    gradient, _ = links.derivatives(_BINARY, z, target, weight)
    return links.mean_loss(_BINARY, z, target, weight), design.T @ gradient[
      :, 0
    ]

  low, high = SLOPES
  b = optimize.minimize(
    objective,
    np.array([spread, center]),
    jac=True,
    method='L-BFGS-B',
    bounds=[(low * spread, high * spread), (None, None)],
    options={'maxiter': 1000, 'gtol': 1e-10, 'ftol': 1e-15},
  ).x
  slope = float(np.clip(b[0] / spread, low, high))
  return slope, float(b[1] - slope * center)


def _slope(task, logits, labels, weight) -> float:
  def loss(log_slope):
    return links.mean_loss(task, np.exp(log_slope) * logits, labels, weight)

  # Equal logits, or classes, within every study or of all studies.
  across = task.kind == types.MULTICLASS
  axis = 1 if across else 0
  one_class = across and len(np.unique(labels)) < 2
  if not len(labels) or one_class or not np.isfinite(loss(0.0)):
    return 1.0
  if not np.ptp(logits, axis=axis).any():
    return 1.0
  best = optimize.minimize_scalar(
    loss,
    bounds=tuple(np.log(SLOPES)),
    method='bounded',
    options={'xatol': 1e-8},
  )
  return float(np.clip(np.exp(best.x), *SLOPES))
