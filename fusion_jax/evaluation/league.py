"""The gains of several runs pooled over cohorts, by method and by strategy.

Does fusion help, where, and by which strategy? A gain is delta of
docs/statistics.md, a fusion arm minus the best single modality on the same
studies, as each run states it with its standard error. Cohorts are the studies
of a random-effects meta-analysis.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy import stats

from fusion_jax.core import errors, words
from fusion_jax.evaluation import entries, league_runs, meta_analysis
from fusion_jax.evaluation import verdict as verdict_lib

VERSION = 1

# What is done with runs of one cohort, which are not independent.
REFUSE, AVERAGE, INDEPENDENT = 'refuse', 'average', 'independent'
SHARED = (REFUSE, AVERAGE, INDEPENDENT)

ALL, STRATEGY, METHOD = 'all', 'strategy', 'method'
EVERY_ARM = 'every fusion arm'

_ERROR = 0.05
_NORMAL = float(stats.norm.ppf(0.975))


@dataclasses.dataclass(frozen=True)
class Effect:
  """What one cohort says of what is pooled.

  Attributes:
    cohort: its number.
    estimate: mean of the gains.
    se: of it, at most.
    arms: how many gains it is the mean of.
  """

  cohort: int
  estimate: float
  se: float
  arms: int


def mean_effect(
  differences: Sequence[float], ses: Sequence[float]
) -> tuple[float, float]:
  """Mean of gains that share their studies, and a bound of its error.

  The variance of a mean of n dependent estimates is the mean of their n x n
  covariances, each of which is at most the product of two standard errors: so
  its standard error is at most the mean of theirs, whatever their correlations,
  which summaries do not hold. Gains over one single modality on the same
  studies are highly correlated, so that the bound is near.

  Args:
    differences: (n,) gains.
    ses: (n,) their standard errors.

  Returns:
    The mean and the bound.
  """
  return float(np.mean(differences)), float(np.mean(ses))


def holm(p: Sequence[float]) -> np.ndarray:
  """(k,) p-values adjusted for being k (Holm 1979, Scand. J. Stat. 6, 65-70).

  Those that are NaN stay so and do not count.
  """
  p = np.asarray(p, float)
  adjusted = np.full(p.shape, math.nan)
  known = np.flatnonzero(~np.isnan(p))
  order = known[np.argsort(p[known], kind='stable')]
  left = len(order) - np.arange(len(order))
  adjusted[order] = np.minimum(1.0, np.maximum.accumulate(left * p[order]))
  return adjusted


def summarise(
  runs: Sequence[league_runs.Run],
  *,
  estimator: str = meta_analysis.REML,
  shared: str = REFUSE,
) -> dict[str, Any]:
  """The league, JSON-ready.

  Each method is pooled over the cohorts that ran it. Of a strategy, and of all
  fusion arms, a cohort's effect is the mean over its arms: the best of them
  would be too good by how it was picked. Pooled p-values are two-sided and
  adjusted within the methods and within the strategies by Holm's rule; bounds
  are of each alone.

  Args:
    runs: from `league_runs.read`.
    estimator: of the variance between cohorts, of meta_analysis.ESTIMATORS.
    shared: REFUSE runs of one cohort, take their AVERAGE as one effect (with
      the bound of `mean_effect`), or take ids that occur in several runs as
      INDEPENDENT, which they are where they only happen to be the same. Runs
      of the very same content cannot be that.

  Raises:
    UserError: for runs of one cohort as `shared` says, or if only one cohort
      is left, or an unknown name.
  """
  if estimator not in meta_analysis.ESTIMATORS:
    raise errors.unknown_name(
      'estimator', estimator, meta_analysis.ESTIMATORS, where='--estimator'
    )
  if shared not in SHARED:
    raise errors.unknown_name('value', shared, SHARED, where='--shared')
  groups = league_runs.cohorts(runs, by_ids=shared != INDEPENDENT)
  if shared != AVERAGE:
    for group in groups:
      if len(group) > 1:
        raise errors.UserError(_not_independent(runs, group))
  if len(groups) < 2:
    raise errors.UserError(
      'All runs are of one cohort: a league pools two or more.'
    )
  pooled = [
    _pooled(ALL, EVERY_ARM, '', runs, groups, estimator, lambda g: True),
    *_family(
      STRATEGY,
      [(s, s) for s in _distinct(runs, lambda g: g.strategy) if s],
      runs,
      groups,
      estimator,
    ),
    *_family(METHOD, _methods(runs), runs, groups, estimator),
  ]
  return entries.plain(
    {
      'version': VERSION,
      'metric': runs[0].metric,
      'estimator': estimator,
      'shared': shared,
      'fewest_for_prediction': meta_analysis.FEWEST_FOR_PREDICTION,
      'cohorts': [
        {'name': name, 'runs': [runs[i].folder for i in group]}
        for name, group in zip(_names(runs, groups), groups, strict=True)
      ],
      'runs': [_run(run) for run in runs],
      'pooled': pooled,
      'warnings': _warnings(runs, groups, shared),
    }
  )


def _names(runs, groups) -> list[str]:
  """Of cohorts; with their folders where names alone are not unique."""
  names = [
    ' and '.join(dict.fromkeys(runs[i].cohort for i in g)) for g in groups
  ]
  return [
    f'{name} ({runs[group[0]].folder})' if names.count(name) > 1 else name
    for name, group in zip(names, groups, strict=True)
  ]


def _distinct(runs, name) -> list[str]:
  return list(dict.fromkeys(name(g) for run in runs for g in run.gains))


def _methods(runs) -> list[tuple[str, str]]:
  """Methods and their strategies, in the order of the strategies."""
  strategies = _distinct(runs, lambda g: g.strategy)
  found: dict[str, str] = {}
  for run in runs:
    for g in run.gains:
      found[g.arm] = found.get(g.arm) or g.strategy
  return sorted(found.items(), key=lambda x: strategies.index(x[1]))


def _family(by, members, runs, groups, estimator) -> list[dict[str, Any]]:
  """Pooled gains whose p-values are adjusted for each other."""
  found = []
  for name, strategy in members:
    key = (lambda g: g.strategy) if by == STRATEGY else (lambda g: g.arm)
    found.append(
      _pooled(
        by,
        name,
        strategy,
        runs,
        groups,
        estimator,
        lambda g, key=key, name=name: key(g) == name,
      )
    )
  adjusted = holm([math.nan if x['p'] is None else x['p'] for x in found])
  for entry, p in zip(found, adjusted, strict=True):
    if not math.isnan(p):
      entry |= {'p_adjusted': float(p), 'verdict': _verdict(entry, p)}
  return found


def _pooled(by, name, strategy, runs, groups, estimator, kept):
  effects = []
  for cohort, group in enumerate(groups):
    of_runs, arms = [], 0
    for i in group:
      gains = [g for g in runs[i].gains if kept(g)]
      if gains:
        arms += len(gains)
        of_runs.append(
          mean_effect([g.difference for g in gains], [g.se for g in gains])
        )
    if of_runs:
      effects.append(
        Effect(cohort, *mean_effect(*zip(*of_runs, strict=True)), arms)
      )
  entry = {
    'by': by,
    'name': name,
    'strategy': strategy,
    'effects': [
      {
        **dataclasses.asdict(x),
        'low': x.estimate - _NORMAL * x.se,
        'high': x.estimate + _NORMAL * x.se,
      }
      for x in effects
    ],
  }
  if len(effects) < 2:
    empty = {f.name: None for f in dataclasses.fields(meta_analysis.Pooled)}
    return {
      **entry,
      **empty,
      'estimator': estimator,
      'k': len(effects),
      'p_adjusted': None,
      'verdict': '',
      'reason': 'one cohort: nothing to pool',
    }
  found = meta_analysis.pool(
    np.array([x.estimate for x in effects]),
    np.array([x.se**2 for x in effects]),
    estimator,
  )
  entry |= dataclasses.asdict(found)
  if found.prediction_reason:
    entry['prediction_reason'] = (
      f'{words.counted(found.k, "cohort")}: a prediction interval is given '
      f'with {meta_analysis.FEWEST_FOR_PREDICTION} or more'
    )
  return entry | {'p_adjusted': found.p, 'verdict': _verdict(entry, found.p)}


def _verdict(entry, p: float) -> str:
  if p > _ERROR:
    return verdict_lib.INCONCLUSIVE
  better = entry['estimate'] > 0
  return verdict_lib.SUPERIOR if better else verdict_lib.INFERIOR


def _run(run: league_runs.Run) -> dict[str, Any]:
  skipped = ('study_ids', 'gains')
  fields = {
    f.name: getattr(run, f.name)
    for f in dataclasses.fields(run)
    if f.name not in skipped
  }
  gains = [dataclasses.asdict(g) for g in run.gains]
  for g in gains:
    del g['parts']
  return {**fields, 'gains': gains}


def _not_independent(runs, group) -> str:
  a, b = (runs[i] for i in group[:2])
  start = f"'{a.folder}' and '{b.folder}' are of one cohort"
  if a.digest and a.digest == b.digest:
    why, way = 'their content is the same', ''
  else:
    # A third run may join two that share less.
    count = league_runs.shared_ids(a, b)
    why = f'{words.counted(count or 0, "study")} have the same id in both'
    way = ', or --shared=independent if ids only happen to be the same'
  return (
    f'{start} ({why}) and so are not independent: leave one of them out, or '
    f'take their mean with --shared={AVERAGE}{way}.'
  )


def _warnings(runs, groups, shared) -> list[str]:
  lines = []
  for group in groups:
    if len(group) > 1:
      named = ', '.join(f"'{runs[i].folder}'" for i in group)
      lines.append(
        f'{named} are of one cohort and count as one: the mean of their gains, '
        'with the largest standard error that it can have.'
      )
  gone = [f"'{r.folder}'" for r in runs if r.study_ids is None]
  if gone and shared != INDEPENDENT:
    lines.append(
      f'{", ".join(gone)}: predictions are not there, so that whether studies '
      'are shared with other runs could be told from the content of cohorts '
      'alone.'
    )
  lines += [
    f"'{run.folder}', arm '{arm}' is in no pooled gain: {reason}."
    for run in runs
    for arm, reason in run.left_out.items()
  ]
  for arm in _distinct(runs, lambda g: g.arm):
    parts = {
      g.parts for run in runs for g in run.gains if g.arm == arm and g.parts
    }
    if len(parts) > 1:
      lines.append(
        f"'{arm}' is not made of the same parts in all runs, and pooled as one "
        'method all the same.'
      )
  unknown = _without_strategy(runs)
  if unknown:
    lines.append(
      f'{", ".join(unknown)}: runs do not say by which strategy they fuse, so '
      'that these arms are in no strategy.'
    )
  return lines


def _without_strategy(runs: Iterable[league_runs.Run]) -> list[str]:
  found = dict.fromkeys(
    f"'{g.arm}'" for run in runs for g in run.gains if not g.strategy
  )
  return list(found)
