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
from fusion_jax.evaluation import assessment as assessment_lib
from fusion_jax.evaluation import (
  bca,
  caveats,
  dependence,
  entries,
  headline,
  intervals,
  metrics,
  probabilities,
  recalibration,
  resampling,
  sentences,
  subgroups,
  thresholds,
  tradeoffs,
)
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import references as references_lib
from fusion_jax.evaluation import registration as registration_lib
from fusion_jax.evaluation import verdict as verdict_lib

VERSION = 3
_LEVEL = 0.95


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
  reference: str = '',
  seen: str = '',
  sections: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
  """Estimates, intervals, comparisons and warnings as a JSON-ready dict.

  A function of its arguments alone: the bootstrap is seeded and the order of
  the rows does not matter.

  Args:
    predictions: rows of all arms; test rows are evaluated, thresholds come
      from validation rows, conditions other than 'intact' are left alone.
    singles: the single-modality arms, in the order that breaks ties; all that
      were to be run, also those without predictions.
    fusions: the fusion arms; all that were run, as they are one family.
      Arms in neither list get estimates and intervals only.
    config: margin, metric, intervals, registration.
    costs: by arm, passed through (parameters, seconds, ...).
    facts: by arm, passed through beside its role (strategy, type).
    warnings: lines to put before those found here.
    audits: passed through.
    run: passed through; all that differs between two runs of the same work.
    cohort: passed through (name, digest, ...).
    reference: the name of one arm to compare all others with; empty for the
      best of the single-modality arms.
    seen: when results were seen before the registration was given; empty if
      none were, as far as is known.
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
  if reference and reference not in present:
    raise errors.unknown_name(
      'arm', reference, sorted(present), where='reference'
    )
  listed = [*dict.fromkeys([*singles, *fusions])]
  arms = [a for a in listed if a in present]
  arms += sorted(present - set(listed))
  facts = {a: dict((facts or {}).get(a, {})) for a in arms}
  margin = caveats.margin_of(config, metric)
  work = assessment_lib.Work(
    task=task,
    config=config,
    metric=metric,
    wanted=metrics.names(task, folds_lib.horizons(test)),
    arms=tuple(arms),
    singles=tuple(a for a in dict.fromkeys(singles) if a in present),
    fusions=tuple(
      a for a in dict.fromkeys(fusions) if a in present and a != reference
    ),
    reference=reference or registration_lib.BEST_SINGLE,
    resamples=resampling.draw_folds(test, config),
    left_out=bca.jackknife(
      np.concatenate([f.patient for f in test]), seed=config.seed
    )
    if config.interval == config_lib.BCA
    else None,
    test_to_train=estimates_lib.test_to_train(test, valid),
    factor=dependence.factor(test),
    margin=margin,
    missing=headline.missing_single(
      [*dict.fromkeys(singles)],
      [a for a in dict.fromkeys(singles) if a in present],
      facts,
    ),
  )
  picked = references_lib.choose(
    task, test, valid, singles=work.singles, metric=metric
  )
  picked_arms = [c['arm'] for c in picked]
  whole = assessment_lib.assess(work, test, picked_arms)
  complete, complete_out = _complete_cases(work, test, picked_arms)
  registered = _registered(work, fixed, (cohort or {}).get('digest'), seen)
  lines = [
    *warnings,
    *caveats.of_validation(test, valid),
    *caveats.of_table(
      task, test, arms=work.arms, absent=[a for a in listed if a not in arms]
    ),
    *caveats.of_estimates(test, whole.estimates, arms=work.arms, metric=metric),
    *_reference_lines(work),
    *caveats.of_margin(test, metric=metric, margin=margin),
    *thresholds.notes(test),
    *(registered or {}).get('deviations', ()),
    *(registered or {}).get('unchecked', ()),
  ]
  calibrated = recalibration.report(task, test, valid, arms=work.arms)
  useful = probabilities.of(
    task,
    test,
    valid,
    arms=work.arms,
    resamples=work.resamples,
    factor=work.factor.value,
  )
  arms_out = {}
  for a, arm in enumerate(work.arms):
    values = whole.estimates.values[metric][:, a]
    arms_out[arm] = {
      **facts[arm],
      'role': _role(work, arm),
      'metrics': whole.metrics[arm],
      'variability': entries.variability(
        whole.estimates,
        arm,
        values=values,
        metric=metric,
        test_to_train=work.test_to_train,
      ),
      'calibration': calibrated.get(arm),
      'probabilities': useful[arm],
      'thresholds': thresholds.describe(task, test, arm),
      'folds': entries.arm_folds(
        task, test, whole.estimates, arm, values, metric
      ),
      'cost': dict((costs or {}).get(arm, {})),
    }
  use = headline.use(work, whole, useful, costs or {})
  at = headline.gain_arm(whole.compared, use['arm'])
  result = {
    'version': VERSION,
    'question': headline.question(
      work, whole, i=at, facts=facts, complete=complete
    ),
    'gain': headline.gain(
      work, whole, at, {a: x['variability'] for a, x in arms_out.items()}
    ),
    'use': use,
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
      'margin_given': margin is not None,
      'replicates': config.replicates,
      'seed': config.seed,
      'level': _LEVEL,
      'method': config.interval,
      'interval': intervals.DESCRIPTIONS[config.interval],
      'adjustment': intervals.ADJUSTMENTS[config.interval],
      'factor': {
        **dataclasses.asdict(work.factor),
        'sensitivity': dependence.SENSITIVITY,
      },
      'reference': work.reference,
      'estimand': registration_lib.MIN_SINGLE,
      'estimand_text': sentences.ESTIMAND,
    },
    'registration': registered,
    'folds': [entries.fold(task, fold) for fold in test],
    'arms': arms_out,
    'best_single': _best_single(work, whole, picked),
    'comparisons': whole.comparisons,
    'complete_cases': complete_out,
    **subgroups.sections(
      predictions,
      test,
      arms=work.arms,
      wanted=work.wanted,
      metric=metric,
      references=[_compared_with(work, whole)] * len(test),
      resamples=work.resamples,
      config=config,
      fusions=work.fusions,
      factor=work.factor.value,
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
      raise assessment_lib.no_delong(obstacle)


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


def _compared_with(work, whole) -> str | None:
  """The single arm that sections beside the verdict compare with."""
  return work.reference if work.named else whole.best_single


def _best_single(work, whole, picked) -> dict[str, Any]:
  arm = whole.best_single
  own = (
    whole.metrics[arm][work.metric]
    if arm
    else {
      'estimate': math.nan,
      'low': math.nan,
      'high': math.nan,
      'reason': 'no single-modality arm has a result',
    }
  )
  return {
    'arm': arm,
    'metric': work.metric,
    **own,
    'picked_on_validation': {
      **whole.picked,
      **({} if picked is None else {'by_fold': picked}),
    },
  }


def _role(work, arm) -> str:
  if arm in work.singles:
    return 'single'
  if arm == work.reference:
    return 'reference'
  return 'fusion' if arm in work.fusions else 'other'


def _reference_lines(work) -> list[str]:
  if not work.named:
    return caveats.of_singles(
      work.singles, fusions=work.fusions, missing=work.missing
    )
  return [
    f"Arms are compared with '{work.reference}', which was given by name: a "
    'gain over it need not be a gain over the best single modality.'
  ]


def _registered(work, fixed, digest, seen) -> dict[str, Any] | None:
  if not fixed:
    return None
  return {
    **dataclasses.asdict(fixed),
    'after_results': bool(seen),
    'deviations': registration_lib.deviations(
      fixed,
      metric=work.metric,
      margin=work.config.margin,
      arms=work.arms,
      reference=work.reference,
      cohort=digest or '',
      seen=seen,
    ),
    'unchecked': registration_lib.unchecked(fixed, cohort=digest or ''),
  }


def _complete_cases(work, test, picked):
  """The same on studies that have all modalities; (None, None) if all have."""
  if all(fold.complete.all() for fold in test):
    return None, None
  kept = [
    (fold.take(fold.complete), arm)
    for fold, arm in zip(test, picked, strict=True)
    if fold.complete.any()
  ]
  if not kept:
    return None, {
      'studies': 0,
      'patients': 0,
      'reason': 'no study has all modalities',
    }
  folds, picked = zip(*kept, strict=True)
  complete = assessment_lib.assess(work, folds, picked)
  verdicts = [g.verdict for g in complete.compared.gains]
  return complete, {
    'studies': len(np.unique(np.concatenate([f.study for f in folds]))),
    'patients': len(np.unique(np.concatenate([f.patient for f in folds]))),
    'verdict': verdict_lib.of_question(verdicts),
    'arms': {arm: {'metrics': m} for arm, m in complete.metrics.items()},
    'best_single': _best_single(work, complete, None),
    'comparisons': complete.comparisons,
  }
