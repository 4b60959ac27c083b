"""Links and losses of the five tasks, in NumPy float64.

Every learner's validation loss and every rule over predictions uses these, so
that a neural arm and an elastic net are stopped by the same number. With
logits z, labels y, weights w and sums over rows (and, for multilabel, labels)
whose label is known and whose weight is positive:

  binary, multilabel  sum w (log(1 + exp z) - y z) / sum w
  multiclass          sum w (logsumexp(z) - z[y]) / sum w
  regression          sum w (z - y)^2 / sum w
  survival            sum_i w_i e_i (log R_i - z_i) / sum_i w_i e_i, with the
                      risk set sum R_i = sum_{j: t_j >= t_i} v_j exp z_j

Survival is the negative Cox partial log likelihood per event, ties by
Breslow's method (Breslow 1974, Biometrics 30, 89-99). Inside R the weights are
v = w / (mean of w over the rows used), so that scaling all weights changes no
loss.
"""

import numpy as np
from scipy import special

from fusion_jax.core import types

# Probabilities are held this far from 0 and 1 before logs are taken.
CLIP = 1e-12


def scores_from_logits(task: types.Task, logits) -> np.ndarray:
  """(n, s) scores, as `types.Task` defines them, from (n, s) logits."""
  logits = np.asarray(logits, np.float64)
  if task.kind in (types.BINARY, types.MULTILABEL):
    return special.expit(logits)
  if task.kind == types.MULTICLASS:
    return special.softmax(logits, axis=1)
  return logits


def logits_from_scores(task: types.Task, scores) -> np.ndarray:
  """(n, s) logits from (n, s) scores; the inverse of `scores_from_logits`.

  Probabilities are clipped to [CLIP, 1 - CLIP]; multiclass logits come back as
  log probabilities.
  """
  scores = np.asarray(scores, np.float64)
  if task.kind in (types.BINARY, types.MULTILABEL):
    return special.logit(np.clip(scores, CLIP, 1 - CLIP))
  if task.kind == types.MULTICLASS:
    clipped = np.clip(scores, CLIP, None)
    return np.log(clipped / clipped.sum(axis=1, keepdims=True))
  return scores


def known(task: types.Task, labels) -> np.ndarray:
  """(n, l) bool for multilabel, else (n, 1): which labels are known.

  A survival label is known if both its time and its event are.
  """
  observed = ~np.isnan(np.asarray(labels, np.float64))
  if task.kind == types.MULTILABEL:
    return observed
  return observed.all(axis=1, keepdims=True)


def mean_loss(task: types.Task, logits, labels, weight=None) -> float:
  """The loss in the module's docstring.

  Args:
    task: what is predicted.
    logits: (n, s).
    labels: (n, l), NaN where unknown.
    weight: (n,) not negative, or None for ones.

  Returns:
    The mean loss; NaN if no label is known, or for survival if there is no
    event.
  """
  logits, labels, weight = _arrays(logits, labels, weight)
  if task.kind == types.SURVIVAL:
    cox = _Cox.of(task, logits, labels, weight)
    if not cox.total > 0:
      return float('nan')
    at_event = cox.deaths > 0
    each = cox.deaths * (cox.log_risk - cox.logits)
    return float(each[at_event].sum() / cox.total)
  used = _used(task, labels, weight)
  if not used.any():
    return float('nan')
  with np.errstate(invalid='ignore'):
    if task.kind == types.REGRESSION:
      each = (logits - labels) ** 2
    elif task.kind == types.MULTICLASS:
      code = np.where(used, labels, 0).astype(np.int64)
      own = np.take_along_axis(logits, code, axis=1)
      each = special.logsumexp(logits, axis=1, keepdims=True) - own
    else:
      each = np.logaddexp(0, logits) - labels * logits
  spread = np.broadcast_to(weight[:, None], used.shape)[used]
  return float(np.sum(spread * each[used]) / np.sum(spread))


def derivatives(
  task: types.Task, logits, labels, weight=None
) -> tuple[np.ndarray, np.ndarray]:
  """(n, s) gradient and (n, s) diagonal curvature of `mean_loss` in the logits.

  Rows and labels that the loss leaves out get zeros.
  """
  logits, labels, weight = _arrays(logits, labels, weight)
  if task.kind == types.SURVIVAL:
    return _Cox.of(task, logits, labels, weight).derivatives(len(logits))
  used = _used(task, labels, weight)
  safe = np.where(used, logits, 0)
  y = np.where(used, labels, 0)
  if task.kind == types.REGRESSION:
    slope, curvature = 2 * (safe - y), np.full_like(safe, 2.0)
  elif task.kind == types.MULTICLASS:
    p = special.softmax(safe, axis=1)
    slope = p - (y == np.arange(task.num_outputs))
    curvature = p * (1 - p)
  else:
    p = special.expit(safe)
    slope, curvature = p - y, p * special.expit(-safe)
  share = np.where(used, weight[:, None], 0)
  share = share / max(share.sum(), np.finfo(np.float64).tiny)
  return share * slope, share * curvature


def constant_logits(task: types.Task, labels, weight=None) -> np.ndarray:
  """(s,) logits of the best constant prediction.

  Prevalences are smoothed by half a study on either side (half a study per
  class for multiclass), so that a class that never occurs keeps a finite
  logit. Regression gives the mean label (0 without labels), survival 0.
  """
  labels = np.asarray(labels, np.float64)
  _, labels, weight = _arrays(np.zeros((len(labels), 1)), labels, weight)
  used = _used(task, labels, weight)
  if task.kind == types.SURVIVAL or not used.any():
    return np.zeros(task.num_outputs)
  # Weights of mean one keep the smoothing worth half a study.
  share = np.where(used, weight[:, None], 0)
  share = share / (share.sum(axis=0) / np.maximum(used.sum(axis=0), 1) + 1e-300)
  y = np.where(used, labels, 0)
  if task.kind == types.REGRESSION:
    return np.sum(share * y, axis=0) / share.sum(axis=0)
  if task.kind == types.MULTICLASS:
    hits = np.sum(share * (y == np.arange(task.num_outputs)), axis=0)
    return np.log((hits + 0.5) / (hits + 0.5).sum())
  positive = np.sum(share * y, axis=0)
  return np.log((positive + 0.5) / (share.sum(axis=0) - positive + 0.5))


def _arrays(logits, labels, weight):
  logits = np.asarray(logits, np.float64)
  labels = np.asarray(labels, np.float64)
  weight = np.ones(len(labels)) if weight is None else weight
  return logits, labels, np.asarray(weight, np.float64)


def _used(task, labels, weight):
  return known(task, labels) & (weight > 0)[:, None]


class _Cox:
  """Breslow's partial likelihood over rows sorted by time."""

  def __init__(self, rows, time, deaths, logits, log_weight):
    self.rows, self.deaths, self.logits = rows, deaths, logits
    self.total = deaths.sum()
    self.log_own = logits + log_weight
    # A row's risk set starts at the first and its hazard ends at the last row
    # that shares its time.
    self._first = np.searchsorted(time, time, side='left')
    self._last = np.searchsorted(time, time, side='right') - 1
    backward = np.logaddexp.accumulate(self.log_own[::-1])[::-1]
    self.log_risk = backward[self._first]

  @classmethod
  def of(cls, task, logits, labels, weight):
    rows = np.flatnonzero(_used(task, labels, weight)[:, 0])
    rows = rows[np.argsort(labels[rows, 0], kind='stable')]
    w = weight[rows]
    log_weight = np.log(w / w.mean()) if len(w) else w
    return cls(
      rows, labels[rows, 0], w * labels[rows, 1], logits[rows, 0], log_weight
    )

  def derivatives(self, n):
    gradient, curvature = np.zeros((n, 1)), np.zeros((n, 1))
    if not self.total > 0:
      return gradient, curvature
    with np.errstate(divide='ignore'):
      log_deaths = np.log(self.deaths)
    hazard = np.logaddexp.accumulate(log_deaths - self.log_risk)[self._last]
    square = np.logaddexp.accumulate(log_deaths - 2 * self.log_risk)
    expected = np.exp(self.log_own + hazard)
    variance = expected - np.exp(2 * self.log_own + square[self._last])
    gradient[self.rows, 0] = (expected - self.deaths) / self.total
    curvature[self.rows, 0] = np.maximum(variance, 0) / self.total
    return gradient, curvature
