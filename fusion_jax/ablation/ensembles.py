"""The control 'ensemble': two models of one modality at the cost of fusion."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import finished, learners
from fusion_jax.ablation import nodes as nodes_lib
from fusion_jax.ablation import plan as plan_lib
from fusion_jax.evaluation import conditions, metrics
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import references as references_lib
from fusion_jax.fusion import late


def make(
  run: finished.Finished, intact: predictions_lib.Predictions
) -> list[predictions_lib.Predictions]:
  """Tables of the mean of two models of the best single arm.

  That is the arm which is best on the test parts, the one that gains are
  measured over: an arm that validation picks fold by fold is weaker. Where
  models differ by seed the second is that of the next seed, or a twin trained
  for this where the run has one seed only. Where they do not, it is the single
  arm of the same modality that is next best on validation; where there is none,
  the model itself.

  Args:
    run: whose models are used.
    intact: its predictions; test rows choose the best single arm, validation
      rows its partner.
  """
  choice = _choice(run, intact)
  best = {
    cell: c['arm'] for cell, c in choice.items() if _is_random(run, c['arm'])
  }
  plan = run.plan
  if best and run.config.seeds == 1:
    plan = _twins(run, best)
    missing = [k for k in plan.by_key() if not run.store.has(k)]
    if missing:
      run.say(f'Control ensemble: {len(missing)} models to train')
      for failure in run.train(plan).values():
        run.say(failure)
  splits = {(s.repeat, s.fold): s for s in run.splits}
  seeds = run.config.seeds
  found = []
  for cell, chosen in choice.items():
    for seed in range(seeds):
      arm, place = chosen['arm'], (*cell, seed)
      first = nodes_lib.best_trial(run.store, run.plan, arm, place)
      if cell in best:
        other = (*cell, (seed + 1) % max(seeds, 2))
        second = nodes_lib.best_trial(run.store, plan, arm, other)
      else:
        second = nodes_lib.best_trial(
          run.store, run.plan, _next_best(run, chosen), place
        )
      if first is None or second is None:
        continue
      split = splits[cell]
      logits = _mean(run, split, first, second)
      found.append(
        finished.table(
          run.cohort,
          arm,
          place,
          conditions.ENSEMBLE,
          split.test,
          logits,
        )
      )
  return found


def _choice(run, intact) -> dict[tuple[int, int], dict[str, Any]]:
  """By repeat and fold, the best single arm and the metrics on validation."""
  singles = [
    a
    for a in run.plan.listed
    if run.config.known_arms[a].strategy == arm_lib.SINGLE
    and a in run.models['arms']
  ]
  test, valid = (
    folds_lib.arrange(intact, part)
    for part in (predictions_lib.TEST, predictions_lib.VALID)
  )
  options = {'singles': singles, 'metric': _metric(run)}
  best = references_lib.best(intact.task, test, **options)
  choice = references_lib.choose(intact.task, test, valid, **options)
  return {
    (c['repeat'], c['fold']): {'arm': best, 'valid': c['valid']}
    for fold, c in zip(test, choice, strict=True)
    if best in fold.scores
  }


def _metric(run) -> str:
  return run.config.evaluation.metric or metrics.PRIMARY[run.cohort.task.kind]


def _is_random(run, arm: str) -> bool:
  """Whether models of an arm differ by seed."""
  parts = run.config.known_arms[arm]
  return learners.of(parts).random or any(
    _is_random(run, other) for other in parts.upstream
  )


def _next_best(run, chosen) -> str:
  """The best other arm of the same modality on validation; itself if none."""
  arm, arms = chosen['arm'], run.config.known_arms
  sign = 1 if metrics.higher_is_better(_metric(run)) else -1
  others = {
    a: sign * value
    for a, value in chosen['valid'].items()
    if a != arm
    and arms[a].modalities == arms[arm].modalities
    and np.isfinite(value)
  }
  return max(others, key=others.get) if others else arm


def _mean(run, split, first, second) -> np.ndarray:
  """(test, s) logits of the late rule 'mean' of two models."""
  models = {'first': first.key, 'second': second.key}
  arrays = {name: run.store.read(key).arrays for name, key in models.items()}
  valid, test = (
    {name: x[nodes_lib.LOGITS.format(part=part)] for name, x in arrays.items()}
    for part in (predictions_lib.VALID, predictions_lib.TEST)
  )
  weight = run.cohort.weight
  rule = late.fit_late(
    'mean',
    task=run.cohort.task,
    valid_logits=valid,
    valid_present=dict.fromkeys(models, np.ones(len(split.valid), bool)),
    valid_labels=run.cohort.labels[split.valid],
    valid_weight=None if weight is None else weight[split.valid],
  )
  return rule.apply(test, dict.fromkeys(models, np.ones(len(split.test), bool)))


def _twins(run, best: Mapping[tuple[int, int], str]) -> plan_lib.Plan:
  """The nodes of a second seed of the best single arm.

  They are those that a run with two seeds would have.
  """
  nodes: dict[str, dict[str, plan_lib.Node]] = {}
  trials: dict[str, int] = {}
  listed = dict.fromkeys(best.values())
  for arm in listed:
    splits = [s for s in run.splits if best.get((s.repeat, s.fold)) == arm]
    plan = plan_lib.make_plan(
      dataclasses.replace(run.config, seeds=2),
      listed=[arm],
      task=run.cohort.task,
      cohort_digest=run.cohort.digest,
      cells=plan_lib.cells_of(run.config, run.cohort, splits),
    )
    trials.update(plan.trials)
    for name, found in plan.nodes.items():
      nodes.setdefault(name, {}).update({n.key: n for n in found if n.seed})
  return plan_lib.Plan(
    {arm: tuple(found.values()) for arm, found in nodes.items()},
    tuple(listed),
    trials,
  )
