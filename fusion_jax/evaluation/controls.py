"""Is the gain fusion? What arms lose under conditions that forbid it.

Conditions are rows of the table of predictions; which model made them and how
is not known here. docs/controls.md says what each means and how to read it.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import conditions as conditions_lib
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import (
  controls_in_words,
  entries,
  metrics,
  parts,
  resampling,
  shared_gain,
  thresholds,
)
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import references as references_lib

# The arm of folds that are made here.
_MADE = 'made'


@dataclasses.dataclass(frozen=True)
class _Measured:
  """The metric of comparison, oriented so that more is better.

  Attributes:
    values: by arm, (g,) mean over seeds, NaN where undefined.
    replicates: by arm, (g, r).
  """

  values: Mapping[str, np.ndarray]
  replicates: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class _Work:
  task: types.Task
  metric: str
  resamples: resampling.Resamples

  @property
  def sign(self) -> int:
    return 1 if metrics.higher_is_better(self.metric) else -1

  def measure(
    self, folds: Sequence[folds_lib.Fold | None], arms: Sequence[str]
  ) -> _Measured:
    """Of every arm in every fold; NaN in folds that are None."""
    there = [g for g, fold in enumerate(folds) if fold is not None]
    draws = self.resamples.counts.shape[1]
    values = np.full((len(folds), len(arms)), np.nan)
    replicates = np.full((len(folds), len(arms), draws), np.nan)
    if there and arms:
      options = {'arms': arms, 'wanted': [self.metric]}
      kept = [folds[g] for g in there]
      found = estimates_lib.estimate(self.task, kept, **options)
      values[there] = self.sign * found.values[self.metric]
      replicates[there] = (
        self.sign
        * resampling.replicate(
          self.task,
          kept,
          **options,
          metric=self.metric,
          resamples=self.resamples,
        ).by_fold
      )
    return _Measured(
      {a: values[:, i] for i, a in enumerate(arms)},
      {a: replicates[:, i] for i, a in enumerate(arms)},
    )


def summarise(
  predictions: predictions_lib.Predictions,
  *,
  singles: Sequence[str],
  fusions: Sequence[str],
  config: config_lib.EvaluationConfig,
  reference: str = '',
  sides: Mapping[str, Sequence[str]] | None = None,
  seen: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
  """By fusion arm, what it loses under each condition that was run.

  A loss is the arm as it is less the arm under the condition, fold by fold on
  the same studies and resamples, then averaged over folds; it is positive
  where the condition does harm, also for metrics of which less is better.
  Intervals are 95% percentile intervals of the patient bootstrap, conditional
  on the models and on the one random exchange or noise that was drawn, and
  hold for one arm at a time.

  Args:
    predictions: a table that passes `predictions.check`.
    singles: the single-modality arms, in the order that breaks ties.
    fusions: the arms to report on.
    config: metric, replicates and seed; the resamples are the summary's.
    reference: as `summary.summarise` takes it. 'ensemble' is read of it, else
      of the single arm that is best on the test parts.
    sides: the modalities that conditions named by a side changed; by default
      a side's name is that of its only modality.
    seen: by arm, the modalities that it sees; by default all of the table.

  Returns:
    Nothing if no condition was run. Else by arm, 'conditions' by name with
    'metrics' and 'loss'; 'emap', 'ensemble' and 'shapley' (None with a
    'reason' in the absence of what they need); 'fusion' with 'uses_both',
    'interactions' and 'beats_ensemble', each True, False or None; 'sentence'.
    'shapley' has an entry for each modality and one for all ('both' where they
    are two). Where a side has several modalities, 'sides' lists those of each
    and 'shapley_of_sides' has the sums of theirs.
  """
  names = set(predictions_lib.factorize(predictions.condition)[0].tolist())
  listed = [c for c in conditions_lib.CONDITIONS if c in names]
  others = sorted(names - {*listed})
  withheld = [c for c in others if conditions_lib.withheld_by(c)]
  if not (listed or withheld) or not fusions:
    return {}
  task = predictions.task
  metric = config.metric or metrics.PRIMARY[task.kind]
  test, valid = (
    folds_lib.arrange(predictions, part)
    for part in (predictions_lib.TEST, predictions_lib.VALID)
  )
  test = thresholds.attach(task, test, valid)
  best = reference or references_lib.best(
    task, test, singles=singles, metric=metric
  )
  resamples = resampling.draw_folds(test, config)
  work = _Work(task, metric, resamples)
  present = {arm for fold in test for arm in fold.scores}
  fusions = [a for a in fusions if a in present]
  full = work.measure(test, fusions)
  conditions: dict[str, dict[str, dict[str, Any]]] = {a: {} for a in fusions}
  absent: dict[str, _Measured] = {}
  made: dict[str, list[str]] = {a: [] for a in fusions}
  empty = False
  for name in (*listed, *withheld):
    folds = _matched(test, folds_lib.arrange(predictions, condition=name))
    if name == conditions_lib.ENSEMBLE:
      some = any(folds)
      folds = _two_models(test, folds, best)
      empty = some and not any(folds)
      of_reference = _reference(work, folds, best)
      changed = _Measured(
        dict.fromkeys(fusions, of_reference.values[_MADE]),
        dict.fromkeys(fusions, of_reference.replicates[_MADE]),
      )
    else:
      changed = work.measure(folds, fusions)
    if conditions_lib.withheld_by(name):
      absent[name] = changed
      for arm in fusions:
        if any(f is not None and arm in f.scores for f in folds):
          made[arm].append(name)
    if name not in listed:
      continue
    intact = full
    if any(
      f is not None and len(f.study) < len(t.study)
      for f, t in zip(folds, test, strict=True)
    ):
      intact = work.measure(_same_studies(test, folds), fusions)
    for arm in fusions:
      conditions[arm][name] = _condition(work, intact, changed, arm, folds)
      if name == conditions_lib.ENSEMBLE and empty:
        conditions[arm][name] = _with_reason(
          conditions[arm][name], controls_in_words.SAME
        )
  chance = None
  if absent:
    chance = work.measure([_constant(work.task, f) for f in test], [_MADE])
  sides = sides or {}
  found = {}
  for arm in fusions:
    here = conditions[arm]
    fusion = controls_in_words.judge(here)
    found[arm] = {
      'conditions': here,
      'emap': _part(here, conditions_lib.EMAP),
      'ensemble': _part(here, conditions_lib.ENSEMBLE),
      **_divided(
        arm,
        (seen or {}).get(arm) or [*predictions.available],
        sides,
        made[arm],
        full,
        absent,
        chance,
      ),
      'fusion': fusion,
      'sentence': controls_in_words.sentence(
        arm,
        here,
        fusion,
        metric=metric,
        single=_named(best, singles, reference),
        empty=empty,
        sides=sides,
      ),
    }
    if any([*x] != [side] for side, x in sides.items()):
      found[arm]['sides'] = {side: list(x) for side, x in sides.items()}
  return found


def _divided(arm, seen, sides, made, full, absent, chance) -> dict[str, Any]:
  """The arm's gain over chance by modality and, where they differ, by side."""
  game = shared_gain.game_of(seen, sides, made)
  if game is None:
    return {'shapley': shared_gain.why_none(seen)}
  values, replicates = (
    {
      frozenset(): getattr(chance, what)[_MADE],
      frozenset(game.players): getattr(full, what)[arm],
      **{s: getattr(absent[c], what)[arm] for s, c in game.conditions.items()},
    }
    for what in ('values', 'replicates')
  )
  found = {'shapley': shared_gain.divide(game, values, replicates)}
  if len(game.players) > len(sides) > 0:
    found['shapley_of_sides'] = shared_gain.of_sides(
      game, values, replicates, sides
    )
  return found


def _matched(test, folds) -> list[folds_lib.Fold | None]:
  """The fold of a condition for each intact one, with its thresholds."""
  found = {(f.repeat, f.fold): f for f in folds}
  matched = [found.get((t.repeat, t.fold)) for t in test]
  return [
    f and dataclasses.replace(f, thresholds=t.thresholds)
    for f, t in zip(matched, test, strict=True)
  ]


def _same_studies(test, folds) -> list[folds_lib.Fold | None]:
  return [
    None if f is None else t.take(np.isin(t.study, f.study))
    for t, f in zip(test, folds, strict=True)
  ]


def _reference(work, folds, arm) -> _Measured:
  """The measure of an arm, under another name."""
  renamed = []
  for fold in folds:
    if fold is None or arm not in fold.scores:
      renamed.append(None)
    else:
      own = {
        name: {_MADE: getattr(fold, name).get(arm, {})}
        for name in ('scores', 'thresholds', 'survival')
      }
      renamed.append(dataclasses.replace(fold, **own))
  return work.measure(renamed, [_MADE])


def _two_models(test, folds, arm) -> list[folds_lib.Fold | None]:
  """The folds whose ensemble is more than its arm's own model; else None."""

  def same(intact, fold):
    own = intact.scores.get(arm, {})
    return all(
      seed in own and np.allclose(own[seed], scores, atol=1e-9)
      for seed, scores in fold.scores[arm].items()
    )

  return [
    None if f is None or arm not in f.scores or same(t, f) else f
    for t, f in zip(test, folds, strict=True)
  ]


def _with_reason(condition, reason) -> dict[str, Any]:
  """A condition without numbers, and why it has none."""
  return {
    **condition,
    'metrics': {
      name: {**x, 'reason': reason} for name, x in condition['metrics'].items()
    },
    'loss': {**condition['loss'], 'reason': reason},
  }


def _named(arm, singles, reference) -> str:
  """The arm that the ensemble is of, and what it is."""
  if reference:
    return f"'{arm}', which was given by name"
  if len(singles) == 1:
    return f"'{arm}', the only single-modality arm"
  return f"'{arm}', the best single modality"


def _constant(task, fold) -> folds_lib.Fold:
  """The fold with the mean of its own test labels as every prediction."""
  n = len(fold.study)
  if task.kind == types.SURVIVAL:
    scores = np.zeros(1)
  else:
    labels = parts.one_hot(
      parts.Model(task, fold.labels, fold.labels, None, None, None, ())
    )
    known, weight = ~np.isnan(labels), fold.weight[:, None]
    total = (known * weight).sum(axis=0)
    scores = (np.where(known, labels, 0) * weight).sum(axis=0)
    scores = scores / np.where(total > 0, total, 1)
  return dataclasses.replace(fold, scores={_MADE: {0: np.tile(scores, (n, 1))}})


def _turned(work, entry) -> dict[str, Any]:
  """An oriented entry in the metric's own direction."""
  if work.sign > 0:
    return entry
  return {
    **entry,
    'estimate': -entry['estimate'] + 0.0,
    'low': -entry['high'] + 0.0,
    'high': -entry['low'] + 0.0,
  }


def _condition(work, intact, changed, arm, folds) -> dict[str, Any]:
  there = [f for f in folds if f is not None]
  values, replicates = changed.values[arm], changed.replicates[arm]
  return {
    'metrics': {
      work.metric: _turned(work, entries.of_folds(values, replicates))
    },
    'loss': entries.of_folds(
      intact.values[arm] - values, intact.replicates[arm] - replicates
    ),
    'folds': len(there),
    'studies': len(np.unique(np.concatenate([f.study for f in there])))
    if there
    else 0,
  }


def _part(conditions, name) -> dict[str, Any]:
  if name not in conditions:
    return {
      'estimate': math.nan,
      'low': math.nan,
      'high': math.nan,
      'reason': f"the condition '{name}' was not run",
    }
  found = conditions[name]
  return {**found['loss'], 'studies': found['studies']}
