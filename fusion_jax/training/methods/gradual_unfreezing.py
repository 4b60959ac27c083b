"""Lets the layers of encoders go one after the other, from the last on.

Howard and Ruder 2018, "Universal language model fine-tuning for text
classification", ACL, section 3.3: first the head alone is trained, then the
last layer of the encoder with it, then the one before, until all are.

What differs: phases are shares of all steps, not epochs; a stage is a layer,
and what comes after the stages goes with the last one. Batch statistics move in
all phases, unless `groups` freezes the whole encoder.
"""

import dataclasses
from collections.abc import Sequence

from fusion_jax.core import errors
from fusion_jax.training import encoder_layers, protocol


@dataclasses.dataclass(frozen=True)
class GradualUnfreezing(protocol.Method):
  """One phase for each layer of the deepest encoder.

  Attributes:
    share: fraction of all steps after which everything learns.
    of: modalities whose encoders it is for; all if empty.
  """

  share: float
  of: tuple[str, ...]

  def phases_of(self, paths):
    """In each, what is still held back."""
    orders = []
    for layers in encoder_layers.of_encoders(paths, self.of):
      order = [*((x,) for x in layers.first), *((x,) for x in layers.stages)]
      order[-1] = (*order[-1], *layers.last)
      orders.append(order)
    count = max(map(len, orders), default=0)
    found = []
    for free in range(count):
      groups = tuple(
        f'{pattern}:0'
        for order in orders
        for layer in order[: max(0, len(order) - free)]
        for pattern in layer
      )
      found.append(protocol.Phase(self.share * (free + 1) / count, groups))
    return tuple(found)


@protocol.METHODS.register(
  'gradual_unfreezing',
  summary='lets layers of encoders go one by one, from the last on',
)
def gradual_unfreezing(
  *, modalities: Sequence[str], share: float = 0.5, of: tuple[str, ...] = ()
) -> GradualUnfreezing:
  """`share` is of the steps; `of` are modalities, all if empty.

  Encoders without stages learn from the first step on.
  """
  if not 0 <= share <= 1:
    raise errors.UserError(
      f'gradual_unfreezing(share={share:g}): expected a number from 0 to 1.'
    )
  encoder_layers.check('gradual_unfreezing', of, modalities)
  return GradualUnfreezing(share, of)
