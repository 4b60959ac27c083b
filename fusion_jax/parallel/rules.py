"""Which parameters are cut over devices, and where, by rules on their paths.

Fully sharded data parallelism (Rajbhandari et al. 2020, "ZeRO"): devices that
share a batch also share the parameters, each keeping a part of every large
array, of its moving average and of the optimizer's moments. XLA gathers an
array where it is used and scatters its gradient.
"""

import re
from collections.abc import Sequence
from typing import Any

import jax

from fusion_jax.core import errors

P = jax.sharding.PartitionSpec

FSDP = 'fsdp'
# Which dimension of an array is cut.
CUTS = ('largest', 'first', 'last', 'none')
# Of smaller ones, gathering costs more than keeping them saves.
_LEAST_ELEMENTS = 256


def parse(rules: Sequence[str]) -> list[tuple[re.Pattern, str]]:
  """(pattern, cut) of texts REGEX:CUT.

  Raises:
    UserError: naming the one that is malformed.
  """
  found = []
  for rule in rules:
    pattern, _, cut = rule.rpartition(':')
    try:
      compiled = re.compile(pattern)
    except re.error:
      compiled = None
    if not pattern or compiled is None or cut not in CUTS:
      raise errors.UserError(
        f"parallel.rules: '{errors.brief(rule)}' is no rule such as "
        "'kernel$:largest', a regular expression of parameters' paths and "
        f'what is cut of them: {", ".join(CUTS)}.'
      )
    found.append((compiled, cut))
  return found


def spec_of(
  path: str,
  shape: Sequence[int],
  rules: Sequence[tuple[re.Pattern, str]],
  *,
  size: int,
  stacked: bool,
) -> jax.sharding.PartitionSpec:
  """How an array is cut over `size` devices of the axis FSDP.

  Args:
    path: of the array.
    shape: of the array.
    rules: of which the first that is found in the path counts.
    size: devices of the axis.
    stacked: whether the first dimension counts members of a fleet, which is
      not to be cut.
  """
  cut = next((c for p, c in rules if p.search(path)), 'none')
  own = tuple(shape[1:] if stacked else shape)
  elements = 1
  for n in own:
    elements *= n
  if cut == 'none' or elements < _LEAST_ELEMENTS:
    return P()
  fitting = [d for d, n in enumerate(own) if n % size == 0]
  if cut == 'first':
    fitting = [d for d in fitting if d == 0]
  elif cut == 'last':
    fitting = [d for d in fitting if d == len(own) - 1]
  if not fitting:
    return P()
  dimension = max(fitting, key=lambda d: own[d]) + stacked
  return P(*(None,) * dimension, FSDP)


def path_of(keys: Sequence[Any]) -> str:
  """The path of a leaf as rules see it, such as 'combiner/head/kernel'."""
  return '/'.join(
    str(getattr(k, 'key', getattr(k, 'name', getattr(k, 'idx', k))))
    for k in keys
  )
