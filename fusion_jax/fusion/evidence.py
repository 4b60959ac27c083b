"""What rules of late fusion average, and the average.

Evidence is per task

  binary, multilabel  the logit (log odds), so that an average stays additive in
                      the modalities' logits
  multiclass          the log probability of each class
  regression          the predicted value
  survival            the log hazard, less its mean and divided by its standard
                      deviation over the validation studies that have the
                      modality: log hazards of two models share no unit
"""

import dataclasses

import numpy as np
from scipy import special

from fusion_jax.core import types
from fusion_jax.fusion import late, rescale


def of(task: types.Task, values, here, state) -> np.ndarray:
  """(m, n, s) evidence of as many logits, 0 where absent.

  `state` is what `spread` gave.
  """
  if task.kind == types.MULTICLASS:
    values = special.log_softmax(values, axis=2)
  center = np.asarray(state['center'])[:, None, None]
  scale = np.asarray(state['scale'])[:, None, None]
  return np.where(here[:, :, None], (values - center) / scale, 0)


def spread(given: late.Validation) -> dict[str, list[float]]:
  """'center' and 'scale' of each modality: 0 and 1 but for survival."""
  center, scale = np.zeros(len(given.values)), np.ones(len(given.values))
  if given.task.kind == types.SURVIVAL:
    pairs = zip(given.values, given.here, strict=True)
    for m, (value, rows) in enumerate(pairs):
      center[m], scale[m] = moments(value[rows], given.weight[rows])
  return {'center': center.tolist(), 'scale': scale.tolist()}


def moments(value, weight) -> tuple[float, float]:
  """Weighted mean and deviation of (n, s) over everything; (0, 1) if none."""
  if not weight.sum() > 0:
    return 0.0, 1.0
  mean = np.average(value.mean(axis=1), weights=weight)
  square = np.average(((value - mean) ** 2).mean(axis=1), weights=weight)
  spread = np.sqrt(square)
  return mean, spread if spread > 1e-12 * max(abs(mean), 1e-12) else 1.0


def weighted_mean(evidence, here, weights) -> np.ndarray:
  """(n, s) mean over the modalities present, (m,) weights renormalised.

  A study whose modalities all have weight 0 gets their plain mean.
  """
  share = here * np.asarray(weights, np.float64)[:, None]  # (m, n)
  share = np.where(share.sum(axis=0) > 0, share, here)
  total = np.maximum(share.sum(axis=0), np.finfo(np.float64).tiny)
  return np.einsum('mn,mns->ns', share / total, evidence)


@dataclasses.dataclass(frozen=True)
class OfEvidence(late.Rule):
  """A rule that can be recalibrated; regression has nothing to recalibrate.

  Attributes:
    recalibrated: see `late.Rule`.
  """

  recalibrated: bool = False

  @property
  def tasks(self) -> tuple[str, ...]:
    """Kinds of tasks."""
    return rescale.TASKS if self.recalibrated else types.TASK_KINDS


@dataclasses.dataclass(frozen=True)
class Average(OfEvidence):
  """A weighted mean of the evidence; subclasses say with which weights."""

  def weights(self, given: late.Validation) -> np.ndarray:
    """(m,) weights of the modalities."""
    return np.ones(len(given.values))

  def fit(self, given):
    return {**spread(given), 'weights': self.weights(given).tolist()}

  def fuse(self, fitted, values, here):
    evidence = of(fitted.task, values, here, fitted.state)
    return weighted_mean(evidence, here, fitted.state['weights'])
