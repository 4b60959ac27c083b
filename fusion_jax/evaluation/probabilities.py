"""Whether an arm's probabilities can be used as they are.

An arm can rank studies well and still call a risk of .9 what is one of .6. Its
probabilities are called miscalibrated if their calibration slope is far from 1,
or if recalibrating them on validation studies makes them better, by more than
chance and by enough to matter.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import (
  calibration,
  censoring,
  entries,
  metrics,
  recalibration,
  resampling,
)
from fusion_jax.evaluation import folds as folds_lib

# Slopes outside these are those of miscalibrated probabilities.
SLOPES = (0.5, 2.0)
# What makes them miscalibrated.
SLOPE, BRIER = 'slope', 'brier'
# What recalibration has to be worth: this share of the Brier score of a
# constant, the scale of 0 to 1 on which margins are .02 too. With many studies
# a difference of .001 has an interval above 0, and nobody would act on it.
SHARE = 0.02
_BINARY = types.Task(types.BINARY, ('y',))
_NO_SLOPE = 'scores do not vary or separate the classes'
_NO_VALIDATION = 'there is no validation part with both classes to fit on'


@dataclasses.dataclass(frozen=True)
class _Column:
  """One label, or the event up to one time, in one part of a fold."""

  y: np.ndarray
  p: np.ndarray
  weight: np.ndarray

  def fitted(self) -> bool:
    known = self.y[self.weight > 0]
    return bool(len(known)) and known.min() < known.max()


def of(
  task: types.Task,
  test: Sequence[folds_lib.Fold],
  valid: Sequence[folds_lib.Fold],
  *,
  arms: Sequence[str],
  resamples: resampling.Resamples,
  factor: float = 1.0,
) -> dict[str, dict[str, Any] | None]:
  """By arm, whether its probabilities are miscalibrated and what mends them.

  They are if the calibration slope (mean over folds and seeds) lies outside
  SLOPES, or if the Brier score exceeds that of the same probabilities after
  Platt's map, fitted on each model's own validation part, both by more than its
  interval (the lower bound of the excess is above 0) and by SHARE of the Brier
  score of a constant, the event rate of each test part. For several labels, and
  for survival at every time for which it is predicted, one of them is enough.
  Survival at a time t: the event up to t, each study with weight 1 / G (inverse
  probability of censoring; Graf et al., 1999, Statistics in Medicine 18), held
  as it is in the data while patients are redrawn.

  Args:
    task: what is predicted.
    test: folds to evaluate.
    valid: folds to fit on, matched by repeat and fold.
    arms: names.
    resamples: draws of patients.
    factor: widens intervals; see dependence.py.

  Returns:
    None for an arm without probabilities of an event (multiclass, regression,
    survival without curves). Else `miscalibrated` (None where no cause was
    found and recalibration could not be tried, with a `miscalibrated_reason`),
    `causes` ('slope', 'brier'), `reasons` (sentences), `slope` (that farthest
    from 1), `brier_excess` {estimate, low, high} (the largest lower bound),
    `recalibrated` {way, slope, brier, brier_as_it_is, brier_of_constant} of the
    same label or time, or None with `recalibrated_reason`, and `by`: by label
    or time, slope and brier_excess.
  """
  names = _names(task, test)
  if not names:
    return dict.fromkeys(arms)
  validated = {(f.repeat, f.fold): f for f in valid}
  result: dict[str, dict[str, Any] | None] = {}
  for arm in arms:
    parts = {
      name: part
      for name in names
      if (
        part := _measured(task, test, validated, arm, name, resamples, factor)
      )
    }
    result[arm] = _gathered(parts) if parts else None
  return result


def _names(task, test) -> tuple[str, ...]:
  """Labels, or times, by which there are probabilities."""
  if task.kind == types.BINARY:
    return ('',)
  if task.kind == types.MULTILABEL:
    return tuple(task.names)
  if task.kind == types.SURVIVAL:
    return folds_lib.horizons(test)
  return ()


def _column(task, fold, arm, seed, name) -> _Column | None:
  """Labels, probabilities and weights of one model on the known studies."""
  if task.kind == types.SURVIVAL:
    alive = fold.survival.get(arm, {}).get(seed)
    if alive is None:
      return None
    alive = alive[:, fold.horizons.index(name)]
    return _at_time(fold, 1 - alive, float(name))
  place = list(task.names).index(name) if name else 0
  return _Column(
    fold.labels[:, place],
    fold.scores[arm][seed][:, place],
    np.where(np.isnan(fold.labels[:, place]), 0.0, fold.weight),
  )


def _at_time(fold, p, t) -> _Column:
  time, event = fold.labels[:, 0], fold.labels[:, 1] == 1
  times, curve = censoring.survival(time, event)
  g = curve(fold.weight[:, None])[:, 0]
  case, control = event & (time <= t), time > t
  followed = np.where(case, g[censoring.place(times, time)], 0.0)
  followed = np.where(control, g[censoring.place(times, t)], followed)
  weight = np.divide(
    fold.weight,
    followed,
    out=np.zeros(len(time)),
    where=(followed > 0) & ~np.isnan(p),
  )
  y = np.where(case, 1.0, np.where(control, 0.0, math.nan))
  return _Column(y, np.nan_to_num(p, nan=0.5), weight)


def _measured(
  task, test, validated, arm, name, resamples, factor
) -> dict[str, Any] | None:
  """Slope and Brier excess of one label or time; None without a model."""
  slopes, after, losses, plain, better, constant = [], [], [], [], [], []
  seen = False
  for fold in test:
    own = list(_models(task, fold, validated, arm, name))
    seen = seen or bool(own)
    if not own:
      continue
    slopes.append(_mean([_slope(column) for column, _ in own]))
    changed = [
      (column, dataclasses.replace(column, p=mapped(column.p)))
      for column, mapped in own
      if mapped is not None
    ]
    if not changed:
      continue
    after.append(_mean([_slope(c) for _, c in changed]))
    kept = own[0][0].weight
    worse = np.mean([_loss(a) - _loss(b) for a, b in changed], axis=0)
    counts = resamples.counts[resamples.rows(fold.patient)]
    weights = np.column_stack([np.ones(len(kept)), counts]) * kept[:, None]
    losses.append(_ratio(worse @ weights, weights.sum(axis=0)))
    plain.append(_brier([a for a, _ in changed]))
    better.append(_brier([b for _, b in changed]))
    constant.append(_brier([_constant(a) for a, _ in changed]))
  if not seen:
    return None
  part: dict[str, Any] = {'slope': _mean(slopes)}
  if losses:
    excess = metrics.mean(losses)
    part['brier_excess'] = entries.resampled(
      float(excess[0]), excess[1:], factor=factor
    )
    part['recalibrated'] = {
      'way': recalibration.PLATT,
      'slope': _mean(after),
      'brier': _mean(better),
      'brier_as_it_is': _mean(plain),
      'brier_of_constant': _mean(constant),
    }
  return part


def _models(task, fold, validated, arm, name) -> Iterator:
  """(column, Platt's map or None) of every seed of an arm in a fold."""
  part = validated.get((fold.repeat, fold.fold))
  for seed in fold.scores.get(arm, {}):
    column = _column(task, fold, arm, seed, name)
    if column is None:
      continue
    mapped = None
    if part is not None and seed in part.scores.get(arm, {}):
      known = _column(task, part, arm, seed, name)
      if known is not None and known.fitted():
        rows = known.weight > 0
        platt = recalibration.fit(
          recalibration.PLATT,
          _BINARY,
          known.y[rows, None],
          known.p[rows, None],
          known.weight[rows],
        )
        mapped = _first(platt)
    yield column, mapped


def _first(platt):
  return lambda p: platt(p[:, None])[:, 0]


def _slope(column: _Column) -> float:
  rows = column.weight > 0
  if not column.fitted():
    return math.nan
  kernel = calibration.slope(
    column.y[rows] > 0, column.p[rows], column.weight[rows]
  )
  return float(kernel(column.weight[rows, None])[0])


def _constant(column: _Column) -> _Column:
  """The event rate as every study's probability."""
  rows = column.weight > 0
  weight, y = column.weight[rows], column.y[rows]
  rate = weight @ y / weight.sum() if rows.any() else math.nan
  return dataclasses.replace(column, p=np.full(len(column.y), rate))


def _loss(column: _Column) -> np.ndarray:
  return np.where(column.weight > 0, (column.p - column.y) ** 2, 0.0)


def _brier(columns: Sequence[_Column]) -> float:
  return _mean(
    [
      float(
        _ratio(_loss(c) @ c.weight[:, None], c.weight.sum(keepdims=True))[0]
      )
      for c in columns
    ]
  )


def _ratio(total, weight) -> np.ndarray:
  return np.divide(
    total, weight, out=np.full(np.shape(total), np.nan), where=weight > 0
  )


def _mean(values: Sequence[float]) -> float:
  known = [x for x in values if not math.isnan(x)]
  return float(np.mean(known)) if known else math.nan


def _gathered(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """The worst label or time, and whether any is miscalibrated."""
  causes: dict[str, None] = {}
  reasons = []
  for name, part in parts.items():
    where = f' ({name})' if name else ''
    slope = part['slope']
    if not math.isnan(slope) and not SLOPES[0] <= slope <= SLOPES[1]:
      how = 'too extreme' if slope < 1 else 'not extreme enough'
      causes.setdefault(SLOPE)
      reasons.append(
        f'The calibration slope{where} is {slope:.2f}: probabilities are {how}.'
      )
    excess = part.get('brier_excess')
    if excess and excess['low'] > 0:
      after = part['recalibrated']
      constant = after['brier_of_constant']
      # Where one class is alone there is nothing to hold an excess against.
      share = excess['estimate'] / constant if constant else 0.0
      if share < SHARE:
        continue
      causes.setdefault(BRIER)
      reasons.append(
        f'Recalibrated on validation, the Brier score{where} is '
        f'{after["brier"]:.3f} instead of {after["brier_as_it_is"]:.3f}: '
        f'{share:.0%} of the {constant:.3f} of a constant, '
        f'and more than chance; the slope is then {after["slope"]:.2f}.'
      )

  def distance(part):
    slope = part['slope']
    return -1.0 if math.isnan(slope) else abs(math.log(max(slope, 1e-9)))

  untried = [
    name
    for name, part in parts.items()
    if 'brier_excess' not in part
    or math.isnan(part['brier_excess']['low'])
    or not part['recalibrated']['brier_of_constant']
  ]
  worst = max(parts.values(), key=distance)
  excesses = [p['brier_excess'] for p in parts.values() if 'brier_excess' in p]
  gathered = {
    'miscalibrated': True if reasons else None if untried else False,
    'causes': list(causes),
    'reasons': reasons,
    'slope': worst['slope'],
    'brier_excess': max(excesses, key=_low) if excesses else None,
    'recalibrated': worst.get('recalibrated'),
    'by': {
      name: {k: x for k, x in p.items() if k != 'recalibrated'}
      for name, p in parts.items()
      if name
    },
  }
  if gathered['miscalibrated'] is None:
    named = ', '.join(filter(None, untried))
    gathered['miscalibrated_reason'] = _NO_VALIDATION + (
      f' ({named})' if named else ''
    )
  if math.isnan(worst['slope']):
    gathered['slope_reason'] = _NO_SLOPE
  if not excesses:
    gathered['brier_excess_reason'] = _NO_VALIDATION
  if gathered['recalibrated'] is None:
    gathered['recalibrated_reason'] = _NO_VALIDATION
  elif math.isnan(gathered['recalibrated']['slope']):
    gathered['recalibrated']['slope_reason'] = _NO_SLOPE
  for part in gathered['by'].values():
    if math.isnan(part['slope']):
      part['reason'] = _NO_SLOPE
  return gathered


def _low(entry) -> float:
  return -math.inf if math.isnan(entry['low']) else entry['low']
