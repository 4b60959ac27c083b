"""The parts of a summary as JSON's own types."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import (
  bounds,
  delong,
  metrics,
  permutation,
  power,
  variance,
)
from fusion_jax.evaluation import comparison as comparison_lib
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib

_NOWHERE = 'no prediction, or undefined, in every fold'


def entry(
  estimate: float,
  interval: tuple[float, float, str],
  undefined: Sequence[tuple[int, str]] = (),
  *,
  otherwise: str = 'no model was evaluated',
) -> dict[str, Any]:
  """{estimate, low, high}, with a reason wherever something is undefined.

  Args:
    estimate: NaN where undefined.
    interval: (low, high, reason).
    undefined: (fold, reason) of models whose metric was left out.
    otherwise: the reason of a NaN without any of those.
  """
  low, high, reason = interval
  if math.isnan(estimate):
    low, high = math.nan, math.nan
    reason = undefined[0][1] if undefined else otherwise
  found = {'estimate': estimate, 'low': low, 'high': high}
  if undefined:
    found['undefined_cells'] = len(undefined)
    reason = reason or undefined[0][1]
  if reason:
    found['reason'] = reason
  return found


def resampled(
  estimate: float,
  replicates: np.ndarray,
  undefined: Sequence[tuple[int, str]] = (),
  *,
  otherwise: str = 'no model was evaluated',
  metric: str = '',
  factor: float = 1.0,
) -> dict[str, Any]:
  """The entry of a statistic with (r,) bootstrap replicates; see `entry`.

  Args:
    estimate: NaN where undefined.
    replicates: (r,), NaN where undefined.
    undefined: see `entry`.
    otherwise: see `entry`.
    metric: its name if the statistic is an arm's metric, whose interval can
      be on the logit scale; empty for differences and the like.
    factor: widens the interval; see dependence.py.
  """
  if metric:
    interval = bounds.of_metric(metric, estimate, replicates, factor=factor)
  else:
    interval = bounds.percentile(replicates, estimate=estimate, factor=factor)
  return entry(estimate, interval, undefined, otherwise=otherwise)


def gain(
  g: comparison_lib.Gain,
  *,
  metric: str,
  reference: str,
  factor: float,
) -> dict[str, Any]:
  """What one fusion arm came to; all differences are gains.

  Args:
    g: the arm's gain.
    metric: what arms are compared by.
    reference: 'best_single' or the name of an arm.
    factor: at which the verdict was looked at again.
  """
  return {
    'arm': g.arm,
    'reference': reference,
    'single': g.single,
    'metric': metric,
    **_bounds(g),
    'se': g.se,
    'verdict': g.verdict,
    'within_margin': g.within_margin,
    'fragile': {'factor': factor, 'verdict': g.fragile} if g.fragile else None,
    **({'reason': g.reason} if g.reason else {}),
    'against': [
      {
        'single': x.single,
        **_bounds(x),
        'se': x.se,
        **({'reason': x.reason} if x.reason else {}),
      }
      for x in g.against
    ],
  }


def other_gain(g: comparison_lib.Gain) -> dict[str, Any]:
  """A gain beside the one that is judged: bounds and verdict alone."""
  return {
    **({'single': g.single} if g.single else {}),
    **_bounds(g),
    'verdict': g.verdict,
    **({'reason': g.reason} if g.reason else {}),
  }


def patients_needed(needed: power.Needed) -> dict[str, Any]:
  """{superior, equivalent}, each null with a reason."""
  return {
    'superior': needed.superior,
    'equivalent': needed.equivalent,
    **{
      f'{name}_reason': reason
      for name in ('superior', 'equivalent')
      if (reason := getattr(needed, f'{name}_reason'))
    },
  }


def of_folds(values: np.ndarray, replicates: np.ndarray) -> dict[str, Any]:
  """The entry of the mean over the folds in which a value is defined.

  Args:
    values: (g,), NaN where undefined.
    replicates: (g, r).
  """
  kept = np.flatnonzero(~np.isnan(values))
  if not len(kept):
    undefined = [(g, _NOWHERE) for g in range(len(values))]
    return entry(math.nan, (math.nan, math.nan, ''), undefined)
  return resampled(
    float(values[kept].mean()), metrics.mean([replicates[g] for g in kept])
  )


def corrected_t(
  fold_differences: np.ndarray, test_to_train: float
) -> dict[str, Any]:
  """What the spread over (g,) folds says of training anew."""
  t = variance.corrected_t(fold_differences, test_to_train)
  entry_of = {
    'fold_sd': estimates_lib.corrected_sd(fold_differences, test_to_train),
    'corrected_t': {
      't': t.t,
      'df': t.df,
      'p': t.p,
      **({'reason': t.reason} if t.reason else {}),
    },
  }
  if math.isnan(entry_of['fold_sd']):
    entry_of['fold_sd_reason'] = variance.no_fold_sd(fold_differences)
  return entry_of


def _bounds(x: comparison_lib.Gain | comparison_lib.Against) -> dict[str, Any]:
  names = ('difference', 'low', 'high', 'low90', 'high90', 'p', 'p_adjusted')
  # No -0.0 in a file.
  return {name: getattr(x, name) + 0.0 for name in names}


def delong_test(
  areas: delong.Areas | None, i: int, j: int | None, reason: str
) -> dict[str, Any]:
  """The paired test of arm i minus arm j.

  Args:
    areas: of all arms; None where DeLong does not apply.
    i: place of the arm.
    j: place of its reference; None if it has none.
    reason: why DeLong does not apply.
  """
  nan = math.nan
  found = {'difference': nan, 'se': nan, 'low': nan, 'high': nan, 'p': nan}
  if areas is None or j is None:
    return {**found, 'reason': reason or 'there is no reference'}
  test = delong.difference(areas, i, j)
  found = {name: getattr(test, name) for name in found}
  return {**found, **({'reason': test.reason} if test.reason else {})}


def permutation_test(result: permutation.Result) -> dict[str, Any]:
  """{p, p_two_sided, permutations}, with a reason where undefined."""
  return {
    'p': result.p,
    'p_two_sided': result.p_two_sided,
    'permutations': result.permutations,
    **({'reason': result.reason} if result.reason else {}),
  }


def variability(
  estimates: estimates_lib.Estimates,
  arm: str,
  *,
  values: np.ndarray,
  metric: str,
  test_to_train: float,
) -> dict[str, Any]:
  """What training again changes in one arm, with its (g,) values by fold."""
  parts = variance.components(estimates, arm, metric)
  found = {
    'metric': metric,
    'seed_sd': estimates_lib.seed_sd(estimates, arm, metric),
    'fold_sd': estimates_lib.corrected_sd(values, test_to_train),
    'components': {
      'seed_sd': parts.seed_sd,
      'fold_sd': parts.fold_sd,
      'seed_share': parts.seed_share,
    },
  }
  if math.isnan(found['seed_sd']):
    found['seed_sd_reason'] = variance.ONE_SEED
  if math.isnan(found['fold_sd']):
    found['fold_sd_reason'] = variance.no_fold_sd(values)
  if math.isnan(parts.seed_share):
    found['components']['reason'] = parts.reason or 'the metric does not vary'
  return found


def arm_folds(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  estimates: estimates_lib.Estimates,
  arm: str,
  values: np.ndarray,
  metric: str,
) -> list[dict[str, Any]]:
  """One arm's metric in each fold, given its (g,) means over seeds."""
  found = []
  for part, cells, value in zip(folds, estimates.cells, values, strict=True):
    if not cells[arm]:
      continue
    here = {
      'repeat': part.repeat,
      'fold': part.fold,
      'seeds': list(cells[arm]),
      'studies': len(part.study),
      **_events(task, part),
      'estimate': value,
    }
    reasons = [v[metric].reason for v in cells[arm].values()]
    if any(reasons):
      here['reason'] = next(filter(None, reasons))
    found.append(here)
  return found


def fold(task: types.Task, part: folds_lib.Fold) -> dict[str, Any]:
  """What a test part holds."""
  return {
    'repeat': part.repeat,
    'fold': part.fold,
    'studies': len(part.study),
    'patients': len(np.unique(part.patient)),
    'complete': int(part.complete.sum()),
    **_events(task, part),
  }


def _events(task, part) -> dict[str, Any]:
  events = folds_lib.events(task, part.labels)
  if events is None:
    return {'events': None, 'events_reason': 'a regression has no events'}
  return {'events': events}


def plain(value: Any) -> Any:
  """A copy of JSON's own types; NaN and infinity become None."""
  if isinstance(value, Mapping):
    return {str(k): plain(v) for k, v in value.items()}
  if isinstance(value, list | tuple):
    return [plain(v) for v in value]
  if isinstance(value, np.ndarray | np.generic):
    return plain(value.tolist())
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value
