"""Metrics within groups of studies, and how error rates differ between them.

A group is a level of a declared column, of a pair of columns, or whether a
modality is there. Intervals use the patient resamples of the whole table: a
replicate counts in a group as often as the group's patients were drawn.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import entries as entries_lib
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import metrics, ranking, resampling
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import thresholds as thresholds_lib

MIN_GROUP = 20
MIN_EVENTS = 10
# Groups are many: their intervals take the first of the table's resamples.
REPLICATES = 500
AVAILABLE = 'available_'
YES, NO = 'yes', 'no'

_CALL = thresholds_lib.YOUDEN
_BLOCK_BYTES = 2**22


@dataclasses.dataclass(frozen=True, eq=False)
class Groups:
  """What groups u studies are in.

  Attributes:
    study: (u,) str, sorted.
    declared: by column, (u,) str.
    available: by column, (u,) str 'yes' or 'no'; only of modalities that some
      studies have and others lack.
  """

  study: np.ndarray
  declared: Mapping[str, np.ndarray]
  available: Mapping[str, np.ndarray]

  @property
  def columns(self) -> dict[str, np.ndarray]:
    """All columns, declared ones first."""
    return {**self.declared, **self.available}

  def of(self, column: str, study: np.ndarray) -> np.ndarray:
    """(n,) str levels of the given studies."""
    return self.columns[column][np.searchsorted(self.study, study)]

  def cells(self) -> list[dict[str, str]]:
    """The groups: levels by column, then pairs of declared columns."""
    found = [
      {column: str(level)}
      for column, values in self.columns.items()
      for level in np.unique(values)
    ]
    for a, b in itertools.combinations(self.declared, 2):
      pairs = np.stack([self.declared[a], self.declared[b]], axis=1)
      found += [
        {a: str(x), b: str(y)} for x, y in np.unique(pairs, axis=0).tolist()
      ]
    return found

  def inside(self, cell: Mapping[str, str], study: np.ndarray) -> np.ndarray:
    """(n,) bool: which of the given studies are in the group."""
    rows = np.ones(len(study), bool)
    for column, level in cell.items():
      rows &= self.of(column, study) == level
    return rows


def find(predictions: predictions_lib.Predictions) -> Groups:
  """The groups of the studies that are tested."""
  tested = predictions.part == predictions_lib.TEST
  tested &= predictions.condition == predictions_lib.INTACT
  p = predictions.take(np.flatnonzero(tested))
  study, place = predictions_lib.factorize(p.study_id)
  first = np.zeros(len(study), np.int64)
  first[place[::-1]] = np.arange(len(place))[::-1]
  available = {}
  for name, x in p.available.items():
    # As for complete cases: a modality is there if it is in every row.
    everywhere = np.ones(len(study), bool)
    np.logical_and.at(everywhere, place, x)
    available[AVAILABLE + name] = np.where(everywhere, YES, NO)
  return Groups(
    study,
    {name: x[first].astype(str) for name, x in p.subgroup.items()},
    {k: x for k, x in available.items() if len(np.unique(x)) > 1},
  )


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
) -> dict[str, list[dict[str, Any]]]:
  """What a summary says of groups: `subgroups` and `equalised_odds`.

  Both are empty for a table without groups whose studies have all modalities.

  Args:
    predictions: the table.
    folds: its test parts with thresholds.
    arms: names of the arms.
    wanted: names of the metrics.
    metric: the metric of comparison.
    references: the single-modality arm of each fold, or None.
    resamples: of the whole table.
    config: which groups are too small.
  """
  groups = find(predictions)
  least = {'min_group': config.min_group, 'min_events': config.min_events}
  return {
    'subgroups': subgroups(
      predictions.task,
      folds,
      groups,
      arms=arms,
      wanted=wanted,
      metric=metric,
      references=references,
      resamples=resamples,
      **least,
    ),
    'equalised_odds': equalised_odds(
      predictions.task, folds, groups, arms=arms, resamples=resamples, **least
    ),
  }


def subgroups(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  groups: Groups,
  *,
  arms: Sequence[str],
  wanted: Sequence[str],
  metric: str,
  references: Sequence[str | None],
  resamples: resampling.Resamples,
  min_group: int = MIN_GROUP,
  min_events: int = MIN_EVENTS,
) -> list[dict[str, Any]]:
  """Every metric of every arm within every group.

  Nothing is fitted or chosen anew in a group: thresholds and references are
  those of the whole fold. Intervals are of the first REPLICATES resamples;
  they are not adjusted for how many groups there are.

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
      and likewise without; see `too_few`.

  Returns:
    One dict per group: group, studies, patients, events, suppressed (None or
    why there are no numbers) and arms; undefined numbers are NaN.
  """
  resamples = resampling.Resamples(
    resamples.patients, resamples.counts[:, :REPLICATES]
  )
  found = []
  for cell in groups.cells():
    inside = [
      (f.take(rows), reference)
      for f, reference in zip(folds, references, strict=True)
      if (rows := groups.inside(cell, f.study)).any()
    ]
    parts = [f for f, _ in inside]
    reason = too_few(task, parts, min_group, min_events)
    entry = {'group': cell, **_counts(task, parts), 'suppressed': reason}
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
      )
    found.append(entry)
  return found


def too_few(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  min_group: int = MIN_GROUP,
  min_events: int = MIN_EVENTS,
) -> str | None:
  """Why a group is too small to be reported; None if it is not.

  Binary tasks need `min_events` studies with and without the event, survival
  with it, multiclass of two classes, multilabel with and without one label.
  Each study counts once, however many folds it is tested in.
  """
  patient = np.concatenate([f.patient for f in folds])
  return too_few_of(task, _labels(folds), patient, min_group, min_events)


def too_few_of(
  task: types.Task,
  labels: np.ndarray,
  patient: np.ndarray,
  min_group: int = MIN_GROUP,
  min_events: int = MIN_EVENTS,
) -> str | None:
  """As `too_few`, of (n, l) labels and the patients of n studies."""
  patients = len(np.unique(patient))
  if patients < min_group:
    return f'{patients} patients, fewer than {min_group}'
  if task.kind == types.REGRESSION:
    return None
  if task.kind == types.SURVIVAL:
    events = int((labels[:, 1] == 1).sum())
    return _fewer(events, 'events', min_events)
  if task.kind == types.BINARY:
    for value, what in ((1, 'studies with'), (0, 'studies without')):
      count = int((labels[:, 0] == value).sum())
      if count < min_events:
        return _fewer(count, f'{what} the event', min_events)
    return None
  positive = folds_lib.positives(task, labels).sum(axis=0)
  if task.kind == types.MULTICLASS:
    if (positive >= min_events).sum() < 2:
      return f'fewer than two classes with {min_events} studies each'
    return None
  negative = (labels == 0).sum(axis=0)
  if not (np.minimum(positive, negative) >= min_events).any():
    return f'no label with {min_events} studies with it and without it'
  return None


def equalised_odds(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  groups: Groups,
  *,
  arms: Sequence[str],
  resamples: resampling.Resamples,
  min_group: int = MIN_GROUP,
  min_events: int = MIN_EVENTS,
) -> list[dict[str, Any]]:
  """How true and false positive rates differ between groups.

  Equalised odds (Hardt, Price and Srebro, 2016, definition 2.1) would have
  both gaps 0. Calls are made at the threshold that was chosen on the fold's
  validation part, one for all groups. A group's rate is the mean over folds
  and seeds; the gap is that of the groups with the highest and the lowest
  rate, and its interval that of the difference between these two groups. With
  more than two groups the gap is above 0 by chance alone.

  Args:
    task: what is predicted; only binary and multilabel tasks have calls.
    folds: test parts with thresholds (`thresholds.attach`).
    groups: of their studies.
    arms: names of the arms.
    resamples: of the whole table.
    min_group: as for `subgroups`; smaller groups take no part.
    min_events: likewise.

  Returns:
    One dict per column, arm (and label): column, arm, levels (rates by level),
    tpr_gap and fpr_gap; undefined numbers are NaN, with a reason.
  """
  if task.kind not in (types.BINARY, types.MULTILABEL):
    return []
  found = []
  for column, values in groups.columns.items():
    parts = {
      str(level): [
        f.take(groups.of(column, f.study) == level)
        for f in folds
        if (groups.of(column, f.study) == level).any()
      ]
      for level in np.unique(values)
    }
    levels = [
      level
      for level, inside in parts.items()
      if too_few(task, inside, min_group, min_events) is None
    ]
    rates = _rates(task, folds, groups, column, levels, arms, resamples)
    for i, label in enumerate(task.names):
      which = {'label': label} if task.kind == types.MULTILABEL else {}
      for a, arm in enumerate(arms):
        found.append(
          {
            'column': column,
            'arm': arm,
            **which,
            'levels': {
              level: {
                name: _entry(rates[k, i, a, at])
                for k, name in enumerate(('tpr', 'fpr'))
              }
              for at, level in enumerate(levels)
            },
            'tpr_gap': _gap(levels, rates[0, i, a]),
            'fpr_gap': _gap(levels, rates[1, i, a]),
          }
        )
  return found


def _rates(task, folds, groups, column, levels, arms, resamples) -> np.ndarray:
  """(2, labels, a, levels, 1 + r) true and false positive rates.

  The first of the last axis is the estimate, the others are replicates.
  """
  replicates = resamples.counts.shape[1]
  k = len(task.names)
  shape = (2, k, len(arms), len(levels), 1 + replicates)
  sums, defined = np.zeros(shape), np.zeros(shape)
  for fold in folds:
    levels_here = groups.of(column, fold.study)
    member = np.stack([levels_here == x for x in levels]) if levels else None
    if member is None:
      continue
    places = resamples.rows(fold.patient)
    width = max(16, _BLOCK_BYTES // (8 * max(1, len(places))))
    for lo in range(0, 1 + replicates, width):
      block = slice(lo, min(lo + width, 1 + replicates))
      counts = resamples.counts[places, max(lo - 1, 0) : block.stop - 1]
      weights = counts * fold.weight[:, None]
      if not lo:
        weights = np.concatenate([fold.weight[:, None], weights], axis=1)
      for i in range(k):
        for kind, value in enumerate((1, 0)):
          rows = member & (fold.labels[:, i] == value)
          total = rows @ weights
          for a, arm in enumerate(arms):
            of_seeds = [
              ranking.ratio((rows & (scores[:, i] >= t[i])) @ weights, total)
              for scores, t in _calls(fold, arm)
            ]
            if not of_seeds:
              continue
            rate = metrics.mean(of_seeds)
            there = ~np.isnan(rate)
            sums[kind, i, a, :, block] += np.where(there, rate, 0)
            defined[kind, i, a, :, block] += there
  return ranking.ratio(sums, defined)


def _calls(fold, arm):
  """(scores (n, s), thresholds (s,)) of each seed's model."""
  for seed, scores in fold.scores.get(arm, {}).items():
    points = fold.thresholds.get(arm, {}).get(seed)
    if points is not None:
      yield scores, points.values[_CALL]


def _gap(levels, rates) -> dict[str, Any]:
  """The largest difference of (levels, 1 + r) rates."""
  known = np.flatnonzero(~np.isnan(rates[:, 0])) if len(levels) else []
  if len(known) < 2:
    return {
      'estimate': math.nan,
      'low': math.nan,
      'high': math.nan,
      'reason': 'fewer than two groups are large enough',
    }
  high = known[np.argmax(rates[known, 0])]
  low = known[np.argmin(rates[known, 0])]
  if high == low:
    low = known[known != high][0]
  return {
    **_entry(rates[high] - rates[low]),
    'highest': levels[high],
    'lowest': levels[low],
  }


def _entry(values, undefined=(), otherwise='undefined in every fold'):
  """{estimate, low, high} of (1 + r,) an estimate and its replicates."""
  return entries_lib.resampled(
    float(values[0]), values[1:], undefined, otherwise=otherwise
  )


def _arms(task, folds, references, *, arms, wanted, metric, resamples):
  """By arm of one group: metrics and gain over the fold's reference."""
  estimates = estimates_lib.estimate(task, folds, arms=arms, wanted=wanted)
  replicates = resampling.replicate(
    task, folds, arms=arms, wanted=wanted, metric=metric, resamples=resamples
  )
  place = {arm: a for a, arm in enumerate(arms)}
  compared = [g for g, r in enumerate(references) if r in place]
  others = [place[references[g]] for g in compared]
  found = {}
  for a, arm in enumerate(arms):
    entries = {}
    for m, name in enumerate(wanted):
      undefined = estimates.undefined(arm, name)
      entries[name] = _entry(
        np.append(estimates.estimate[name][a], replicates.means[a, m]),
        undefined,
      )
    gain = np.full(1 + replicates.by_fold.shape[2], math.nan)
    if compared:
      values = estimates.values[metric]
      difference = values[compared, a] - values[compared, others]
      paired = (
        replicates.by_fold[compared, a] - replicates.by_fold[compared, others]
      )
      # A fold without an observed difference has no replicates either.
      paired = np.where(np.isnan(difference)[:, None], np.nan, paired)
      gain = metrics.mean([*np.column_stack([difference, paired])])
    found[arm] = {
      'metrics': entries,
      'gain': _entry(gain, otherwise='no reference is defined in this group'),
    }
  return found


def _counts(task, folds) -> dict[str, Any]:
  once = _once(folds)
  events = folds_lib.events(task, _labels(folds))
  found = {
    'studies': len(once),
    'patients': _distinct(f.patient for f in folds),
    'events': events,
  }
  if events is None:
    found['events_reason'] = 'a regression has no events'
  return found


def _once(folds) -> np.ndarray:
  """Places of each study's first occurrence in the folds put together."""
  return np.unique(np.concatenate([f.study for f in folds]), return_index=True)[
    1
  ]


def _labels(folds) -> np.ndarray:
  return np.concatenate([f.labels for f in folds])[_once(folds)]


def _distinct(arrays) -> int:
  return len(np.unique(np.concatenate([*arrays])))


def _fewer(count: int, what: str, least: int) -> str | None:
  return f'{count} {what}, fewer than {least}' if count < least else None
