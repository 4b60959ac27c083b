"""Where intervals come from: the patient bootstrap, or DeLong's covariance."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import (
  bca,
  comparison,
  delong,
  holm,
  metrics,
  resampling,
)
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import folds as folds_lib

DESCRIPTIONS: Mapping[str, str] = {
  config_lib.BOOTSTRAP: 'patient bootstrap, percentiles, conditional on the '
  'trained models',
  config_lib.BCA: 'patient bootstrap, bias-corrected and accelerated, '
  'conditional on the trained models; comparisons: max-t',
  config_lib.DELONG: 'DeLong, studies taken as independent, conditional on '
  "the trained models; comparisons: Holm's test, Bonferroni intervals",
}
ADJUSTMENTS: Mapping[str, str] = {
  config_lib.BOOTSTRAP: 'max-t',
  config_lib.BCA: 'max-t',
  config_lib.DELONG: 'holm',
}

_NO_RESAMPLES = 'there are no resamples: DeLong gives intervals of AUROC only'


class Bootstrap:
  """Intervals of a arms and m metrics from r patient resamples."""

  def __init__(
    self,
    task: types.Task,
    folds: Sequence[folds_lib.Fold],
    *,
    arms: Sequence[str],
    wanted: Sequence[str],
    metric: str,
    resamples: resampling.Resamples,
    left_out: resampling.Resamples | None = None,
  ):
    """Computes all replicates.

    Args:
      task: what is predicted.
      folds: g folds.
      arms: names of a arms.
      wanted: names of m metrics.
      metric: the one of them that arms are compared by.
      resamples: the r draws.
      left_out: the jackknife's, where intervals are to be BCa.
    """
    self._wanted = list(wanted)

    def replicate(draws):
      return resampling.replicate(
        task, folds, arms=arms, wanted=wanted, metric=metric, resamples=draws
      )

    self.replicates = replicate(resamples)
    self._jackknife = None if left_out is None else replicate(left_out)

  def of_arm(self, a: int, name: str, estimate: float):
    """(low, high, reason) of one arm's metric."""
    m = self._wanted.index(name)
    left_out = None
    if self._jackknife is not None:
      left_out = self._jackknife.means[a, m]
    return _interval(estimate, self.replicates.means[a, m], left_out)

  def of_chosen(self, chosen: Sequence[tuple[int, int]], estimate: float):
    """(low, high, reason) of the mean over chosen (fold, arm) places."""

    def mean(found):
      return metrics.mean([found.by_fold[c] for c in chosen])

    left_out = None if self._jackknife is None else mean(self._jackknife)
    return _interval(estimate, mean(self.replicates), left_out)

  def families(self, sign: int) -> dict:
    """What `comparison.compare` takes; `sign` turns higher into better."""
    return {'replicates': sign * self.replicates.by_fold}


class DeLong:
  """Intervals of a arms' AUROCs on one fold."""

  def __init__(
    self, areas: delong.Areas, arms: Sequence[str], fusions: Sequence[str]
  ):
    """Keeps the areas of a arms; `fusions` are the family to compare."""
    self._areas = areas
    self._arms = list(arms)
    self._fusions = tuple(fusions)

  def of_arm(self, a: int, name: str, estimate: float):
    """(low, high, reason) of one arm's metric."""
    if name != 'auroc':
      return math.nan, math.nan, _NO_RESAMPLES
    se = self._areas.se[a]
    if math.isnan(se):
      return math.nan, math.nan, self._areas.reason
    return *delong.interval(estimate, se), ''

  def of_chosen(self, chosen: Sequence[tuple[int, int]], estimate: float):
    """(low, high, reason) of the reference on the only fold."""
    return self.of_arm(chosen[0][1], 'auroc', estimate)

  def families(self, sign: int) -> dict:
    """What `comparison.compare` takes; AUROC is better when higher."""
    del sign

    def family(chosen, observed):
      rows = [self._arms.index(arm) for arm in self._fusions]
      if chosen[0] is None:
        nan = np.full(len(rows), np.nan)
        return holm.family(nan, nan, [''] * len(rows))
      reference = self._arms.index(chosen[0])
      found = [delong.difference(self._areas, i, reference) for i in rows]
      return holm.family(
        observed[0],
        np.array([x.se for x in found]),
        [x.reason for x in found],
      )

    return {'families': family}


def delong_obstacle(task: types.Task, metric: str, folds: int) -> str:
  """Why DeLong does not apply to such a comparison; empty if it does."""
  if task.kind != types.BINARY or metric != 'auroc':
    return f'DeLong is for the AUROC of a binary label, not {metric}'
  return '' if folds == 1 else f'DeLong is for one fold, here are {folds}'


def delong_areas(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  *,
  arms: Sequence[str],
  metric: str,
) -> tuple[delong.Areas | None, str]:
  """The AUROCs of all arms (means over seeds) on the only fold.

  Args:
    task: what is predicted.
    folds: the test parts.
    arms: names of a arms; those without scores are NaN.
    metric: what arms are compared by.

  Returns:
    Areas of a arms and '', or None and why DeLong does not apply.
  """
  obstacle = delong_obstacle(task, metric, len(folds))
  if obstacle:
    return None, obstacle
  (fold,) = folds
  rows = np.flatnonzero(~np.isnan(fold.labels[:, 0]))
  if len(np.unique(fold.weight[rows])) > 1:
    return None, 'DeLong takes all studies alike, here they have weights'
  scores, mean = [], []
  for arm in arms:
    of_seeds = list(fold.scores.get(arm, {}).values())
    mean.append((len(scores), len(of_seeds)))
    scores += [s[rows, 0] for s in of_seeds]
  found = delong.areas(fold.labels[rows, 0] > 0, np.stack(scores))
  weights = np.zeros((len(arms), len(scores)))
  for a, (start, count) in enumerate(mean):
    weights[a, start : start + count] = 1 / max(count, 1)
  found = found.combine(weights)
  absent = np.array([count == 0 for _, count in mean])
  found.auroc[absent] = np.nan
  return found, ''


def _interval(estimate, replicates, left_out):
  if left_out is None:
    return comparison.interval(replicates)
  return bca.interval(estimate, replicates, left_out)
