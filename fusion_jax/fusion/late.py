"""Late fusion: rules over the predictions of single-modality models.

A rule sees logits and presence masks, never inputs or features, and whatever
it estimates comes from validation predictions. What the rules average, here
called evidence, is per task

  binary, multilabel  the logit (log odds), so that the rule stays additive in
                      the modalities' logits
  multiclass          the log probability of each class
  regression          the predicted value
  survival            the log hazard, less its mean and divided by its standard
                      deviation over the validation studies that have the
                      modality: log hazards of two models share no unit

Rules:
  mean      mean evidence of the modalities that a study has.
  weighted  weighted mean evidence. A modality's weight is its skill, 1 - loss /
            loss of the best constant prediction, on the validation studies
            that have it, not below 0; weights are divided by their sum over
            the modalities that a study has; all are equal where all are 0.
  vote      share of the modalities present that vote for the label (binary,
            multilabel: logit above the modality's threshold, which maximises
            sensitivity + specificity - 1 on validation) or for the class
            (multiclass: the most probable one). Ties stay ties: how sure a
            modality was does not count. Not for regression and survival.
  stack     a logistic (binary, multilabel), multinomial, linear or Cox model on
            every modality's logits (0 where absent; of regression less
            their mean) and presence, with an L2 penalty, fitted on the
            validation predictions. The penalty is that of PENALTIES with the
            lowest loss in a cross-validation of them.
  mean_recalibrated, weighted_recalibrated
            the mean or weighted mean, times a slope plus an intercept fitted
            on its own validation predictions (rescale.py). Not for regression.

A study without any modality gets the validation part's constant prediction. In
the classes of the review (Huang et al. 2020, npj Digit. Med. 3:136) all are
late fusion.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import optimize, special

from fusion_jax.core import errors, links, types
from fusion_jax.fusion import rescale

MEAN, VOTE, WEIGHTED, STACK = 'mean', 'vote', 'weighted', 'stack'
# By rule whose average can be put on the scale of its task, the rule that does.
RECALIBRATED = {
  MEAN: 'mean_recalibrated',
  WEIGHTED: 'weighted_recalibrated',
}
_AVERAGE = {new: old for old, new in RECALIBRATED.items()}
RULES = (MEAN, VOTE, WEIGHTED, STACK, *_AVERAGE)
# What each rule can fuse.
TASKS = {
  MEAN: types.TASK_KINDS,
  VOTE: (types.BINARY, types.MULTICLASS, types.MULTILABEL),
  WEIGHTED: types.TASK_KINDS,
  STACK: types.TASK_KINDS,
  **dict.fromkeys(_AVERAGE, rescale.TASKS),
}
# The stack's penalty is one of these / (2 n) times the squared coefficients of
# standardised logits: 1 is scikit-learn's C = 1.
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
# Where there is no cross-validation.
PENALTY = 1.0


@dataclasses.dataclass(frozen=True)
class LateRule:
  """A fitted rule.

  Attributes:
    rule: one of RULES.
    task: what is predicted.
    modalities: their names in the order of `state`.
    constant: s logits for a study without any modality.
    state: what the rule estimated, lists of numbers by name: `center`,
      `scale`, and `weights` (modality,), `thresholds` (modality, s), or
      `penalty`, `origin` (modality,), `coefficients` (feature, s) and
      `intercept` (s,); of a recalibrated average also `slope` and
      `intercept`, (s,) each.
  """

  rule: str
  task: types.Task
  modalities: tuple[str, ...]
  constant: tuple[float, ...]
  state: Mapping[str, Any]

  def apply(
    self,
    logits: Mapping[str, np.ndarray],
    present: Mapping[str, np.ndarray],
  ) -> np.ndarray:
    """(n, s) logits of the fused prediction.

    Args:
      logits: by modality (n, s); rows where it is absent are not read.
      present: by modality (n,) bool.

    Raises:
      UserError: if a modality is missing or its logits have another width.
    """
    values, here = _stack(self.task, self.modalities, logits, present)
    if self.rule == STACK:
      features = _features(
        self.task, values, here, self.state['scale'], self.state['origin']
      )
      fused = features @ np.asarray(self.state['coefficients'])
      fused += np.asarray(self.state['intercept'])
    elif self.rule == VOTE:
      fused = self._vote(values, here)
    else:
      evidence = _evidence(self.task, values, here, self.state)
      fused = _weighted_mean(evidence, here, self.state['weights'])
      if self.rule in _AVERAGE:
        fused *= np.asarray(self.state['slope'])
        fused += np.asarray(self.state['intercept'])
    anyone = here.any(axis=0)[:, None]
    return np.where(anyone, fused, np.asarray(self.constant))

  def _vote(self, values, here):
    if self.task.kind == types.MULTICLASS:
      classes = np.arange(self.task.num_outputs)
      votes = values.argmax(axis=2)[:, :, None] == classes
    else:
      thresholds = np.asarray(self.state['thresholds'])
      votes = values > thresholds[:, None, :]
    share = _weighted_mean(votes, here, np.ones(len(values)))
    return links.logits_from_scores(self.task, share)

  def to_json(self) -> dict[str, Any]:
    """A JSON-ready copy."""
    return {
      'rule': self.rule,
      'task': {'kind': self.task.kind, 'names': list(self.task.names)},
      'modalities': list(self.modalities),
      'constant': list(self.constant),
      'state': dict(self.state),
    }

  @classmethod
  def from_json(cls, data: Mapping[str, Any]) -> 'LateRule':
    """The rule that `to_json` described."""
    task = types.Task(data['task']['kind'], tuple(data['task']['names']))
    return cls(
      data['rule'],
      task,
      tuple(data['modalities']),
      tuple(data['constant']),
      dict(data['state']),
    )


def fit_late(
  rule: str,
  *,
  task: types.Task,
  valid_logits: Mapping[str, np.ndarray],
  valid_present: Mapping[str, np.ndarray],
  valid_labels,
  valid_weight=None,
  valid_fold=None,
) -> LateRule:
  """Fits a rule on validation predictions.

  Args:
    rule: one of RULES.
    task: what is predicted.
    valid_logits: by modality (n, s); rows where it is absent are not read.
    valid_present: by modality (n,) bool.
    valid_labels: (n, l), NaN where unknown.
    valid_weight: (n,) or None.
    valid_fold: (n,) int, the folds of the cross-validation that chooses the
      penalty of 'stack' (no patient is in two); None for PENALTY.

  Raises:
    UserError: for an unknown rule, or one that the task does not allow.
  """
  if rule not in RULES:
    raise errors.unknown_name('late rule', rule, RULES)
  if task.kind not in TASKS[rule]:
    raise errors.UserError(
      f"The late rule '{rule}' does not support {task.kind} tasks. "
      f'It supports: {", ".join(TASKS[rule])}.'
    )
  modalities = tuple(valid_logits)
  values, here = _stack(task, modalities, valid_logits, valid_present)
  labels = np.asarray(valid_labels, np.float64)
  weight = np.ones(len(labels)) if valid_weight is None else valid_weight
  weight = np.asarray(weight, np.float64)
  constant = links.constant_logits(task, labels, weight)
  if rule == VOTE:
    thresholds = np.zeros((len(modalities), task.num_outputs))
    if task.kind != types.MULTICLASS:
      for m, value in enumerate(values):
        for k in range(task.num_outputs):
          rows = here[m] & ~np.isnan(labels[:, k]) & (weight > 0)
          thresholds[m, k] = _youden(
            value[rows, k], labels[rows, k], weight[rows]
          )
    state = {'thresholds': thresholds.tolist()}
  elif rule == STACK:
    rows = links.known(task, labels).any(axis=1) & (weight > 0)
    rows &= here.any(axis=0)
    given = values[:, rows], here[:, rows], labels[rows], weight[rows]
    fold = None if valid_fold is None else np.asarray(valid_fold)[rows]
    penalty = _chosen_penalty(task, given, fold, constant)
    state = _fit_stack(task, *given, constant, penalty)
  else:
    state = _spread(task, values, here, weight)
    weights = np.ones(len(modalities))
    if _AVERAGE.get(rule, rule) == WEIGHTED:
      skills = [
        _skill(task, v[rows], labels[rows], weight[rows])
        for v, rows in zip(values, here, strict=True)
      ]
      if any(skills):
        weights = np.array(skills) / sum(skills)
    state['weights'] = weights.tolist()
    if rule in _AVERAGE:
      evidence = _evidence(task, values, here, state)
      fused = _weighted_mean(evidence, here, weights)
      rows = here.any(axis=0)
      fitted = rescale.fit(task, fused[rows], labels[rows], weight[rows])
      for name, value in zip(('slope', 'intercept'), fitted, strict=True):
        state[name] = value.tolist()
  return LateRule(rule, task, modalities, tuple(constant.tolist()), state)


def _stack(task, modalities, logits, present):
  """(m, n, s) logits, 0 where absent, and (m, n) presence."""
  values, here = [], []
  for name in modalities:
    for given in (logits, present):
      if name not in given:
        raise errors.UserError(
          f"The late rule was fitted on '{name}', which is not among: "
          f'{", ".join(given)}.'
        )
    value = np.asarray(logits[name], np.float64)
    if value.shape[1:] != (task.num_outputs,):
      raise errors.UserError(
        f"Logits of '{name}' have shape {value.shape}; expected "
        f'(studies, {task.num_outputs}).'
      )
    mask = np.asarray(present[name], bool)
    values.append(np.where(mask[:, None], value, 0))
    here.append(mask)
  return np.stack(values), np.stack(here)


def _evidence(task, values, here, state):
  """What is averaged (module docstring): (m, n, s), 0 where absent."""
  if task.kind == types.MULTICLASS:
    values = special.log_softmax(values, axis=2)
  center = np.asarray(state['center'])[:, None, None]
  scale = np.asarray(state['scale'])[:, None, None]
  return np.where(here[:, :, None], (values - center) / scale, 0)


def _spread(task, values, here, weight):
  """Center and scale of each modality: 0 and 1 but for survival."""
  center, scale = np.zeros(len(values)), np.ones(len(values))
  if task.kind == types.SURVIVAL:
    for m, (value, rows) in enumerate(zip(values, here, strict=True)):
      center[m], scale[m] = _moments(value[rows], weight[rows])
  return {'center': center.tolist(), 'scale': scale.tolist()}


def _moments(value, weight):
  """Weighted mean and deviation of (n, s) over everything; (0, 1) if none."""
  if not weight.sum() > 0:
    return 0.0, 1.0
  mean = np.average(value.mean(axis=1), weights=weight)
  square = np.average(((value - mean) ** 2).mean(axis=1), weights=weight)
  spread = np.sqrt(square)
  return mean, spread if spread > 1e-12 * max(abs(mean), 1e-12) else 1.0


def _weighted_mean(evidence, here, weights):
  """(n, s) mean over the modalities present, (m,) weights renormalised.

  A study whose modalities all have weight 0 gets their plain mean.
  """
  share = here * np.asarray(weights, np.float64)[:, None]  # (m, n)
  share = np.where(share.sum(axis=0) > 0, share, here)
  total = np.maximum(share.sum(axis=0), np.finfo(np.float64).tiny)
  return np.einsum('mn,mns->ns', share / total, evidence)


def _skill(task, logits, labels, weight):
  """1 - loss / loss of the best constant, at least 0; 0 where undefined."""
  constant = links.constant_logits(task, labels, weight)
  loss = links.mean_loss(task, logits, labels, weight)
  base = links.mean_loss(
    task, np.tile(constant, (len(logits), 1)), labels, weight
  )
  return max(0.0, 1 - loss / base) if base > 0 and np.isfinite(loss) else 0.0


def _youden(logit, label, weight):
  """The cut halfway between two logits that maximises Youden's index.

  0 (a probability of one half) if one class is absent. Among equal cuts the
  lowest is taken.
  """
  positive, negative = weight * label, weight * (1 - label)
  if not (positive.sum() > 0 and negative.sum() > 0):
    return 0.0
  distinct, place = np.unique(logit, return_inverse=True)
  if len(distinct) == 1:
    return float(distinct[0])
  lost = np.cumsum(np.bincount(place, positive))[:-1] / positive.sum()
  spared = np.cumsum(np.bincount(place, negative))[:-1] / negative.sum()
  best = int(np.argmax(np.round(spared - lost, 12)))
  return float((distinct[best] + distinct[best + 1]) / 2)


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


def _chosen_penalty(task, given, fold, constant) -> float:
  """The penalty with the lowest loss over all folds; of equals the largest."""
  if fold is None:
    return PENALTY
  values, here, labels, weight = given
  total = dict.fromkeys(PENALTIES[::-1], 0.0)
  for number in np.unique(fold):
    kept, held = fold != number, fold == number
    part = values[:, kept], here[:, kept], labels[kept], weight[kept]
    for penalty in total:
      state = _fit_stack(task, *part, constant, penalty)
      rule = LateRule(
        STACK, task, tuple(map(str, range(len(values)))), tuple(constant), state
      )
      logits = rule.apply(
        {m: values[k][held] for k, m in enumerate(rule.modalities)},
        {m: here[k][held] for k, m in enumerate(rule.modalities)},
      )
      loss = links.mean_loss(task, logits, labels[held], weight[held])
      size = weight[held] @ (
        labels[held, 1] if task.kind == types.SURVIVAL else np.ones(held.sum())
      )
      if np.isfinite(loss):  # Without an event there is none.
        total[penalty] += size * loss
  return min(total, key=total.get) if any(total.values()) else PENALTY


def _fit_stack(task, values, here, labels, weight, constant, penalty):
  """The meta-model; see STACK in the module docstring."""
  origin = np.zeros(len(values))
  if task.kind == types.REGRESSION:
    origin = np.array(
      [
        _moments(v[present], weight[present])[0]
        for v, present in zip(values, here, strict=True)
      ]
    )
  centred = _centred(task, values, here, origin)
  # Only the deviation: a logit of 0 must stay 0, which is what absence means.
  scale = np.array(
    [
      _moments(v[present], weight[present])[1]
      for v, present in zip(centred, here, strict=True)
    ]
  )
  x = _features(task, values, here, scale, origin)
  outputs = _fitted_outputs(task, labels)
  unit = 1.0
  if task.kind == types.REGRESSION and len(labels):
    unit = _moments(labels, weight)[1]
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
