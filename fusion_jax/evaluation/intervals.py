"""Where intervals come from: the patient bootstrap, or DeLong's covariance."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import (
  bca,
  bounds,
  comparison,
  delong,
  families,
  metrics,
  resampling,
)
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import folds as folds_lib

DESCRIPTIONS: Mapping[str, str] = {
  config_lib.BOOTSTRAP: 'patient bootstrap, on the logit scale for metrics in '
  '(0, 1) and percentiles for others, conditional on the trained models',
  config_lib.BCA: 'patient bootstrap, bias-corrected and accelerated, '
  'conditional on the trained models',
  config_lib.DELONG: 'DeLong on the logit scale, studies taken as independent, '
  'conditional on the trained models',
}
ADJUSTMENTS: Mapping[str, str] = {
  config_lib.BOOTSTRAP: 'standardised max-t of the bootstrap',
  config_lib.BCA: 'standardised max-t of the bootstrap',
  config_lib.DELONG: "standardised max-t of a normal vector with DeLong's "
  'covariance',
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
    factor: float = 1.0,
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
      factor: multiplies standard errors; see dependence.py.
    """
    self._arms = list(arms)
    self._wanted = list(wanted)
    self._metric = metric
    self._factor = factor

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
    return self._interval(name, estimate, self.replicates.means[a, m], left_out)

  def of_chosen(self, chosen: Sequence[tuple[int, int]], estimate: float):
    """(low, high, reason) of the mean over chosen (fold, arm) places."""

    def mean(drawn):
      return metrics.mean([drawn.by_fold[c] for c in chosen])

    left_out = None if self._jackknife is None else mean(self._jackknife)
    return self._interval(
      self._metric, estimate, mean(self.replicates), left_out
    )

  def families(self, values: np.ndarray, sign: int) -> comparison.Families:
    """What `comparison.compare` takes.

    Args:
      values: (g, a) as observed, higher = better.
      sign: turns the metric into that.
    """
    return comparison.resampled(
      self._arms, sign * self.replicates.by_fold, values, self._factor
    )

  def _interval(self, name, estimate, replicates, left_out):
    if left_out is None:
      return bounds.of_metric(name, estimate, replicates, factor=self._factor)
    low, high, reason = bca.interval(estimate, replicates, left_out)
    return *bounds.widened(low, high, estimate, self._factor), reason


class DeLong:
  """Intervals of a arms' AUROCs on one fold."""

  def __init__(self, areas: delong.Areas, arms: Sequence[str]):
    """Keeps the areas of a arms."""
    self._areas = areas
    self._place = {arm: i for i, arm in enumerate(arms)}

  def of_arm(self, a: int, name: str, estimate: float):
    """(low, high, reason) of one arm's metric."""
    if name != 'auroc':
      return math.nan, math.nan, _NO_RESAMPLES
    se = self._areas.se[a]
    if math.isnan(se):
      return math.nan, math.nan, self._areas.reason
    return bounds.logit(estimate, se)

  def of_chosen(self, chosen: Sequence[tuple[int, int]], estimate: float):
    """(low, high, reason) of the reference on the only fold."""
    return self.of_arm(chosen[0][1], 'auroc', estimate)

  def families(self, values: np.ndarray, sign: int) -> comparison.Families:
    """What `comparison.compare` takes; AUROC is better when higher."""
    del values, sign

    def family(fusions, singles, observed):
      del observed
      return families.normal(
        self._areas,
        np.array([self._place[arm] for arm in fusions]),
        # Arms are compared on the only fold.
        np.array([self._place[by_fold[0]] for by_fold in singles]),
      )

    return family


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
  if len(np.unique(fold.patient[rows])) < len(rows):
    return None, (
      'DeLong takes studies as independent, here patients have several'
    )
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
