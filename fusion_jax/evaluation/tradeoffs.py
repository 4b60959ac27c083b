"""What performance costs: the arms that no other arm beats on both."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# What an arm may cost; less is better. Names are those of a summary's `cost`.
COSTS = (
  'parameters',
  'flops',
  'training_seconds',
  'latency_seconds',
  'memory_bytes',
)


def front(costs: Sequence[float], values: Sequence[float]) -> np.ndarray:
  """Which of a arms lie on the Pareto front of low cost and high value.

  An arm is on it unless another one costs no more and is worth no less, and
  is better in one of the two. Of equal arms all are.

  Args:
    costs: (a,) lower is better; NaN if unknown.
    values: (a,) higher is better; NaN if unknown.

  Returns:
    (a,) bool; False where something is unknown.
  """
  costs, values = np.asarray(costs, float), np.asarray(values, float)
  known = ~(np.isnan(costs) | np.isnan(values))
  no_worse = (costs[:, None] <= costs) & (values[:, None] >= values)
  better = (costs[:, None] < costs) | (values[:, None] > values)
  beaten = (no_worse & better & known[:, None]).any(axis=0)
  return known & ~beaten


def tradeoffs(
  arms: Mapping[str, Mapping[str, Any]],
  *,
  metric: str,
  higher_is_better: bool,
) -> dict[str, Any]:
  """Cost and performance of every arm, and the fronts.

  Args:
    arms: those of a summary, with `metrics` and `cost`.
    metric: the metric of comparison.
    higher_is_better: of that metric.

  Returns:
    {metric, arms: {arm: {estimate, <cost>..., front: [costs on whose front
    the arm lies]}}}. `training_seconds` are those of the arm and of what it
    builds on, with compilation. A cost nothing is known of is left out.
  """
  sign = 1 if higher_is_better else -1
  names = list(arms)
  values = [_number(arms[a]['metrics'][metric]['estimate']) for a in names]
  found: dict[str, dict[str, Any]] = {}
  for arm, value in zip(names, values, strict=True):
    found[arm] = {'estimate': value}
    if math.isnan(value):
      found[arm]['reason'] = arms[arm]['metrics'][metric]['reason']
  on: dict[str, list[str]] = {a: [] for a in names}
  for cost in COSTS:
    amounts = [_amount(arms[a].get('cost', {}), cost) for a in names]
    if all(map(math.isnan, amounts)):
      continue
    best = front(amounts, [sign * v for v in values])
    for arm, amount, is_best in zip(names, amounts, best, strict=True):
      found[arm][cost] = amount
      if is_best:
        on[arm].append(cost)
  for arm in names:
    found[arm]['front'] = on[arm]
  return {'metric': metric, 'arms': found}


def _number(value) -> float:
  return math.nan if value is None else float(value)


def _amount(cost, name) -> float:
  if name != 'training_seconds':
    return _number(cost.get(name))
  if 'seconds' not in cost:
    return math.nan
  parts = ('seconds', 'compile_seconds', 'upstream_seconds')
  return sum(float(cost.get(part) or 0) for part in parts)
