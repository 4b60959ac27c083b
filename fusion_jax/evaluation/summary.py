"""summary.json: all numbers of the table and the report, from predictions.

docs/summary.md is its schema, docs/statistics.md what the numbers mean.
"""

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import errors, files, types
from fusion_jax.evaluation import caveats, metrics, resampling
from fusion_jax.evaluation import comparison as comparison_lib
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib

VERSION = 1
_LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class _Work:
  """What the parts of one summary share."""

  task: types.Task
  config: config_lib.EvaluationConfig
  metric: str
  wanted: tuple[str, ...]
  arms: tuple[str, ...]
  singles: tuple[str, ...]
  fusions: tuple[str, ...]
  resamples: resampling.Resamples
  test_to_train: float

  @property
  def sign(self) -> int:
    return 1 if metrics.higher_is_better(self.metric) else -1


def summarise(
  predictions: predictions_lib.Predictions,
  *,
  singles: Sequence[str],
  fusions: Sequence[str],
  config: config_lib.EvaluationConfig,
  costs: Mapping[str, Mapping[str, Any]] | None = None,
  facts: Mapping[str, Mapping[str, Any]] | None = None,
  warnings: Sequence[str] = (),
  audits: Mapping[str, Any] | None = None,
  run: Mapping[str, Any] | None = None,
  cohort: Mapping[str, Any] | None = None,
  reference: Mapping[tuple[int, int], str] | None = None,
) -> dict[str, Any]:
  """Estimates, intervals, comparisons and warnings as a JSON-ready dict.

  A function of its arguments alone: the bootstrap is seeded and the order of
  the rows does not matter.

  Args:
    predictions: rows of all arms; test rows are evaluated, validation rows
      choose the reference, conditions other than 'intact' are left alone.
    singles: the single-modality arms, in the order that breaks ties.
    fusions: the fusion arms; all that were run, as they are one family.
      Arms in neither list get estimates and intervals only.
    config: margin, replicates, seed, metric.
    costs: by arm, passed through (parameters, seconds, ...).
    facts: by arm, passed through beside its role (strategy, type).
    warnings: lines to put before those found here.
    audits: passed through.
    run: passed through; all that differs between two runs of the same work.
    cohort: passed through (name, digest, ...).
    reference: by (repeat, fold), the single-modality arm to compare with,
      where it was chosen elsewhere (a frozen run on another cohort, which has
      no validation part).

  Raises:
    UserError: if `predictions.check` fails, or an argument names an unknown
      metric, or an arm that is both single and fusion.
  """
  predictions_lib.check(predictions)
  task = predictions.task
  metric = _metric(task, config)
  both = set(singles) & set(fusions)
  if both:
    raise errors.UserError(
      f"Arm '{sorted(both)[0]}' is listed both as a single modality and as "
      f'fusion.'
    )
  test = folds_lib.arrange(predictions, predictions_lib.TEST)
  valid = folds_lib.arrange(predictions, predictions_lib.VALID)
  present = {arm for fold in test for arm in fold.scores}
  listed = [*dict.fromkeys([*singles, *fusions])]
  arms = [a for a in listed if a in present]
  arms += sorted(present - set(listed))
  work = _Work(
    task=task,
    config=config,
    metric=metric,
    wanted=metrics.names(task),
    arms=tuple(arms),
    singles=tuple(a for a in dict.fromkeys(singles) if a in present),
    fusions=tuple(a for a in dict.fromkeys(fusions) if a in present),
    resamples=resampling.draw(
      np.concatenate([f.patient for f in test]),
      replicates=config.replicates,
      seed=config.seed,
    ),
    test_to_train=estimates_lib.test_to_train(test, valid),
  )
  choice = _choose(work, test, valid, reference)
  references = [c['arm'] for c in choice]
  body, estimates = _evaluate(work, test, references)
  lines = [
    *warnings,
    *caveats.of_table(
      task, test, arms=work.arms, absent=[a for a in listed if a not in arms]
    ),
    *caveats.of_estimates(test, estimates, arms=work.arms, metric=metric),
    *caveats.of_choice(choice, singles=work.singles, fusions=work.fusions),
  ]
  arms_out = {}
  for arm in work.arms:
    role = 'single' if arm in work.singles else 'other'
    arms_out[arm] = {
      **(facts or {}).get(arm, {}),
      'role': 'fusion' if arm in work.fusions else role,
      'metrics': body['arms'][arm],
      'variability': _variability(work, estimates, arm),
      'folds': _arm_folds(work, test, estimates, arm),
      'cost': dict((costs or {}).get(arm, {})),
    }
  result = {
    'version': VERSION,
    'cohort': {
      **(cohort or {}),
      'studies': len(np.unique(np.concatenate([f.study for f in test]))),
      'patients': len(work.resamples.patients),
    },
    'task': {'kind': task.kind, 'names': task.names, 'metric': metric},
    'evaluation': {
      'metric': metric,
      'higher_is_better': work.sign > 0,
      'margin': config.margin,
      'replicates': config.replicates,
      'seed': config.seed,
      'level': _LEVEL,
      'interval': 'patient bootstrap, conditional on the trained models',
    },
    'folds': [_fold(task, fold) for fold in test],
    'arms': arms_out,
    'best_single': {
      'metric': metric,
      **body['best_single'],
      'by_fold': choice,
    },
    'comparisons': body['comparisons'],
    'complete_cases': _complete_cases(work, test, references),
    'audits': dict(audits or {}),
    'warnings': lines,
    'run': dict(run or {}),
  }
  return _plain(result)


def write(summary: Mapping[str, Any], path: str | os.PathLike) -> None:
  """Writes a summary as JSON; it appears complete or not at all.

  Raises:
    UserError: if the file cannot be written.
    ValueError: for NaN or infinity, which JSON has no word for.
  """
  text = json.dumps(summary, indent=2, allow_nan=False, ensure_ascii=False)
  with files.saving(path) as part:
    part.write_text(text + '\n', encoding='utf-8')


def _metric(task, config) -> str:
  if not config.metric:
    return metrics.PRIMARY[task.kind]
  known = metrics.comparable(task)
  if config.metric not in known:
    raise errors.unknown_name(
      'metric', config.metric, known, where='evaluation.metric'
    )
  return config.metric


def _choose(work, test, valid, given) -> list[dict[str, Any]]:
  """The reference of every fold, and what it was chosen by."""
  validated = {(f.repeat, f.fold): f for f in valid}
  choice = []
  for fold in test:
    here = {'repeat': fold.repeat, 'fold': fold.fold}
    candidates = [s for s in work.singles if s in fold.scores]
    scores: dict[str, float] = {}
    reason = ''
    if given is not None:
      arm = given.get((fold.repeat, fold.fold))
      if arm not in candidates:
        arm, reason = None, 'no reference was given for this fold'
    elif len(candidates) < 2:
      arm = candidates[0] if candidates else None
      reason = 'the only single-modality arm' if arm else 'none has run'
    elif (fold.repeat, fold.fold) not in validated:
      arm, reason = None, 'there are no validation predictions to choose by'
    else:
      found = estimates_lib.estimate(
        work.task,
        [validated[fold.repeat, fold.fold]],
        arms=candidates,
        wanted=[work.metric],
      ).estimate[work.metric]
      scores = dict(zip(candidates, found.tolist(), strict=True))
      arm = comparison_lib.choose_reference(scores, candidates, work.sign > 0)
      if arm is None:
        arm = candidates[0]
        reason = f'{work.metric} is undefined on the validation part'
    choice.append({**here, 'arm': arm, 'valid': scores})
    if reason:
      choice[-1]['reason'] = reason
  return choice


def _evaluate(work, folds, references):
  """Metrics by arm, the reference's own, and the comparisons."""
  estimates = estimates_lib.estimate(
    work.task, folds, arms=work.arms, wanted=work.wanted
  )
  replicates = resampling.replicate(
    work.task,
    folds,
    arms=work.arms,
    wanted=work.wanted,
    metric=work.metric,
    resamples=work.resamples,
  )
  by_arm = {}
  for a, arm in enumerate(work.arms):
    by_arm[arm] = {
      name: _entry(
        estimates.estimate[name][a],
        replicates.means[a, m],
        estimates.undefined(arm, name),
      )
      for m, name in enumerate(work.wanted)
    }
  values = estimates.values[work.metric]
  found = comparison_lib.compare(
    arms=work.arms,
    fusions=work.fusions,
    singles=work.singles,
    references=references,
    values=work.sign * values,
    replicates=work.sign * replicates.by_fold,
    margin=work.config.margin,
    patients=len(work.resamples.patients),
  )
  chosen = [
    (g, work.arms.index(arm))
    for g, arm in enumerate(references)
    if arm is not None
  ]
  best = _entry(math.nan, np.full(1, np.nan), [(0, 'no reference')])
  if chosen:
    best = _entry(
      metrics.mean([np.array([values[c]]) for c in chosen])[0],
      metrics.mean([replicates.by_fold[c] for c in chosen]),
      [],
    )
  return {
    'arms': by_arm,
    'best_single': best,
    'comparisons': [_comparison(work, c) for c in found],
  }, estimates


def _entry(estimate, replicates, undefined) -> dict[str, Any]:
  """{estimate, low, high}, with a reason wherever something is undefined."""
  if math.isnan(estimate):
    low, high = math.nan, math.nan
    reason = undefined[0][1] if undefined else 'no model was evaluated'
  else:
    low, high, reason = comparison_lib.interval(replicates)
  entry = {'estimate': estimate, 'low': low, 'high': high}
  if undefined:
    entry['undefined_cells'] = len(undefined)
    reason = reason or undefined[0][1]
  if reason:
    entry['reason'] = reason
  return entry


def _comparison(work, c) -> dict[str, Any]:
  """A comparison in the metric's own direction: arm minus reference."""

  def turned(x):
    if work.sign > 0:
      low, high = x.low, x.high
    else:
      low, high = -x.high, -x.low
    return {
      'difference': work.sign * x.difference + 0.0,
      'low': low + 0.0,
      'high': high + 0.0,
      'p': x.p,
      'p_adjusted': x.p_adjusted,
    }

  low90, high90 = c.low90, c.high90
  if work.sign < 0:
    low90, high90 = -high90, -low90
  found = {
    'arm': c.arm,
    'reference': 'best_single',
    'metric': work.metric,
    **turned(c),
    'low90': low90 + 0.0,
    'high90': high90 + 0.0,
    'se': c.se,
    'fold_sd': estimates_lib.corrected_sd(
      c.fold_differences, work.test_to_train
    ),
    'verdict': c.verdict,
    'patients_needed': c.patients_needed,
    'against': [
      {
        'reference': x.reference,
        **turned(x),
        **({'reason': x.reason} if x.reason else {}),
      }
      for x in c.against
    ],
  }
  if c.reason:
    found['reason'] = c.reason
  if math.isnan(found['fold_sd']):
    found['fold_sd_reason'] = _no_fold_sd(c.fold_differences)
  if c.patients_needed is None:
    found['patients_needed_reason'] = 'the resamples show no variance'
  return found


def _no_fold_sd(values) -> str:
  if (~np.isnan(values)).sum() < 2:
    return 'fewer than two folds are defined'
  return 'the size of the training parts is unknown'


def _variability(work, estimates, arm) -> dict[str, Any]:
  values = estimates.values[work.metric][:, work.arms.index(arm)]
  found = {
    'metric': work.metric,
    'seed_sd': estimates_lib.seed_sd(estimates, arm, work.metric),
    'fold_sd': estimates_lib.corrected_sd(values, work.test_to_train),
  }
  if math.isnan(found['seed_sd']):
    found['seed_sd_reason'] = 'one seed only'
  if math.isnan(found['fold_sd']):
    found['fold_sd_reason'] = _no_fold_sd(values)
  return found


def _arm_folds(work, test, estimates, arm) -> list[dict[str, Any]]:
  a = work.arms.index(arm)
  found = []
  for g, fold in enumerate(test):
    cells = estimates.cells[g][arm]
    if not cells:
      continue
    here = {
      'repeat': fold.repeat,
      'fold': fold.fold,
      'seeds': list(cells),
      'studies': len(fold.study),
      **_events(work.task, fold),
      'estimate': estimates.values[work.metric][g, a],
    }
    reasons = [v[work.metric].reason for v in cells.values()]
    if any(reasons):
      here['reason'] = next(filter(None, reasons))
    found.append(here)
  return found


def _fold(task, fold) -> dict[str, Any]:
  return {
    'repeat': fold.repeat,
    'fold': fold.fold,
    'studies': len(fold.study),
    'patients': len(np.unique(fold.patient)),
    'complete': int(fold.complete.sum()),
    **_events(task, fold),
  }


def _events(task, fold) -> dict[str, Any]:
  events = folds_lib.events(task, fold.labels)
  if events is None:
    return {'events': None, 'events_reason': 'a regression has no events'}
  return {'events': events}


def _complete_cases(work, test, references) -> dict[str, Any] | None:
  """The same on studies that have all modalities; None if all have."""
  if all(fold.complete.all() for fold in test):
    return None
  kept = [
    (fold.take(fold.complete), reference)
    for fold, reference in zip(test, references, strict=True)
    if fold.complete.any()
  ]
  if not kept:
    return {
      'studies': 0,
      'patients': 0,
      'reason': 'no study has all modalities',
    }
  folds, references = zip(*kept, strict=True)
  body, _ = _evaluate(work, folds, references)
  return {
    'studies': len(np.unique(np.concatenate([f.study for f in folds]))),
    'patients': len(np.unique(np.concatenate([f.patient for f in folds]))),
    'arms': {arm: {'metrics': m} for arm, m in body['arms'].items()},
    'best_single': body['best_single'],
    'comparisons': body['comparisons'],
  }


def _plain(value: Any) -> Any:
  """A copy of JSON's own types; NaN and infinity become None."""
  if isinstance(value, Mapping):
    return {str(k): _plain(v) for k, v in value.items()}
  if isinstance(value, list | tuple):
    return [_plain(v) for v in value]
  if isinstance(value, np.ndarray | np.generic):
    return _plain(value.tolist())
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value
