"""A model of the modalities' predictions.

A logistic (binary, multilabel), multinomial, linear or Cox model on every
modality's logits (0 where absent; of regression less their mean) and presence,
with an L2 penalty, fitted on the validation predictions (Wolpert 1992,
"Stacked generalization"). The penalty is that of PENALTIES with the lowest loss
in a cross-validation of them.
"""

import dataclasses

import numpy as np
from scipy import optimize

from fusion_jax.core import links, types
from fusion_jax.fusion import evidence, late

# The penalty is one of these / (2 n) times the squared coefficients of
# standardised logits: 1 is scikit-learn's C = 1.
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
# Where there is no cross-validation.
PENALTY = 1.0


class Stack(late.Rule):
  """Estimates coefficients and an intercept for each output."""

  folds = True

  def fit(self, given):
    known = links.known(given.task, given.labels).any(axis=1)
    given = _rows(given, known & (given.weight > 0) & given.here.any(axis=0))
    return _fit_stack(given, _chosen_penalty(given))

  def fuse(self, fitted, values, here):
    return _logits(fitted.task, fitted.state, values, here)


def _rows(given: late.Validation, rows) -> late.Validation:
  """Some of the studies."""
  return dataclasses.replace(
    given,
    values=given.values[:, rows],
    here=given.here[:, rows],
    labels=given.labels[rows],
    weight=given.weight[rows],
    fold=None if given.fold is None else given.fold[rows],
  )


def _logits(task, state, values, here) -> np.ndarray:
  """(n, s) logits of the meta-model."""
  features = _features(task, values, here, state['scale'], state['origin'])
  fused = features @ np.asarray(state['coefficients'])
  return fused + np.asarray(state['intercept'])


def _features(task, values, here, scale, origin):
  """(n, m s + m) logits over their scale, 0 where absent, then presence."""
  scaled = _centred(task, values, here, origin)
  scaled = scaled / np.asarray(scale)[:, None, None]
  columns = np.concatenate(list(scaled), axis=1)
  return np.concatenate([columns, here.T.astype(np.float64)], axis=1)


def _centred(task, values, here, origin):
  """(m, n, s) logits of which 0 is what is said of a study without."""
  if task.kind == types.MULTICLASS:
    # Logits up to a constant per row: take the constant out.
    return values - values.mean(axis=2, keepdims=True)
  origin = np.asarray(origin)[:, None, None]
  return np.where(here[:, :, None], values - origin, 0)


def _chosen_penalty(given: late.Validation) -> float:
  """The penalty with the lowest loss over all folds; of equals the largest."""
  if given.fold is None:
    return PENALTY
  total = dict.fromkeys(PENALTIES[::-1], 0.0)
  for number in np.unique(given.fold):
    kept = _rows(given, given.fold != number)
    held = _rows(given, given.fold == number)
    for penalty in total:
      state = _fit_stack(kept, penalty)
      logits = _logits(given.task, state, held.values, held.here)
      loss = links.mean_loss(given.task, logits, held.labels, held.weight)
      survival = given.task.kind == types.SURVIVAL
      counted = held.labels[:, 1] if survival else np.ones(len(held.labels))
      if np.isfinite(loss):  # Without an event there is none.
        total[penalty] += held.weight @ counted * loss
  return min(total, key=total.get) if any(total.values()) else PENALTY


def _fit_stack(given: late.Validation, penalty: float) -> dict:
  """The meta-model, by name of what `_logits` reads, and its penalty."""
  task, values, here = given.task, given.values, given.here
  labels, weight, constant = given.labels, given.weight, given.constant
  origin = np.zeros(len(values))
  if task.kind == types.REGRESSION:
    origin = np.array(
      [
        evidence.moments(v[present], weight[present])[0]
        for v, present in zip(values, here, strict=True)
      ]
    )
  centred = _centred(task, values, here, origin)
  # Only the deviation: a logit of 0 must stay 0, which is what absence means.
  scale = np.array(
    [
      evidence.moments(v[present], weight[present])[1]
      for v, present in zip(centred, here, strict=True)
    ]
  )
  x = _features(task, values, here, scale, origin)
  outputs = _fitted_outputs(task, labels)
  unit = 1.0
  if task.kind == types.REGRESSION and len(labels):
    unit = evidence.moments(labels, weight)[1]
  # The intercept of a column that never varies would be in two places.
  varies = np.ptp(x, axis=0) > 0 if len(x) else np.zeros(x.shape[1], bool)
  mask = np.outer(np.append(varies, task.kind != types.SURVIVAL), outputs)
  design = np.concatenate([x, np.ones((len(x), 1))], axis=1)
  penalised = np.append(np.ones(x.shape[1]), 0)[:, None]
  ridge = penalty / max(len(labels), 1)

  def objective(flat):
    b = np.zeros(mask.shape)
    b[mask] = flat
    logits = constant + unit * design @ b
    loss = links.mean_loss(task, logits, labels, weight) / unit**2
    gradient, _ = links.derivatives(task, logits, labels, weight)
    gradient = design.T @ gradient / unit + ridge * penalised * b
    loss += ridge / 2 * np.sum(penalised * b**2)
    return loss, gradient[mask]

  b = np.zeros(mask.shape)
  start = objective(b[mask])[0] if mask.any() else np.nan
  if np.isfinite(start):
    b[mask] = optimize.minimize(
      objective,
      b[mask],
      jac=True,
      method='L-BFGS-B',
      options={'maxiter': 1000, 'gtol': 1e-8, 'ftol': 1e-14},
    ).x
  b *= unit
  intercept = constant + b[-1]
  if task.kind == types.SURVIVAL and len(x):
    # 0 is what a study without any modality gets: let it be the mean.
    intercept = -np.average(x @ b[:-1], axis=0, weights=weight)
  return {
    'penalty': penalty,
    'origin': origin.tolist(),
    'scale': scale.tolist(),
    'coefficients': b[:-1].tolist(),
    'intercept': intercept.tolist(),
  }


def _fitted_outputs(task, labels):
  """(s,) bool: outputs with something to learn; others stay constant."""
  if task.kind == types.MULTICLASS:
    found = np.unique(labels[~np.isnan(labels)])
    several = len(found) > 1
    return several & np.isin(np.arange(task.num_outputs), found)
  if task.kind in (types.BINARY, types.MULTILABEL):
    return np.array([len(np.unique(c[~np.isnan(c)])) > 1 for c in labels.T])
  return np.ones(1, bool)


@late.RULES.register(
  'stack', summary='meta-model on logits and presence', missing=True
)
def stack() -> Stack:
  """The only rule that can unlearn a modality that points the wrong way."""
  return Stack()
