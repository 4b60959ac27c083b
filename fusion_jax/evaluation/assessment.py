"""Metrics and gains of all arms on some test parts.

Once for all studies and once for those that have every modality: the same
singles, draws and factor.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import errors, types
from fusion_jax.evaluation import comparison as comparison_lib
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import (
  dependence,
  entries,
  intervals,
  metrics,
  power,
  registration,
  resampling,
)
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import permutation as permutation_lib


@dataclasses.dataclass(frozen=True)
class Work:
  """What the parts of one summary share.

  Attributes:
    task: what is predicted.
    config: of the evaluation.
    metric: what arms are compared by.
    wanted: names of all metrics.
    arms: that have predictions.
    singles: single-modality arms that have predictions.
    fusions: fusion arms that have, without the reference.
    reference: 'best_single' or the name of an arm.
    resamples: the draws of patients.
    left_out: the jackknife's, for BCa intervals.
    test_to_train: n_test / n_train.
    factor: of standard errors.
    margin: of equivalence; None if none was given in the label's unit.
    missing: why no arm can be more than inconclusive; empty if it can.
  """

  task: types.Task
  config: config_lib.EvaluationConfig
  metric: str
  wanted: tuple[str, ...]
  arms: tuple[str, ...]
  singles: tuple[str, ...]
  fusions: tuple[str, ...]
  reference: str
  resamples: resampling.Resamples
  left_out: resampling.Resamples | None
  test_to_train: float
  factor: dependence.Factor
  margin: float | None
  missing: str = ''

  @property
  def named(self) -> bool:
    """Whether arms are compared with one that was given by name."""
    return self.reference != registration.BEST_SINGLE

  @property
  def rivals(self) -> tuple[str, ...]:
    """What a superior arm has to beat."""
    return (self.reference,) if self.named else self.singles

  @property
  def sign(self) -> int:
    return 1 if metrics.higher_is_better(self.metric) else -1


@dataclasses.dataclass(frozen=True)
class Assessment:
  """What some test parts say of all arms.

  Attributes:
    estimates: of every metric by arm and fold.
    metrics: by arm, entries by metric.
    best_single: the arm that is best on these test parts, None if there is
      none.
    picked: the entry of the arm picked on validation, fold by fold.
    comparisons: entries of the fusion arms.
    compared: what they are made from.
    values: (g, a) metric of comparison by fold, higher = better.
    source: where intervals come from.
  """

  estimates: estimates_lib.Estimates
  metrics: Mapping[str, Mapping[str, Any]]
  best_single: str | None
  picked: Mapping[str, Any]
  comparisons: Sequence[Mapping[str, Any]]
  compared: comparison_lib.Compared
  values: np.ndarray
  source: intervals.Bootstrap | intervals.DeLong


def assess(
  work: Work,
  folds: Sequence[folds_lib.Fold],
  picked: Sequence[str | None],
) -> Assessment:
  """Metrics by arm and gains on g test parts.

  Args:
    work: what is asked.
    folds: g test parts.
    picked: (g,) the single arm that validation picks in each fold, None where
      it picks none.

  Raises:
    UserError: if DeLong is asked for and does not apply.
  """
  estimates = estimates_lib.estimate(
    work.task, folds, arms=work.arms, wanted=work.wanted
  )
  areas, obstacle = intervals.delong_areas(
    work.task, folds, arms=work.arms, metric=work.metric
  )
  source = _source(work, folds, areas, obstacle)
  values = work.sign * estimates.values[work.metric]
  best = comparison_lib.best_single(
    {
      arm: work.sign * estimates.estimate[work.metric][work.arms.index(arm)]
      for arm in work.singles
    }
  )
  families = source.families(values, work.sign)
  common = {
    'arms': work.arms,
    'fusions': work.fusions,
    'values': values,
    'margin': work.margin,
    'families': families,
  }
  compared = comparison_lib.compare(
    **common,
    singles=work.rivals,
    sensitivity=dependence.SENSITIVITY,
    missing='' if work.named else work.missing,
  )
  by_validation = ()
  if compared.gains and not work.named and work.singles[1:]:
    by_validation = comparison_lib.picked_on_validation(
      **common, references=picked, gains=compared.gains
    )
  over_all = ()
  if work.named and work.singles:
    over_all = comparison_lib.compare(
      **common, singles=work.singles, missing=work.missing
    ).gains
  patients = len(np.unique(np.concatenate([f.patient for f in folds])))
  comparisons = []
  for i, gain in enumerate(compared.gains):
    entry = entries.gain(
      gain,
      metric=work.metric,
      reference=work.reference,
      factor=work.factor.value + dependence.SENSITIVITY,
    )
    entry['patients_needed'] = entries.patients_needed(
      needed(compared, i, margin=work.margin, patients=patients)
    )
    entry['picked_on_validation'] = (
      entries.other_gain(by_validation[i]) if by_validation else None
    )
    entry['over_all_singles'] = (
      entries.other_gain(over_all[i]) if over_all else None
    )
    entry['without_factor'] = _without_factor(
      work, folds, gain, areas, obstacle
    )
    comparisons.append(entry)
  return Assessment(
    estimates=estimates,
    metrics=_metrics(work, estimates, source),
    best_single=best,
    picked=_picked(work, values, picked, source),
    comparisons=comparisons,
    compared=compared,
    values=values,
    source=source,
  )


def needed(
  compared: comparison_lib.Compared,
  i: int,
  *,
  margin: float | None,
  patients: int,
) -> power.Needed:
  """Patients that fusion arm i needs; see `power.needed`."""
  family = compared.family
  return power.needed(
    covariance=family.covariance[i, :, i],
    se=family.se[i],
    critical_low=family.critical_low,
    critical_low90=family.critical_low90,
    critical_high=family.critical_high,
    critical_high90=family.critical_high90,
    factor=family.factor,
    margin=margin,
    patients=patients,
  )


def no_delong(obstacle: str) -> errors.UserError:
  """Why DeLong's intervals cannot be had, and what can."""
  return errors.UserError(
    f'evaluation.interval=delong: {obstacle}. Use bootstrap or bca.'
  )


def _source(work, folds, areas, obstacle):
  """Where the intervals come from."""
  if work.config.interval == config_lib.DELONG:
    if areas is None:
      raise no_delong(obstacle)
    return intervals.DeLong(areas, work.arms)
  return intervals.Bootstrap(
    work.task,
    folds,
    arms=work.arms,
    wanted=work.wanted,
    metric=work.metric,
    resamples=work.resamples,
    left_out=work.left_out,
    factor=work.factor.value,
  )


def _metrics(work, estimates, source):
  return {
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


def _picked(work, values, picked, source) -> dict[str, Any]:
  """The metric of the arm that validation picks, fold by fold."""
  chosen = [
    (g, work.arms.index(arm)) for g, arm in enumerate(picked) if arm is not None
  ]
  if not chosen:
    nan = math.nan
    return entries.entry(nan, (nan, nan, ''), [(0, 'nothing was picked')])
  value = work.sign * float(
    metrics.mean([np.array([values[c]]) for c in chosen])[0]
  )
  return entries.entry(value, source.of_chosen(chosen, value))


def _without_factor(work, folds, gain, areas, obstacle) -> dict[str, Any]:
  """Other tests of one arm against the best single one."""
  entry = {
    'against': gain.single,
    **entries.corrected_t(gain.fold_differences, work.test_to_train),
    'delong': entries.delong_test(
      areas,
      work.arms.index(gain.arm),
      work.arms.index(gain.single),
      obstacle,
    ),
  }
  if work.config.permutations:
    entry['permutation'] = entries.permutation_test(
      permutation_lib.paired(
        work.task,
        folds,
        arm=gain.arm,
        references=[gain.single] * len(folds),
        metric=work.metric,
        permutations=work.config.permutations,
        seed=work.config.seed,
      )
    )
  return entry
