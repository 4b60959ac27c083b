"""Holds some parameters back at first.

With encoders that were trained before, a new head sends large gradients that
undo them; trained alone at first, it does not (Kumar et al. 2022, "Fine-tuning
can distort pretrained features and underperform out-of-distribution", ICLR).
"""

import dataclasses

from fusion_jax.core import errors
from fusion_jax.training import optimizers, protocol


@dataclasses.dataclass(frozen=True)
class FrozenThenAll(protocol.Method):
  """Two phases: without some parameters, then with all.

  Attributes:
    frozen: regular expression of their paths.
    share: fraction of all steps that the first phase takes.
  """

  frozen: str
  share: float

  def phases(self):
    """The first phase; what is configured holds after it."""
    return (protocol.Phase(self.share, (f'{self.frozen}:0',)),)


@protocol.METHODS.register(
  'frozen_then_all', summary='leaves encoders as they are at first'
)
def frozen_then_all(
  *, frozen: str = '^encoders_', share: float = 0.2
) -> FrozenThenAll:
  """`frozen` is found in paths of parameters; `share` is of the steps."""
  if not 0 <= share <= 1:
    raise errors.UserError(
      f'frozen_then_all(share={share:g}): expected a number from 0 to 1.'
    )
  optimizers.parse_groups([f'{frozen}:0'])
  return FrozenThenAll(frozen, share)
