"""Is the gain fusion? What arms lose under conditions that forbid it.

Conditions are rows of the table of predictions; which model made them and how
is not known here. docs/controls.md says what each means and how to read it.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types, words
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import (
  entries,
  metrics,
  parts,
  resampling,
  sentences,
  thresholds,
)
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import references as references_lib

SIDES = tuple(types.SIDES)
PERMUTED = tuple(f'{m}_permuted' for m in SIDES)
NOISE = tuple(f'{m}_noise' for m in SIDES)
ABSENT = tuple(f'{m}_absent' for m in SIDES)
EMAP = 'emap'
ENSEMBLE = 'ensemble'
CONDITIONS = (*PERMUTED, *NOISE, *ABSENT, EMAP, ENSEMBLE)

_UNDEFINED = 'no prediction, or undefined, in every fold'
_SAME = 'both models of the ensemble are one and the same'
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

  Returns:
    Nothing if no condition was run. Else by arm, 'conditions' by name with
    'metrics' and 'loss'; 'emap', 'ensemble' and 'shapley' (None with a
    'reason' in the absence of what they need); 'fusion' with 'uses_both',
    'interactions' and 'beats_ensemble', each True, False or None; 'sentence'.
  """
  names = set(predictions_lib.factorize(predictions.condition)[0].tolist())
  names = [c for c in CONDITIONS if c in names]
  if not names or not fusions:
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
  empty = False
  for name in names:
    folds = _matched(test, folds_lib.arrange(predictions, condition=name))
    if name == ENSEMBLE:
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
    intact = full
    if any(
      f is not None and len(f.study) < len(t.study)
      for f, t in zip(folds, test, strict=True)
    ):
      intact = work.measure(_same_studies(test, folds), fusions)
    if name in ABSENT:
      absent[name] = changed
    for arm in fusions:
      conditions[arm][name] = _condition(work, intact, changed, arm, folds)
      if name == ENSEMBLE and empty:
        conditions[arm][name] = _with_reason(conditions[arm][name], _SAME)
  chance = None
  if len(absent) == len(ABSENT):
    chance = work.measure([_constant(work.task, f) for f in test], [_MADE])
  found = {}
  for arm in fusions:
    here = conditions[arm]
    fusion = _judge(here)
    found[arm] = {
      'conditions': here,
      'emap': _part(here, EMAP),
      'ensemble': _part(here, ENSEMBLE),
      'shapley': _shapley(work, arm, full, absent, chance),
      'fusion': fusion,
      'sentence': _sentence(
        work, arm, here, fusion, _named(best, singles, reference), empty
      ),
    }
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


def _over_folds(values, replicates):
  """Mean over the folds whose value is defined, and its (r,) replicates."""
  kept = np.flatnonzero(~np.isnan(values))
  if not len(kept):
    return math.nan, np.full(replicates.shape[1], np.nan)
  return (
    float(values[kept].mean()),
    metrics.mean([replicates[g] for g in kept]),
  )


def _entry(values, replicates) -> dict[str, Any]:
  estimate, replicates = _over_folds(values, replicates)
  undefined = [(g, _UNDEFINED) for g in np.flatnonzero(np.isnan(values))]
  if not math.isnan(estimate):
    undefined = []
  return entries.resampled(estimate, replicates, undefined)


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
    'metrics': {work.metric: _turned(work, _entry(values, replicates))},
    'loss': _entry(
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


def _shapley(work, arm, full, absent, chance) -> dict[str, Any] | None:
  """Shapley values (Shapley 1953) of the modalities of the fitted model.

  The game's value is the metric with the other modality withheld from the
  model that was trained on both, and that of a constant without either: it is
  about this model, not about what each modality could do on its own.
  """
  if chance is None:
    return {'reason': f'needs the conditions {" and ".join(ABSENT)}'}

  def entry(combine):
    of = (full, *(absent[name] for name in ABSENT))
    return _entry(
      combine(*(m.values[arm] for m in of), chance.values[_MADE]),
      combine(*(m.replicates[arm] for m in of), chance.replicates[_MADE]),
    )

  # With both (b), without the one (o), without the other (t), with none (n).
  one, other = SIDES
  return {
    one: entry(lambda b, o, t, n: ((t - n) + (b - o)) / 2),
    other: entry(lambda b, o, t, n: ((o - n) + (b - t)) / 2),
    'both': entry(lambda b, o, t, n: b - n),
  }


def _above(conditions, name) -> bool | None:
  if name not in conditions or math.isnan(conditions[name]['loss']['low']):
    return None
  return conditions[name]['loss']['low'] > 0


def _judge(conditions) -> dict[str, bool | None]:
  losses = [_above(conditions, name) for name in PERMUTED]
  uses_both = None if None in losses else all(losses)
  return {
    'uses_both': False if False in losses else uses_both,
    'interactions': _above(conditions, EMAP),
    'beats_ensemble': _above(conditions, ENSEMBLE),
  }


def _shown(conditions, name) -> str:
  x = conditions[name]['loss']
  estimate, low, high = map(
    sentences.number, (x['estimate'], x['low'], x['high'])
  )
  return f'{estimate} ({low} to {high})'


def _sentence(work, arm, conditions, fusion, single, empty) -> str:
  metric = words.metric(work.metric)
  uses, beats = fusion['uses_both'], fusion['beats_ensemble']
  said = []
  if uses is not None:
    exchanged = [
      f'the {types.called(m)} among patients makes its {metric} worse by '
      f'{_shown(conditions, name)}'
      for m, name in zip(SIDES, PERMUTED, strict=True)
      if _above(conditions, name) is not None
    ]
    start = (
      'uses both modalities'
      if uses
      else ('is not shown to use both modalities')
    )
    said.append(f'{start}: exchanging {", exchanging ".join(exchanged)}')
  if fusion['interactions'] is not None:
    has = 'has' if fusion['interactions'] else 'is not shown to have'
    said.append(
      f'{has} interactions that matter: without them its {metric} is worse by '
      f'{_shown(conditions, EMAP)}'
    )
  if beats is not None:
    verb = 'beats' if beats else 'is not shown to beat'
    said.append(
      f'{verb} an ensemble of two models of {single}: '
      f'its {metric} is better by {_shown(conditions, ENSEMBLE)}'
    )
  alone = ''
  if empty:
    alone = (
      f' An ensemble of two models of {single}, is no control here: {_SAME}.'
    )
  if not said:
    return f'{arm}: whether its gain is fusion was not tested.{alone}'
  if uses and beats:
    verdict = 'The gain is fusion'
    if fusion['interactions']:
      verdict += ', interactions included'
    elif fusion['interactions'] is False:
      verdict += '; adding up the two modalities may be all of it'
  elif uses is False or beats is False:
    verdict = 'That a gain is due to fusion is not shown'
  else:
    verdict = 'Whether a gain is due to fusion was not fully tested'
  return f'{arm} {"; it ".join(said)}. {verdict}.{alone}'
