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
from fusion_jax.evaluation import (
  bca,
  caveats,
  entries,
  intervals,
  metrics,
  recalibration,
  resampling,
  sentences,
  subgroups,
  thresholds,
  tradeoffs,
)
from fusion_jax.evaluation import comparison as comparison_lib
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import permutation as permutation_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import references as references_lib
from fusion_jax.evaluation import registration as registration_lib

VERSION = 2
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
  left_out: resampling.Resamples | None
  test_to_train: float
  reference: str

  @property
  def rivals(self) -> tuple[str, ...]:
    """What a superior arm has to beat: the single arms and the reference."""
    named = (
      ()
      if self.reference == registration_lib.BEST_SINGLE
      else (self.reference,)
    )
    return tuple(dict.fromkeys([*self.singles, *named]))

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
  reference: references_lib.Given = None,
  sections: Mapping[str, Any] | None = None,
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
    config: margin, metric, intervals, registration.
    costs: by arm, passed through (parameters, seconds, ...).
    facts: by arm, passed through beside its role (strategy, type).
    warnings: lines to put before those found here.
    audits: passed through.
    run: passed through; all that differs between two runs of the same work.
    cohort: passed through (name, digest, ...).
    reference: by (repeat, fold), the single-modality arm to compare with,
      where it was chosen elsewhere (a frozen run on another cohort, which has
      no validation part); or the name of one arm to compare all others with.
    sections: passed through at the top level, beside the keys made here.

  Raises:
    UserError: if `predictions.check` fails, or an argument names an unknown
      metric, an arm that is both single and fusion or has no predictions, or
      the registration cannot be read, or DeLong does not apply.
    ValueError: if a section has the name of a key made here.
  """
  predictions_lib.check(predictions)
  task = predictions.task
  metric = _metric(task, config)
  fixed = config.registered and registration_lib.load(config.registered)
  both = set(singles) & set(fusions)
  if both:
    raise errors.UserError(
      f"Arm '{sorted(both)[0]}' is listed both as a single modality and as "
      f'fusion.'
    )
  test = folds_lib.arrange(predictions, predictions_lib.TEST)
  valid = folds_lib.arrange(predictions, predictions_lib.VALID)
  test = thresholds.attach(task, test, valid)
  valid = thresholds.attach(task, valid, valid)
  present = {arm for fold in test for arm in fold.scores}
  named = reference if isinstance(reference, str) else ''
  if named and named not in present:
    raise errors.unknown_name('arm', named, sorted(present), where='reference')
  listed = [*dict.fromkeys([*singles, *fusions])]
  arms = [a for a in listed if a in present]
  arms += sorted(present - set(listed))
  patients = np.concatenate([f.patient for f in test])
  work = _Work(
    task=task,
    config=config,
    metric=metric,
    wanted=metrics.names(task, folds_lib.horizons(test)),
    arms=tuple(arms),
    singles=tuple(a for a in dict.fromkeys(singles) if a in present),
    fusions=tuple(
      a for a in dict.fromkeys(fusions) if a in present and a != named
    ),
    resamples=resampling.draw_folds(test, config),
    left_out=bca.jackknife(patients, seed=config.seed)
    if config.interval == config_lib.BCA
    else None,
    test_to_train=estimates_lib.test_to_train(test, valid),
    reference=named or registration_lib.BEST_SINGLE,
  )
  choice = references_lib.choose(
    task, test, valid, singles=work.singles, metric=metric, given=reference
  )
  references = [c['arm'] for c in choice]
  body, estimates = _evaluate(work, test, references)
  complete = _complete_cases(work, test, references)
  registered = _registered(work, fixed, (cohort or {}).get('digest'))
  lines = [
    *warnings,
    *caveats.of_validation(test, valid),
    *caveats.of_table(
      task, test, arms=work.arms, absent=[a for a in listed if a not in arms]
    ),
    *caveats.of_estimates(test, estimates, arms=work.arms, metric=metric),
    *_choice_lines(work, choice),
    *caveats.of_interval(test, config.interval),
    *caveats.of_margin(test, metric=metric, margin=config.margin),
    *thresholds.notes(test),
    *(registered or {}).get('deviations', ()),
    *(registered or {}).get('unchecked', ()),
  ]
  calibrated = recalibration.report(task, test, valid, arms=work.arms)
  arms_out = {}
  for a, arm in enumerate(work.arms):
    values = estimates.values[metric][:, a]
    arms_out[arm] = {
      **(facts or {}).get(arm, {}),
      'role': _role(work, arm),
      'metrics': body['arms'][arm],
      'variability': entries.variability(
        estimates,
        arm,
        values=values,
        metric=metric,
        test_to_train=work.test_to_train,
      ),
      'calibration': calibrated.get(arm),
      'thresholds': thresholds.describe(task, test, arm),
      'folds': entries.arm_folds(task, test, estimates, arm, values, metric),
      'cost': dict((costs or {}).get(arm, {})),
    }
  result = {
    'version': VERSION,
    'question': None,
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
      'method': config.interval,
      'interval': intervals.DESCRIPTIONS[config.interval],
      'adjustment': intervals.ADJUSTMENTS[config.interval],
      'reference': work.reference,
      'estimand': sentences.ESTIMAND,
    },
    'registration': registered,
    'folds': [entries.fold(task, fold) for fold in test],
    'arms': arms_out,
    'best_single': {
      'metric': metric,
      **body['best_single'],
      'by_fold': choice,
    },
    'comparisons': body['comparisons'],
    'complete_cases': complete,
    **subgroups.sections(
      predictions,
      test,
      arms=work.arms,
      wanted=work.wanted,
      metric=metric,
      references=references,
      resamples=work.resamples,
      config=config,
    ),
    'tradeoffs': tradeoffs.tradeoffs(
      arms_out, metric=metric, higher_is_better=work.sign > 0
    ),
    'audits': dict(audits or {}),
    'warnings': lines,
    'run': dict(run or {}),
  }
  taken = sorted(set(sections or {}) & set(result))
  if taken:
    raise ValueError(f'{taken[0]} is a key of every summary.')
  return sentences.attach(entries.plain({**result, **(sections or {})}))


def check_config(
  task: types.Task, config: config_lib.EvaluationConfig, *, folds: int
) -> None:
  """Checks what can be known of the settings before anything is trained.

  Args:
    task: what is predicted.
    config: of the evaluation.
    folds: number of test parts of all repeats.

  Raises:
    UserError: as `summarise` would, for an unknown metric, a registration that
      cannot be read, or DeLong where it does not apply.
  """
  metric = _metric(task, config)
  if config.registered:
    registration_lib.load(config.registered)
  if config.interval == config_lib.DELONG:
    obstacle = intervals.delong_obstacle(task, metric, folds)
    if obstacle:
      raise _no_delong(obstacle)


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


def _evaluate(work, folds, references):
  """Metrics by arm, the reference's own, and the comparisons."""
  estimates = estimates_lib.estimate(
    work.task, folds, arms=work.arms, wanted=work.wanted
  )
  areas, obstacle = intervals.delong_areas(
    work.task, folds, arms=work.arms, metric=work.metric
  )
  source = _source(work, folds, areas, obstacle)
  by_arm = {
    arm: {
      name: entries.entry(
        estimates.estimate[name][a],
        source.of_arm(a, name, estimates.estimate[name][a]),
        estimates.undefined(arm, name),
      )
      for name in work.wanted
    }
    for a, arm in enumerate(work.arms)
  }
  values = estimates.values[work.metric]
  found = comparison_lib.compare(
    arms=work.arms,
    fusions=work.fusions,
    singles=work.rivals,
    references=references,
    values=work.sign * values,
    margin=work.config.margin,
    patients=len(np.unique(np.concatenate([f.patient for f in folds]))),
    **source.families(work.sign),
  )
  chosen = [
    (g, work.arms.index(arm))
    for g, arm in enumerate(references)
    if arm is not None
  ]
  best = entries.entry(
    math.nan, (math.nan, math.nan, ''), [(0, 'no reference')]
  )
  if chosen:
    value = metrics.mean([np.array([values[c]]) for c in chosen])[0]
    best = entries.entry(value, source.of_chosen(chosen, value))
  comparisons = []
  for c in found:
    entry = entries.comparison(
      c,
      sign=work.sign,
      metric=work.metric,
      reference=work.reference,
      test_to_train=work.test_to_train,
    )
    entry['delong'] = entries.delong_test(
      areas,
      work.arms.index(c.arm),
      chosen[0][1] if chosen else None,
      obstacle,
    )
    if work.config.interval == config_lib.DELONG:
      entry['holm'] = c.p_adjusted
    if work.config.permutations:
      entry['permutation'] = entries.permutation_test(
        permutation_lib.paired(
          work.task,
          folds,
          arm=c.arm,
          references=references,
          metric=work.metric,
          permutations=work.config.permutations,
          seed=work.config.seed,
        )
      )
    comparisons.append(entry)
  return {
    'arms': by_arm,
    'best_single': best,
    'comparisons': comparisons,
  }, estimates


def _source(work, folds, areas, obstacle):
  """Where the intervals come from."""
  if work.config.interval == config_lib.DELONG:
    if areas is None:
      raise _no_delong(obstacle)
    return intervals.DeLong(areas, work.arms, work.fusions)
  return intervals.Bootstrap(
    work.task,
    folds,
    arms=work.arms,
    wanted=work.wanted,
    metric=work.metric,
    resamples=work.resamples,
    left_out=work.left_out,
  )


def _no_delong(obstacle) -> errors.UserError:
  return errors.UserError(
    f'evaluation.interval=delong: {obstacle}. Use bootstrap or bca.'
  )


def _role(work, arm) -> str:
  if arm in work.singles:
    return 'single'
  if arm == work.reference:
    return 'reference'
  return 'fusion' if arm in work.fusions else 'other'


def _choice_lines(work, choice) -> list[str]:
  if work.reference == registration_lib.BEST_SINGLE:
    return caveats.of_choice(choice, singles=work.singles, fusions=work.fusions)
  return [
    f"Arms are compared with '{work.reference}', which was given by name: it "
    'was not chosen on validation studies as the best single modality.'
  ]


def _registered(work, fixed, digest) -> dict[str, Any] | None:
  if not fixed:
    return None
  return {
    **dataclasses.asdict(fixed),
    'deviations': registration_lib.deviations(
      fixed,
      metric=work.metric,
      margin=work.config.margin,
      arms=work.arms,
      reference=work.reference,
      cohort=digest or '',
    ),
    'unchecked': registration_lib.unchecked(fixed, cohort=digest or ''),
  }


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
