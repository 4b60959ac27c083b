"""The layers of encoders, told apart by the paths of their parameters.

An encoder has what comes before its stages, the stages, and what comes after
them; how images of a study are pooled is no layer of a published network.
"""

import dataclasses
import re
from collections.abc import Sequence

from fusion_jax.core import errors

_STAGE = re.compile(r'(encoders_([^/]+)/(?:[^/]+/)*?)stages_(\d+)/')
_LAST, _POOL = 'last', 'pool'


@dataclasses.dataclass(frozen=True)
class Layers:
  """Expressions of the paths of one encoder's parameters, by layer.

  Attributes:
    first: what comes before the stages; empty if there is nothing.
    stages: in order.
    last: what comes after them; empty if there is nothing.
  """

  first: tuple[str, ...]
  stages: tuple[str, ...]
  last: tuple[str, ...]


def of_encoders(paths: Sequence[str], of: Sequence[str]) -> list[Layers]:
  """The layers of the encoders that have stages.

  Args:
    paths: of all parameters of a model.
    of: the modalities wanted, all if empty.
  """
  depths: dict[str, int] = {}
  for path in paths:
    match = _STAGE.match(path)
    if match and (not of or match[2] in of):
      depths[match[1]] = max(depths.get(match[1], 0), int(match[3]) + 1)
  found = []
  for start, depth in depths.items():
    start = f'^{re.escape(start)}'
    parts = (
      rf'{start}(?!(?:stages_\d+|{_LAST}|{_POOL})/)',
      *(f'{start}stages_{k}/' for k in range(depth)),
      f'{start}{_LAST}/',
    )
    # A stage, or what is around them, may have no parameters.
    first, *stages, last = (
      (x,) if any(map(re.compile(x).search, paths)) else () for x in parts
    )
    found.append(Layers(first, tuple(x for s in stages for x in s), last))
  return found


def check(method: str, of: Sequence[str], modalities: Sequence[str]) -> None:
  """Checks the modalities that a method is for.

  Raises:
    UserError: for one that the model does not have.
  """
  for name in of:
    if name not in modalities:
      raise errors.unknown_name(
        'modality', name, modalities, where=f'{method}(of=...)'
      )
