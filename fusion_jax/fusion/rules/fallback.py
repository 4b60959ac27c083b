"""Fusion where it is sure, otherwise the better single modality.

Selective prediction (Geifman and El-Yaniv 2017, "Selective classification for
deep neural networks", NeurIPS) with another model in place of an abstention.
That fusion is sure is said by conformal prediction (Vovk et al. 2005,
"Algorithmic learning in a random world"; Angelopoulos and Bates 2023,
"Conformal prediction: a gentle introduction", Foundations and Trends in Machine
Learning 16(4), section 1): of n validation studies the error of each is 1 less
the probability of its label, the threshold the ceil((n + 1) level)-th smallest
of them, and a new study's set holds all classes whose own error is not above
that. Fusion is used where its set holds exactly one class.

What is fused is the mean evidence, which estimates nothing on the studies that
the threshold is fitted on. The better modality is the one with the lower
validation loss, over the studies that have all modalities if any do; one that a
study lacks is replaced by fusion. Each label of several has a threshold of its
own. Fused and single logits need not be on one scale: the recalibrated form is
better wherever probabilities, or the order of studies, count.

What differs: studies can have weights; the sets' guarantee is that of all new
studies at once, if they are like those of validation, on which the models below
were stopped; it is not one of those that are chosen.
"""

import dataclasses

import numpy as np
from scipy import special

from fusion_jax.core import errors, links, types
from fusion_jax.fusion import evidence, late


def probabilities(task: types.Task, logits: np.ndarray) -> np.ndarray:
  """(n, o, c) of each of c classes: of each label o its two, or of all."""
  if task.kind == types.MULTICLASS:
    return special.softmax(logits, axis=1)[:, None]
  return np.stack([special.expit(-logits), special.expit(logits)], axis=2)


def threshold(error: np.ndarray, weight: np.ndarray, level: float) -> float:
  """The largest error that a set of `level` allows; 1 if there are too few.

  Of equal weights it is the ceil((n + 1) level)-th smallest error; of others
  the smallest whose share of all weights, that of a new study of the mean
  weight among them, is `level` (Tibshirani et al. 2019, "Conformal prediction
  under covariate shift", NeurIPS, section 2).
  """
  order = np.argsort(error)
  share = weight[order].cumsum()
  if not len(share):
    return 1.0
  wanted = level * (len(share) + 1) * share[-1] / len(share)
  # Sums of weights are rounded.
  k = int(np.searchsorted(share, wanted * (1 - 1e-12)))
  return float(error[order[k]]) if k < len(share) else 1.0


@dataclasses.dataclass(frozen=True)
class Fallback(late.Rule):
  """Estimates a threshold for each label and an order of the modalities.

  Attributes:
    level: share of studies whose set is to hold their label.
    recalibrated: see `late.Rule`.
  """

  level: float
  recalibrated: bool = False

  tasks = late.CLASSES
  interactions = True

  def fit(self, given):
    task = given.task
    known = links.known(task, given.labels) & (given.weight > 0)[:, None]
    seen = given.here.any(axis=0)
    chances = probabilities(task, _fused(task, given.values, given.here))
    thresholds = []
    for k in range(chances.shape[1]):
      rows = known[:, k] & seen
      codes = given.labels[rows, k].astype(int)
      own = np.take_along_axis(chances[rows, k], codes[:, None], axis=1)
      thresholds.append(
        threshold(1 - own[:, 0], given.weight[rows], self.level)
      )
    complete = given.here.all(axis=0)
    losses = []
    for value, here in zip(given.values, given.here, strict=True):
      rows = complete if known[complete].any() else here
      losses.append(
        links.mean_loss(
          task, value[rows], given.labels[rows], given.weight[rows]
        )
      )
    # Of modalities without any loss the first is as good as any.
    best = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
    return {'thresholds': thresholds, 'best': best}

  def fuse(self, fitted, values, here):
    fused = _fused(fitted.task, values, here)
    chances = probabilities(fitted.task, fused)
    allowed = np.asarray(fitted.state['thresholds'])[None, :, None]
    sure = (1 - chances <= allowed).sum(axis=2) == 1  # (n, o)
    best = fitted.state['best']
    alone = values[best]
    if fitted.task.kind == types.MULTICLASS:
      alone = special.log_softmax(alone, axis=1)
    return np.where(sure | ~here[best][:, None], fused, alone)


def _fused(task, values, here):
  """(n, s) mean evidence."""
  state = {'center': np.zeros(len(values)), 'scale': np.ones(len(values))}
  each = evidence.of(task, values, here, state)
  return evidence.weighted_mean(each, here, np.ones(len(values)))


@late.RULES.register(
  'fallback', summary='fusion where it is sure, else the better modality'
)
def fallback(*, level: float = 0.9, recalibrated: bool = False) -> Fallback:
  """`level` is the share of studies whose set is to hold their label."""
  if not 0 < level < 1:
    raise errors.UserError(
      f'fallback(level={level:g}): expected a number between 0 and 1.'
    )
  return Fallback(level, recalibrated)
