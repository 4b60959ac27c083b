"""What performance costs: the arms that no other arm beats on both."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_UNTOLD = 'the predictions came without costs'
_UNMEASURED = 'only ablate --footprint measures it'
# What an arm may cost; less is better. Names are those of a summary's `cost`;
# beside them, why one is unknown where `cost` does not say.
COSTS = {
  'parameters': _UNTOLD,
  'flops': _UNMEASURED,
  'training_seconds': _UNTOLD,
  'latency_seconds': _UNMEASURED,
  'memory_bytes': _UNMEASURED,
}
_NOTE = (
  "Operations and latency are of one study's prediction by one fold's model, "
  'from the decoded image and the standardised record on; reading and decoding '
  'files, imputing and standardising are left out. Operations leave out the '
  'area means and histogram of reduced pixels as well, which the latency '
  'includes. Networks ran on the device that `run` names, everything else on '
  'its processor.'
)
# What holds the quartiles of a cost that varies from one time to the next.
_RANGES = {'latency_seconds': 'latency_iqr_seconds'}


def front(
  costs: Sequence[float],
  values: Sequence[float],
  ranges: Sequence[Sequence[float]] | None = None,
) -> np.ndarray:
  """Which of a arms lie on the Pareto front of low cost and high value.

  An arm is on it unless another one costs no more and is worth no less, and
  is better in one of the two. Of equal arms all are. Costs whose ranges
  overlap are taken as equal. Arms never beat each other in a circle: some arm
  is on the front.

  Args:
    costs: (a,) lower is better; NaN if unknown.
    values: (a,) higher is better; NaN if unknown.
    ranges: (a, 2) lowest and highest value of each cost that chance alone
      explains; the costs themselves if not given.

  Returns:
    (a,) bool; False where something is unknown.
  """
  costs, values = np.asarray(costs, float), np.asarray(values, float)
  known = ~(np.isnan(costs) | np.isnan(values))
  low, high = (
    (costs, costs) if ranges is None else np.reshape(ranges, (-1, 2)).T
  )
  no_worse = (low[:, None] <= high) & (values[:, None] >= values)
  better = (high[:, None] < low) | (values[:, None] > values)
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
    {metric, note, arms: {arm: {estimate, <cost>..., front: [costs on whose
    front the arm lies]}}}, a null cost with its `<cost>_reason`, and
    `latency_iqr_seconds` where known. `training_seconds` are those of the arm
    and of what it builds on, with compilation. `note`, where a latency is
    known, says what was measured.
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
  given = [arms[a].get('cost', {}) for a in names]
  for cost, untold in COSTS.items():
    amounts = [_amount(x, cost) for x in given]
    quartiles = _RANGES.get(cost, '')
    ranges = [
      x.get(quartiles, (amount, amount))
      for x, amount in zip(given, amounts, strict=True)
    ]
    best = front(amounts, [sign * v for v in values], ranges)
    for k, arm in enumerate(names):
      found[arm][cost] = amounts[k]
      if math.isnan(amounts[k]):
        reason = f'{cost}_reason'
        found[arm][reason] = given[k].get(reason, untold)
      if quartiles in given[k]:
        found[arm][quartiles] = given[k][quartiles]
      if best[k]:
        on[arm].append(cost)
  for arm in names:
    found[arm]['front'] = on[arm]
  measured = any(x.get('latency_seconds') is not None for x in given)
  return {
    'metric': metric,
    **({'note': _NOTE} if measured else {}),
    'arms': found,
  }


def _number(value) -> float:
  return math.nan if value is None else float(value)


def _amount(cost, name) -> float:
  if name != 'training_seconds':
    return _number(cost.get(name))
  if 'seconds' not in cost:
    return math.nan
  parts = ('seconds', 'compile_seconds', 'upstream_seconds')
  return sum(float(cost.get(part) or 0) for part in parts)
