"""Decision curves: what acting on predictions is worth."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import bands, ranking, resampling
from fusion_jax.evaluation import folds as folds_lib

# At probability 1 nobody would act whatever the harm.
THRESHOLDS = np.arange(100) / 100

_NAMES = ('threshold', 'net_benefit')


def net_benefit(
  positive: np.ndarray, scores: np.ndarray, thresholds: np.ndarray = THRESHOLDS
) -> ranking.Kernel:
  """Net benefit (Vickers and Elkin, 2006, Medical Decision Making 26, 565).

  TP / n - FP / n * t / (1 - t) of acting where score >= t: true positives per
  study, less the false positives at the exchange rate that the threshold
  states. Defined with one class, with ties and for constant scores; only the
  score's scale matters, so it presumes calibrated probabilities.

  Args:
    positive: (n,) bool.
    scores: (n,) probabilities.
    thresholds: (t,) probabilities below 1.

  Returns:
    A function from (n, r) weights to (t, r) net benefits, NaN without weight.
  """
  thresholds = np.asarray(thresholds, np.float64)
  # Summed from the highest score down: one sort serves all thresholds.
  order = np.argsort(-scores, kind='stable')
  called = np.searchsorted(-scores[order], -thresholds, side='right')
  hit = np.asarray(positive, bool)[order]
  harm = thresholds / (1 - thresholds)

  def kernel(weights):
    mine = weights[order]
    true = ranking.cumulative(mine * hit[:, None])[called]
    false = ranking.cumulative(mine * ~hit[:, None])[called]
    return _per_study(true - harm[:, None] * false, weights)

  return kernel


def treat_all(
  positive: np.ndarray, thresholds: np.ndarray = THRESHOLDS
) -> ranking.Kernel:
  """Net benefit of acting on everybody; that of acting on nobody is 0.

  Args:
    positive: (n,) bool.
    thresholds: (t,) probabilities below 1.

  Returns:
    A function from (n, r) weights to (t, r) net benefits, NaN without weight.
  """
  y = np.asarray(positive, np.float64)
  harm = np.asarray(thresholds) / (1 - np.asarray(thresholds))

  def kernel(weights):
    true = y @ weights
    false = (1 - y) @ weights
    return _per_study(true - harm[:, None] * false, weights)

  return kernel


def curve(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  arm: str,
  resamples: resampling.Resamples,
  label: str = '',
) -> dict[str, Any]:
  """An arm's decision curve, a mean over models with pointwise bands.

  Args:
    task: binary; or multiclass or multilabel, with a label.
    folds: test parts.
    arm: its name.
    resamples: of their patients.
    label: class or label; empty for a binary task.

  Returns:
    {threshold, net_benefit, low, high}, or a reason.
  """
  return bands.band(
    _values(task, folds, arm, resamples, label), THRESHOLDS, _NAMES
  )


def treat_all_curve(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  resamples: resampling.Resamples,
  label: str = '',
) -> dict[str, Any]:
  """The decision curve of acting on everybody; arguments as for `curve`."""

  def kernels(fold):
    arm = next(iter(fold.scores))
    return bands.kernels(task, fold, arm, lambda y, s: treat_all(y > 0), label)[
      :1
    ]

  return bands.band(bands.means(folds, kernels, resamples), THRESHOLDS, _NAMES)


def difference(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  arm: str,
  other: str,
  resamples: resampling.Resamples,
  label: str = '',
) -> dict[str, Any]:
  """Net benefit of an arm minus that of another one, by threshold.

  With EHR as the other one this is what acquiring the image is worth. Folds
  that lack one of the two arms are left out; both have the same resamples.

  Args:
    task: as for `curve`.
    folds: test parts.
    arm: its name.
    other: name of the arm to take off.
    resamples: of their patients.
    label: class or label; empty for a binary task.

  Returns:
    {threshold, difference, low, high}, or a reason.
  """
  shared = [f for f in folds if arm in f.scores and other in f.scores]
  mine = _values(task, shared, arm, resamples, label)
  theirs = _values(task, shared, other, resamples, label)
  values = None if mine is None or theirs is None else mine - theirs
  return bands.band(values, THRESHOLDS, ('threshold', 'difference'))


def _values(task, folds, arm, resamples, label):
  def kernels(fold):
    return bands.kernels(
      task, fold, arm, lambda y, s: net_benefit(y > 0, s), label
    )

  return bands.means(folds, kernels, resamples)


def _per_study(sums, weights):
  total = np.broadcast_to(weights.sum(axis=0), sums.shape)
  return ranking.ratio(sums, total)
