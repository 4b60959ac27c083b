"""How many patients a comparison needs, before the study is made.

`design` states what is expected of binary scores, `pilot` reads the same from a
run. `plan` turns either into numbers of patients and a power curve, with the
bounds and the verdict that the study will be judged by.
"""

import dataclasses
import functools
import json
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from fusion_jax.core import errors, words
from fusion_jax.evaluation import families, power, registration

SUPERIOR, EQUIVALENT = 'superior', 'equivalent'
# Where the search for a number of patients begins and where it gives up.
_FIRST, _MOST = 500, 10**8
# The covariance depends a little on the number of patients that it gives.
_ROUNDS = 4
_POINTS = 25


class Known(Protocol):
  """What is known of the differences between arms.

  Attributes:
    singles: names of s single modalities.
    fusions: names of f fusion arms.
    behind: (s,) how much worse each single modality is than the best of them,
      0 or more.
    metric: that arms are compared by.
    folds: number of test parts.
    reference: 'best_single' or the name of the only single modality.
  """

  singles: tuple[str, ...]
  fusions: tuple[str, ...]
  behind: np.ndarray
  metric: str
  folds: int
  reference: str

  def arms(self, gains: Sequence[float], patients: float) -> list[power.Arm]:
    """The f arms if (f,) is what they gain over the best single modality."""

  def studies(self, patients: float) -> float:
    """How many studies so many patients have."""

  def fewest(self, patients: float) -> float | None:
    """Of so many patients, those in the smaller class; None without classes."""

  def notes(self, need: 'Need | None') -> list[str]:
    """What a plan with that number of patients rests on, in sentences."""


@dataclasses.dataclass(frozen=True)
class Need:
  """What one arm needs for one verdict.

  Attributes:
    arm: its name.
    verdict: SUPERIOR or EQUIVALENT.
    gain: its true gain over the best single modality.
    patients: that are tested; None if there is no such number.
    reason: why not; empty otherwise.
    bounds: covariance and bounds with which this was found.
  """

  arm: str
  verdict: str
  gain: float
  patients: int | None
  reason: str
  bounds: power.Arm


@dataclasses.dataclass(frozen=True)
class Point:
  """Power with so many patients; None where no arm could be planned."""

  patients: int
  superior: float | None
  equivalent: float | None


@dataclasses.dataclass(frozen=True)
class Plan:
  """The answer.

  Attributes:
    needs: of every arm with a gain for SUPERIOR, of every arm for EQUIVALENT.
    superior: the smallest of them for SUPERIOR; None if there is none.
    equivalent: the smallest for EQUIVALENT.
    curve: power of these two arms by number of patients.
    target: the power that was asked for.
  """

  needs: tuple[Need, ...]
  superior: Need | None
  equivalent: Need | None
  curve: tuple[Point, ...]
  target: float = power.POWER


def of_family(
  family: families.Family, covariance: np.ndarray, patients: float
) -> list[power.Arm]:
  """The f arms of a family found of so many patients.

  Args:
    family: its critical numbers and its factor.
    covariance: (f, s, f, s) of the differences, without the factor.
    patients: number of them.
  """
  return [
    power.Arm(
      covariance=covariance[i, :, i],
      se=np.sqrt(np.diagonal(covariance[i, :, i])),
      critical_low=family.critical_low,
      critical_low90=family.critical_low90,
      critical_high=family.critical_high,
      critical_high90=family.critical_high90,
      factor=family.factor,
      patients=patients,
    )
    for i in range(len(covariance))
  ]


def plan(
  known: Known,
  *,
  gains: Sequence[float],
  margin: float | None,
  target: float = power.POWER,
) -> Plan:
  """Patients needed for "superior" with a gain and "equivalent" without one.

  "Superior" takes each arm's true gain over the best single modality and all
  single modalities as they are, so that d_s = gain + (best - s); "equivalent"
  takes d_s = best - s for every arm.

  Args:
    known: covariances and single modalities.
    gains: (f,) of the fusion arms, at least one above 0.
    margin: of equivalence; None if there is none.
    target: the power.

  Raises:
    UserError: if an argument is out of range.
  """
  _check_question(known, gains, margin, target)

  @functools.cache
  def arms(gains, patients):
    return known.arms(gains, patients)

  gains, none = tuple(gains), (0.0,) * len(gains)
  needs = [
    _need(known, arms, i, SUPERIOR, gains, margin, target)
    for i, gain in enumerate(gains)
    if gain > 0
  ]
  needs += [
    _need(known, arms, i, EQUIVALENT, none, margin, target)
    for i in range(len(gains))
  ]
  superior, equivalent = (
    min(
      (n for n in needs if n.verdict == verdict and n.patients is not None),
      key=lambda n: n.patients,
      default=None,
    )
    for verdict in (SUPERIOR, EQUIVALENT)
  )
  return Plan(
    needs=tuple(needs),
    superior=superior,
    equivalent=equivalent,
    curve=_curve(known, superior, equivalent, margin),
    target=target,
  )


def to_dict(plan: Plan, known: Known, margin: float | None) -> dict[str, Any]:
  """All of a plan, ready for JSON: what `report.plan` shows.

  Sizes are {patients, studies, smaller_class}; the last is None without
  classes, and all are where there is no number.
  """

  def sizes(patients):
    if patients is None:
      return dict.fromkeys(('patients', 'studies', 'smaller_class'))
    fewest = known.fewest(patients)
    return {
      'patients': patients,
      'studies': round(known.studies(patients)),
      'smaller_class': None if fewest is None else round(fewest),
    }

  def need(n):
    if n is None:
      return None
    return {
      'arm': n.arm,
      'verdict': n.verdict,
      'gain': n.gain,
      **sizes(n.patients),
      **({'reason': n.reason} if n.reason else {}),
    }

  bounds = plan.needs[0].bounds
  return {
    'metric': known.metric,
    'margin': margin,
    'power': plan.target,
    'reference': known.reference,
    'folds': known.folds,
    'singles': {
      name: {'behind_best': float(b)}
      for name, b in zip(known.singles, known.behind, strict=True)
    },
    'fusions': list(known.fusions),
    'factor': bounds.factor,
    'standard_errors_to_bounds': None
    if bounds.reason
    else {
      'low': float(np.max(bounds.critical_low)),
      'high': float(bounds.critical_high),
      'low90': float(np.max(bounds.critical_low90)),
      'high90': float(bounds.critical_high90),
    },
    'needs': [need(n) for n in plan.needs],
    'superior': need(plan.superior),
    'equivalent': need(plan.equivalent),
    'curve': [
      {
        **sizes(p.patients),
        'superior': p.superior,
        'equivalent': p.equivalent,
      }
      for p in plan.curve
    ],
    'notes': known.notes(plan.superior or plan.equivalent),
  }


def registered(known: Known, margin: float, command: str) -> str:
  """A registration, as TOML, that `registration.load` reads.

  Args:
    known: its metric and arms are fixed.
    margin: of equivalence.
    command: that made it.
  """
  content = {
    'metric': known.metric,
    'margin': margin,
    'estimand': registration.MIN_SINGLE,
    'arms': [*known.singles, *known.fusions],
    'reference': known.reference,
  }
  head = [
    '# Fixed before the test studies were looked at. Publish this file or its',
    '# SHA-256, then run with --registered=FILE.',
    f'# Made by: {" ".join(command.split())}',
  ]
  # Strings and lists of strings are written as in JSON.
  rows = [
    f'{k} = {json.dumps(v, ensure_ascii=False)}' for k, v in content.items()
  ]
  return '\n'.join([*head, *rows]) + '\n'


def _share(bounds, verdict, difference, margin, patients, errors_=None):
  found = power.shares(
    bounds,
    difference=difference,
    # Superior does not depend on it.
    margin=margin or math.inf,
    patients=patients,
    errors=errors_,
  )
  return getattr(found, verdict)


def _need(known, arms, i, verdict, gains, margin, target) -> Need:
  difference = gains[i] + known.behind
  patients, reason = _FIRST, ''
  if verdict == EQUIVALENT and not margin:
    reason = power.NO_MARGIN
  for _ in range(_ROUNDS):
    bounds = arms(gains, patients)[i]
    reason = reason or bounds.reason
    if reason:
      break
    before = patients
    patients = _smallest(bounds, verdict, difference, margin, target)
    if patients is None:
      reason = f'not even {_MOST:,} patients give a power of {target:g}'
      break
    if patients == before:
      break
  return Need(
    arm=known.fusions[i],
    verdict=verdict,
    gain=float(gains[i]),
    patients=None if reason else patients,
    reason=reason,
    bounds=bounds,
  )


def _smallest(bounds, verdict, difference, margin, target) -> int | None:
  """The number of patients from which on the power is reached."""
  drawn = bounds.errors()

  def enough(patients):
    found = _share(bounds, verdict, difference, margin, patients, drawn)
    return found >= target

  # Two at least: of one patient there is no variance.
  low, high = 1, _FIRST
  while not enough(high):
    low, high = high, 2 * high
    if high > _MOST:
      return None
  while high - low > 1:
    middle = (low + high) // 2
    low, high = (low, middle) if enough(middle) else (middle, high)
  return high


def _curve(known, superior, equivalent, margin) -> tuple[Point, ...]:
  needs = [n for n in (superior, equivalent) if n is not None]
  if not needs:
    return ()
  sizes = [n.patients for n in needs]
  grid = np.geomspace(max(10, min(sizes) / 4), 2 * max(sizes), _POINTS)
  # Two digits, and where the power is reached as it is.
  rounded = {int(float(f'{n:.2g}')) for n in grid}
  drawn = [n and n.bounds.errors() for n in (superior, equivalent)]

  def at(need, errors_, n):
    if need is None:
      return None
    difference = need.gain + known.behind
    return _share(need.bounds, need.verdict, difference, margin, n, errors_)

  return tuple(
    Point(n, at(superior, drawn[0], n), at(equivalent, drawn[1], n))
    for n in sorted(rounded | set(sizes))
  )


def _check_question(known, gains, margin, target) -> None:
  if len(gains) != len(known.fusions):
    raise errors.UserError(
      f'gain has {words.counted(len(gains), "value")} for '
      f'{words.counted(len(known.fusions), "fusion arm")}: give one, or one '
      'per arm.'
    )
  if not all(math.isfinite(g) for g in gains) or max(gains) <= 0:
    raise errors.UserError(
      f'gain={",".join(f"{g:g}" for g in gains)}: expected at least one '
      'number above 0.'
    )
  if margin is not None and not 0 < margin < math.inf:
    raise errors.UserError(f'margin={margin:g}: expected a positive number.')
  if not 0 < target < 1:
    raise errors.UserError(
      f'power={target:g}: expected a number between 0 and 1.'
    )
