"""How the values of a numeric column are spread, and which of them are codes.

Registries write 999, -9999, -1 or 0 where a value is not known. Such a code is
told from a measurement by being repeated and by standing apart; a single
outlier is for `plausible` to judge.
"""

import dataclasses
import math
import re

import numpy as np

# Fewer other values than these say nothing about what stands apart.
_FEWEST = 20
# A value as codes are usually written must stand apart from all others by this
# many interquartile ranges, on the scale as it is and on the log scale.
_CODE_GAP = 1.0
_CODE_LOG_GAP = 0.5
# It must also be this many of the smallest steps between the others away.
_STEPS = 2
# Any other value must stand apart by so many ranges, and be repeated so often.
_OTHER_GAP = 5.0
_OTHER_LOG_GAP = 1.5
_OTHER_COUNT = 3
# Zero stands apart where less than this share of the other values, and fewer
# than there are zeros, are below this share of their median or below so many of
# the smallest steps between them (heights and weights, not counts and doses).
_NEAR_ZERO_SHARE = 0.01
_NEAR_ZERO = 0.3
_NEAR_ZERO_STEPS = 5
# A lone negative value among so few levels is a code only if it is rare: -1, 0,
# 1 may be a grade.
_FEW_LEVELS = 5
_RARE = 0.1

_CODE = re.compile(r'9+[678]|7+|8+|9+|(77+|88+|99+)\.(7+|8+|9+)')


@dataclasses.dataclass(frozen=True)
class Distribution:
  """What is known of n values; NaN where none is there.

  Attributes:
    missing: share of the values.
    quantiles: least, lower quartile, median, upper quartile, largest.
    repeated: the least and the largest value with their counts, where they
      occur more than once.
  """

  missing: float
  quantiles: tuple[float, ...]
  repeated: tuple[tuple[float, int], ...]


def describe(values: np.ndarray) -> Distribution:
  """The distribution of (n,) float64 values, NaN where missing."""
  there = values[np.isfinite(values)]
  missing = 1 - len(there) / len(values) if len(values) else math.nan
  if not len(there):
    return Distribution(missing, (math.nan,) * 5, ())
  quantiles = np.quantile(there, (0, 0.25, 0.5, 0.75, 1))
  ends = dict.fromkeys((quantiles[0], quantiles[-1]))
  repeated = [(float(x), int((there == x).sum())) for x in ends]
  return Distribution(
    missing,
    tuple(float(x) for x in quantiles),
    tuple((x, count) for x, count in repeated if count > 1),
  )


HEADER = ('', 'missing', 'least', '25%', '50%', '75%', 'largest', 'repeated')


def row(name: str, values: np.ndarray) -> tuple[str, ...]:
  """A line under HEADER for (n,) float64 values, NaN where missing."""
  found = describe(values)
  repeated = (f'{x:.6g} ({count}x)' for x, count in found.repeated)
  return (
    name,
    f'{found.missing:.1%}',
    *('' if math.isnan(x) else f'{x:.6g}' for x in found.quantiles),
    ', '.join(repeated),
  )


def codes(values: np.ndarray) -> list[tuple[float, int]]:
  """Values that seem to mean 'unknown', and how often each occurs.

  Args:
    values: (n,) float64, NaN where missing.

  Returns:
    Pairs in ascending order; empty where nothing stands apart.
  """
  there = values[np.isfinite(values)]
  levels, counts = np.unique(there, return_counts=True)
  usual = ~np.array([_is_code(x) for x in levels], bool)
  body = np.repeat(levels[usual], counts[usual])
  if len(body) < _FEWEST:
    return []
  found = {}
  body = _without_zero(body, found)
  judged = _negative(levels, counts, body, found)
  _apart(levels, counts, body, judged, found)
  return sorted(found.items())


def _is_code(value: float) -> bool:
  """Whether codes for 'unknown' are usually written like this."""
  if -9 <= value < 0 and value == int(value):
    return True
  return bool(_CODE.fullmatch(f'{abs(value):.10g}'))


def _without_zero(body: np.ndarray, found: dict[float, int]) -> np.ndarray:
  """The values without zeros among values far from zero."""
  rest = body[body != 0]
  zeros = len(body) - len(rest)
  if zeros < 2 or len(rest) < _FEWEST or rest.min() < 0:
    return body
  levels = np.unique(rest)
  if len(levels) < _FEW_LEVELS:
    return body
  steps = _NEAR_ZERO_STEPS * np.diff(levels).min()
  near = int((rest < max(_NEAR_ZERO * np.median(rest), steps)).sum())
  if near >= min(zeros, max(1, _NEAR_ZERO_SHARE * len(rest))):
    return body
  found[0.0] = zeros
  return rest


def _negative(levels, counts, body, found) -> set[float]:
  """Negative codes among values never negative otherwise; what was judged."""
  negative = np.flatnonzero(levels < 0)
  if body.min() < 0 or len(negative) > 2:
    return set()
  few = len(np.unique(body)) < _FEW_LEVELS
  for at in negative:
    if counts[at] < 2 or few and counts[at] > _RARE * counts.sum():
      continue
    found[float(levels[at])] = int(counts[at])
  return {float(x) for x in levels[negative]}


def _apart(levels, counts, body, judged, found) -> None:
  """Values that are repeated and stand apart from all others."""
  for sign in (1, -1):
    spread, middle = _spread(body), float(np.median(body))
    positive = sign > 0 and body.min() > 0
    log_spread = _spread(np.log(body)) if positive else 0.0
    step = np.diff(np.unique(body)).min() if body.min() < body.max() else 0.0
    last = middle
    for at in range(len(levels))[::sign]:
      value, count = float(levels[at]), int(counts[at])
      if sign * (value - middle) <= 0 or value in judged:
        continue
      gap = sign * (value - last) / spread
      log_gap = math.inf
      if positive:
        log_gap = math.log(value / last) / log_spread
      is_code = _is_code(value)
      far = gap >= (_CODE_GAP if is_code else _OTHER_GAP)
      far &= sign * (value - last) > _STEPS * step
      far &= log_gap >= (_CODE_LOG_GAP if is_code else _OTHER_LOG_GAP)
      if not far:
        last = value
      elif count >= (2 if is_code else _OTHER_COUNT):
        found[value] = count


def _spread(x: np.ndarray) -> float:
  """The interquartile range, or where it is 0 a wider one; positive."""
  for low, high in ((0.25, 0.75), (0.05, 0.95), (0, 1)):
    a, b = np.quantile(x, (low, high))
    if b > a:
      return float(b - a)
  return 1.0
