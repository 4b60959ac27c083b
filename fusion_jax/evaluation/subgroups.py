"""Metrics and gains within groups of studies.

Intervals use the patient resamples of the whole table: a replicate counts in a
group as often as the group's patients were drawn.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import entries as entries_lib
from fusion_jax.evaluation import equalised_odds as odds_lib
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import groups as groups_lib
from fusion_jax.evaluation import interactions as interactions_lib
from fusion_jax.evaluation import metrics, resampling
from fusion_jax.evaluation import predictions as predictions_lib

# Groups are many: their intervals take the first of the table's resamples.
REPLICATES = 500


def sections(
  predictions: predictions_lib.Predictions,
  folds: Sequence[folds_lib.Fold],
  *,
  arms: Sequence[str],
  wanted: Sequence[str],
  metric: str,
  references: Sequence[str | None],
  resamples: resampling.Resamples,
  config: config_lib.EvaluationConfig,
  fusions: Sequence[str] = (),
  factor: float = 1.0,
) -> dict[str, list[dict[str, Any]]]:
  """What a summary says of groups, by key.

  `subgroups`, `interactions` and `equalised_odds` are empty for a table without
  groups whose studies have all modalities.

  Args:
    predictions: the table.
    folds: its test parts with thresholds.
    arms: names of the arms.
    wanted: names of the metrics.
    metric: the metric of comparison.
    references: the single-modality arm of each fold, or None.
    resamples: of the whole table.
    config: which groups are too small.
    fusions: the arms whose gain may differ between groups.
    factor: multiplies standard errors; see dependence.py.
  """
  groups = groups_lib.find(predictions)
  few = dataclasses.replace(resamples, counts=resamples.counts[:, :REPLICATES])
  least = {
    'min_group': config.min_group,
    'min_events': config.min_events,
    'factor': factor,
  }
  return {
    'subgroups': subgroups(
      predictions.task,
      folds,
      groups,
      arms=arms,
      wanted=wanted,
      metric=metric,
      references=references,
      resamples=few,
      **least,
    ),
    'interactions': interactions(
      predictions.task,
      folds,
      groups,
      fusions=fusions,
      metric=metric,
      references=references,
      resamples=few,
      **least,
    ),
    'equalised_odds': odds_lib.equalised_odds(
      predictions.task, folds, groups, arms=arms, resamples=resamples, **least
    ),
  }


def subgroups(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  groups: groups_lib.Groups,
  *,
  arms: Sequence[str],
  wanted: Sequence[str],
  metric: str,
  references: Sequence[str | None],
  resamples: resampling.Resamples,
  min_group: int = groups_lib.MIN_GROUP,
  min_events: int = groups_lib.MIN_EVENTS,
  factor: float = 1.0,
) -> list[dict[str, Any]]:
  """Every metric of every arm within every group.

  Nothing is fitted or chosen anew in a group: thresholds and references are
  those of the whole fold. Intervals are not adjusted for how many groups there
  are.

  Args:
    task: what is predicted.
    folds: g test parts.
    groups: of their studies.
    arms: names of the arms.
    wanted: names of the metrics.
    metric: the one that gains are of.
    references: (g,) the single-modality arm of each fold, or None.
    resamples: of the whole table.
    min_group: fewest patients of a group that is reported.
    min_events: fewest studies with the event (or of a class, or with a label),
      and likewise without; see `groups.too_few`.
    factor: multiplies standard errors; see dependence.py.

  Returns:
    One dict per group: group, studies, patients, events, suppressed (None or
    why there are no numbers) and arms; undefined numbers are NaN.
  """
  found = []
  for cell in groups.cells():
    inside = [
      (f.take(rows), reference)
      for f, reference in zip(folds, references, strict=True)
      if (rows := groups.inside(cell, f.study)).any()
    ]
    parts = [f for f, _ in inside]
    reason = groups_lib.too_few(task, parts, min_group, min_events)
    entry = {
      'group': cell,
      **groups_lib.counts(task, parts),
      'suppressed': reason,
    }
    entry['arms'] = {}
    if reason is None:
      entry['arms'] = _arms(
        task,
        parts,
        [reference for _, reference in inside],
        arms=arms,
        wanted=wanted,
        metric=metric,
        resamples=resamples,
        factor=factor,
      )
    found.append(entry)
  return found


def interactions(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  groups: groups_lib.Groups,
  *,
  fusions: Sequence[str],
  metric: str,
  references: Sequence[str | None],
  resamples: resampling.Resamples,
  min_group: int = groups_lib.MIN_GROUP,
  min_events: int = groups_lib.MIN_EVENTS,
  factor: float = 1.0,
) -> list[dict[str, Any]]:
  """Whether the gain of fusion differs between the levels of a column.

  Of declared columns: that a modality which is not there adds nothing is known
  before. See `interactions.test`.

  Args:
    task: what is predicted.
    folds: g test parts.
    groups: of their studies; levels that are too small take no part.
    fusions: names of f arms.
    metric: the one that gains are of.
    references: (g,) the single-modality arm of each fold, or None.
    resamples: of the whole table.
    min_group: as for `subgroups`.
    min_events: likewise.
    factor: multiplies standard errors; see dependence.py.

  Returns:
    One dict per column and arm, as `interactions.test` has them.
  """
  arms = [*dict.fromkeys([*fusions, *(r for r in references if r)])]
  if not fusions or len(arms) == len(fusions):
    return []
  by_column = {}
  for column, values in groups.declared.items():
    gains = {}
    for level in map(str, np.unique(values)):
      inside = [
        (f.take(rows), reference)
        for f, reference in zip(folds, references, strict=True)
        if (rows := groups.of(column, f.study) == level).any()
      ]
      parts = [f for f, _ in inside]
      if groups_lib.too_few(task, parts, min_group, min_events) is None:
        paired = _gains(
          task,
          parts,
          [reference for _, reference in inside],
          arms=arms,
          wanted=(metric,),
          metric=metric,
          resamples=resamples,
        )[0]
        gains[level] = paired[: len(fusions)]
    by_column[column] = gains
  return interactions_lib.test(by_column, fusions, factor=factor)


def _entry(values, undefined=(), otherwise='undefined in every fold', **of):
  """{estimate, low, high} of (1 + r,) an estimate and its replicates."""
  return entries_lib.resampled(
    float(values[0]), values[1:], undefined, otherwise=otherwise, **of
  )


def _gains(task, folds, references, *, arms, wanted, metric, resamples):
  """(a, 1 + r) gains over the fold's reference, positive is better.

  Estimates come first on the last axis, then replicates. Also returns the
  estimates and replicates of all metrics.
  """
  estimates = estimates_lib.estimate(task, folds, arms=arms, wanted=wanted)
  replicates = resampling.replicate(
    task, folds, arms=arms, wanted=wanted, metric=metric, resamples=resamples
  )
  place = {arm: a for a, arm in enumerate(arms)}
  compared = [g for g, r in enumerate(references) if r in place]
  others = [place[references[g]] for g in compared]
  gains = np.full((len(arms), 1 + replicates.by_fold.shape[2]), math.nan)
  if compared:
    sign = 1 if metrics.higher_is_better(metric) else -1
    values = estimates.values[metric]
    for a in range(len(arms)):
      difference = sign * (values[compared, a] - values[compared, others])
      paired = sign * (
        replicates.by_fold[compared, a] - replicates.by_fold[compared, others]
      )
      # A fold without an observed difference has no replicates either.
      paired = np.where(np.isnan(difference)[:, None], np.nan, paired)
      gains[a] = metrics.mean([*np.column_stack([difference, paired])])
  # Minus 0 is 0.
  return gains + 0.0, estimates, replicates


def _arms(task, folds, references, *, arms, wanted, factor, **of):
  """By arm of one group: metrics and gain over the fold's reference."""
  gains, estimates, replicates = _gains(
    task, folds, references, arms=arms, wanted=wanted, **of
  )
  found = {}
  for a, arm in enumerate(arms):
    entries = {
      name: _entry(
        np.append(estimates.estimate[name][a], replicates.means[a, m]),
        estimates.undefined(arm, name),
        metric=name,
        factor=factor,
      )
      for m, name in enumerate(wanted)
    }
    found[arm] = {
      'metrics': entries,
      'gain': _entry(
        gains[a],
        otherwise='no reference is defined in this group',
        factor=factor,
      ),
    }
  return found
