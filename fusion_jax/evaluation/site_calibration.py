"""Calibration at each site of a cohort.

Models that were trained elsewhere can be calibrated on average and at no site:
too high at one, too low at the next (Riley et al., 2016, BMJ 353, i3140).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import entries as entries_lib
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import groups as groups_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import resampling, subgroups

SLOPE, INTERCEPT = 'calibration_slope', 'calibration_intercept'
_SITE = 'site'


def by_site(
  predictions: predictions_lib.Predictions,
  *,
  study: np.ndarray,
  site: np.ndarray,
  arms: Sequence[str],
  config: config_lib.EvaluationConfig,
  factor: float = 1.0,
) -> list[dict[str, Any]]:
  """Calibration slope and intercept of every arm at every site.

  Each model's own, on the site's studies, then the mean over folds and seeds;
  intervals are of the patient bootstrap with the table's first
  `subgroups.REPLICATES` draws and are not adjusted for how many sites there
  are. Multilabel tasks have an entry for each label.

  Args:
    predictions: the table; test rows count.
    study: (n,) names of the studies.
    site: (n,) where each of them is from.
    arms: names of the arms.
    config: of the evaluation: draws, and which sites are too small.
    factor: multiplies standard errors; see dependence.py.

  Returns:
    One dict per site (and label): site, label (multilabel only), studies,
    patients, events, suppressed (None or why there are no numbers), arms
    {calibration_slope, calibration_intercept}; undefined is None with a
    reason. Empty for tasks other than binary and multilabel.
  """
  task = predictions.task
  if task.kind not in (types.BINARY, types.MULTILABEL):
    return []
  test = folds_lib.arrange(predictions, predictions_lib.TEST)
  resamples = resampling.draw_folds(test, config)
  resamples = dataclasses.replace(
    resamples, counts=resamples.counts[:, : subgroups.REPLICATES]
  )
  order = np.argsort(study)
  groups = groups_lib.Groups(study[order], {_SITE: site[order].astype(str)}, {})
  found = []
  for i, label in enumerate(task.names):
    one = types.Task(types.BINARY, (label,))
    folds = [_of_label(f, i) for f in test]
    named = {'label': label} if task.kind == types.MULTILABEL else {}
    for cell in groups.cells():
      inside = [
        f.take(rows)
        for f in folds
        if (rows := groups.inside(cell, f.study)).any()
      ]
      if not inside:
        continue
      reason = groups_lib.too_few(
        one, inside, config.min_group, config.min_events
      )
      found.append(
        {
          **cell,
          **named,
          **groups_lib.counts(one, inside),
          'suppressed': reason,
          'arms': {} if reason else _arms(one, inside, arms, resamples, factor),
        }
      )
  return entries_lib.plain(found)


def _of_label(fold: folds_lib.Fold, i: int) -> folds_lib.Fold:
  """The fold of one label alone, without the studies that lack it."""
  known = np.flatnonzero(~np.isnan(fold.labels[:, i]))
  fold = fold.take(known)
  return dataclasses.replace(
    fold,
    labels=fold.labels[:, [i]],
    scores={
      arm: {seed: x[:, [i]] for seed, x in by_seed.items()}
      for arm, by_seed in fold.scores.items()
    },
    thresholds={},
  )


def _arms(task, folds, arms, resamples, factor) -> dict[str, Any]:
  wanted = (SLOPE, INTERCEPT)
  estimates = estimates_lib.estimate(task, folds, arms=arms, wanted=wanted)
  replicates = resampling.replicate(
    task, folds, arms=arms, wanted=wanted, metric=SLOPE, resamples=resamples
  )
  return {
    arm: {
      name: entries_lib.resampled(
        float(estimates.estimate[name][a]),
        replicates.means[a, m],
        estimates.undefined(arm, name),
        metric=name,
        factor=factor,
      )
      for m, name in enumerate(wanted)
    }
    for a, arm in enumerate(arms)
  }
