"""The share of the modalities present that vote for the label or class.

Binary and multilabel: the logit is above the modality's threshold, which
maximises sensitivity + specificity - 1 on validation. Multiclass: the class is
the most probable one. Ties stay ties: how sure a modality was does not count.
"""

import dataclasses

import numpy as np

from fusion_jax.core import links, types
from fusion_jax.fusion import evidence, late


@dataclasses.dataclass(frozen=True)
class Vote(late.Rule):
  """Estimates a threshold for each modality and label."""

  recalibrated: bool = False

  tasks = late.CLASSES
  interactions = True

  def fit(self, given):
    thresholds = np.zeros((len(given.values), given.task.num_outputs))
    if given.task.kind != types.MULTICLASS:
      for m, value in enumerate(given.values):
        for k in range(given.task.num_outputs):
          known = ~np.isnan(given.labels[:, k])
          rows = given.here[m] & known & (given.weight > 0)
          thresholds[m, k] = _youden(
            value[rows, k], given.labels[rows, k], given.weight[rows]
          )
    return {'thresholds': thresholds.tolist()}

  def fuse(self, fitted, values, here):
    if fitted.task.kind == types.MULTICLASS:
      classes = np.arange(fitted.task.num_outputs)
      votes = values.argmax(axis=2)[:, :, None] == classes
    else:
      thresholds = np.asarray(fitted.state['thresholds'])
      votes = values > thresholds[:, None, :]
    share = evidence.weighted_mean(votes, here, np.ones(len(values)))
    return links.logits_from_scores(fitted.task, share)


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


@late.RULES.register('vote', summary='share of the votes')
def vote(*, recalibrated: bool = False) -> Vote:
  """Of two modalities it has three values: much of the order is lost."""
  return Vote(recalibrated)
