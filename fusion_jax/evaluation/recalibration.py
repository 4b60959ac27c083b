"""Recalibration fitted on validation scores and tried on test scores."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import optimize
from sklearn import isotonic

from fusion_jax.core import types
from fusion_jax.evaluation import (
  calibration,
  metrics,
  parts,
  ranking,
  reliability,
)
from fusion_jax.evaluation import folds as folds_lib

TEMPERATURE = 'temperature'
PLATT = 'platt'
ISOTONIC = 'isotonic'
METHODS = (TEMPERATURE, PLATT, ISOTONIC)

_LOSSES = ('brier', 'log_loss')
# Temperatures from .01 to 100.
_LOG_TEMPERATURE = 2 * np.log(10)

Map = Callable[[np.ndarray], np.ndarray]


def fit(
  method: str,
  task: types.Task,
  labels: np.ndarray,
  scores: np.ndarray,
  weight: np.ndarray | None = None,
) -> Map:
  """A map from scores to recalibrated scores, both (n, s).

  `temperature` divides the log odds (multiclass: log probabilities) by one
  number per label (Guo et al., 2017, section 4). `platt` is a logistic
  regression on the log odds with smoothed labels (Platt, 1999).
  `isotonic` is the best rising step function (Zadrozny and Elkan, 2002).
  Platt and isotonic treat the classes of a multiclass task one against the
  rest and make the results sum to 1.

  Args:
    method: one of METHODS.
    task: binary, multiclass or multilabel.
    labels: (n, l) of the validation part, NaN where unknown.
    scores: (n, s) of the model on it.
    weight: (n,) study weights, or None for ones.

  Returns:
    The map; it leaves a label alone whose known validation labels are all
    the same, as there is nothing to learn from.
  """
  weight = np.ones(len(labels)) if weight is None else np.asarray(weight)
  if task.kind == types.MULTICLASS and method == TEMPERATURE:
    return _softmax_temperature(labels[:, 0], scores, weight)
  one = {
    TEMPERATURE: _temperature,
    PLATT: _platt,
    ISOTONIC: _isotonic,
  }[method]
  model = parts.Model(task, labels, scores, None, None, None, ())
  truth = parts.one_hot(model)
  maps = []
  for i in range(task.num_outputs):
    rows = ~np.isnan(truth[:, i]) & (weight > 0)
    y = truth[rows, i]
    if not len(y) or y.min() == y.max():
      maps.append(lambda s: s)
    else:
      maps.append(one(y, scores[rows, i], weight[rows]))

  def apply(scores):
    found = np.stack([m(scores[:, i]) for i, m in enumerate(maps)], axis=1)
    if task.kind != types.MULTICLASS:
      return found
    total = found.sum(axis=1, keepdims=True)
    # A study that no class claims is as likely of each.
    return np.where(
      total > 0,
      found / np.where(total > 0, total, 1),
      1 / task.num_outputs,
    )

  return apply


def report(
  task: types.Task,
  test: Sequence[folds_lib.Fold],
  valid: Sequence[folds_lib.Fold],
  *,
  arms: Sequence[str],
) -> dict[str, dict[str, Any]]:
  """How calibrated each arm is, and would be after recalibration.

  Every number is a mean over folds and seeds. ECE and the parts of the Brier
  score are means over labels, or over classes one against the rest (class-wise
  ECE: Kull et al., 2019); the Brier score and log loss are those of `metrics`.

  Args:
    task: binary, multiclass or multilabel.
    test: folds to evaluate.
    valid: folds to fit on, matched by repeat and fold.
    arms: names.

  Returns:
    By arm: brier, log_loss, the names of `reliability.DECOMPOSITION`, and
    recalibrated: by method {brier, log_loss, ece, models} over the `models`
    that have a validation part. Undefined is None with a reason; empty for a
    task without probabilities.
  """
  if task.kind in (types.REGRESSION, types.SURVIVAL):
    return {}
  validated = {(f.repeat, f.fold): f for f in valid}
  found = {}
  for arm in arms:
    plain, after = [], {method: [] for method in METHODS}
    for fold in test:
      part = validated.get((fold.repeat, fold.fold))
      fitted = part.scores.get(arm, {}) if part else {}
      here, changed = [], {method: [] for method in METHODS}
      for seed, scores in fold.scores.get(arm, {}).items():
        here.append(_measure(task, fold, scores))
        for method in METHODS if seed in fitted else ():
          recalibrate = fit(
            method, task, part.labels, fitted[seed], part.weight
          )
          changed[method].append(_measure(task, fold, recalibrate(scores)))
      if here:
        plain.append(metrics.mean(here))
      for method, values in changed.items():
        if values:
          after[method].append((metrics.mean(values), len(values)))
    found[arm] = _named(plain)
    found[arm]['recalibrated'] = {
      method: _recalibrated(values) for method, values in after.items()
    }
  return found


def _effective(weight: np.ndarray) -> np.ndarray:
  """Weights that sum to the effective number of studies (Kish, 1965).

  So that bias corrections and smoothing, which count studies, do not depend
  on the unit of the weights.
  """
  return weight * ranking.ratio(weight.sum(), (weight**2).sum())


def _measure(task, fold, scores) -> np.ndarray:
  """(9,) losses and the decomposition of one model."""
  losses = metrics.evaluate(task, fold.labels, scores, fold.weight, _LOSSES)
  truth = parts.one_hot(
    parts.Model(task, fold.labels, scores, None, None, None, ())
  )
  of_label = []
  for i in range(task.num_outputs):
    rows = ~np.isnan(truth[:, i])
    if rows.any():
      kernel = reliability.decompose(truth[rows, i] > 0, scores[rows, i])
      of_label.append(kernel(_effective(fold.weight[rows])[:, None])[:, 0])
  if not of_label:
    of_label = [np.full(len(reliability.DECOMPOSITION), np.nan)]
  values = [losses[name].estimate for name in _LOSSES]
  return np.concatenate([values, metrics.mean(of_label)])


def _named(values: Sequence[np.ndarray]) -> dict[str, Any]:
  names = (*_LOSSES, *reliability.DECOMPOSITION)
  if not values:
    return {**dict.fromkeys(names), 'reason': 'no model was evaluated'}
  means = metrics.mean(values)
  found: dict[str, Any] = {
    name: None if np.isnan(x) else float(x)
    for name, x in zip(names, means, strict=True)
  }
  if np.isnan(means).any():
    found['reason'] = (
      'no study with a known label'
      if np.isnan(means[0])
      else 'fewer than two studies in every bin'
    )
  return found


def _recalibrated(values) -> dict[str, Any]:
  kept = (*_LOSSES, 'ece')
  if not values:
    reason = 'there are no validation predictions to fit on'
    return {**dict.fromkeys(kept), 'models': 0, 'reason': reason}
  every = _named([v for v, _ in values])
  found = {name: every[name] for name in kept}
  found['models'] = sum(count for _, count in values)
  if None in [every[name] for name in kept]:
    found['reason'] = every['reason']
  return found


def _temperature(y, s, weight) -> Map:
  x = calibration.logit(s)

  def loss(log_t):
    z = x / np.exp(log_t)
    return weight @ (np.logaddexp(0, z) - y * z)

  t = _smallest(loss)
  return lambda scores: calibration.expit(calibration.logit(scores) / t)


def _softmax_temperature(codes, scores, weight) -> Map:
  rows = ~np.isnan(codes) & (weight > 0)
  codes, weight = codes[rows].astype(int), weight[rows]
  if len(np.unique(codes)) < 2:
    return lambda scores: scores
  x = _log_probabilities(scores[rows])
  own = x[np.arange(len(x)), codes]

  def loss(log_t):
    t = np.exp(log_t)
    return weight @ (np.log(np.exp(x / t).sum(axis=1)) - own / t)

  t = _smallest(loss)

  def apply(scores):
    p = np.exp(_log_probabilities(scores) / t)
    return p / p.sum(axis=1, keepdims=True)

  return apply


def _log_probabilities(scores):
  # The largest is 0, so that none of the powers is out of range.
  x = np.log(np.clip(scores, calibration.CLIP, 1))
  return x - x.max(axis=1, keepdims=True)


def _smallest(loss: Callable[[float], float]) -> float:
  bounds = (-_LOG_TEMPERATURE, _LOG_TEMPERATURE)
  found = optimize.minimize_scalar(
    loss, bounds=bounds, method='bounded', options={'xatol': 1e-8}
  )
  return float(np.exp(found.x))


def _platt(y, s, weight) -> Map:
  weight = _effective(weight)
  up, down = weight @ y, weight @ (1 - y)
  target = np.where(y > 0, (up + 1) / (up + 2), 1 / (down + 2))
  a, b = calibration.logistic(target, calibration.logit(s), weight)
  return lambda scores: calibration.expit(a + b * calibration.logit(scores))


def _isotonic(y, s, weight) -> Map:
  fitted = isotonic.IsotonicRegression(
    y_min=0, y_max=1, out_of_bounds='clip'
  ).fit(s, y, sample_weight=weight)
  return fitted.predict
