"""Learning rates that fall from the last layer of an encoder to the first.

Howard and Ruder 2018, "Universal language model fine-tuning for text
classification", ACL, section 3.1 (a rate for each layer); as powers of one
factor in Bao et al. 2022, "BEiT: BERT pre-training of image transformers",
ICLR, with which vision transformers are fine-tuned since. The last stage learns
at `decay` of the rate of the head, the one before at its square, and so on;
what comes before the stages is one layer more, what comes after them learns
like the head.

What differs: a stage of a network of convolutions is one layer, whatever blocks
it has.
"""

import dataclasses
from collections.abc import Sequence

from fusion_jax.core import errors
from fusion_jax.training import encoder_layers, protocol


@dataclasses.dataclass(frozen=True)
class LayerRates(protocol.Method):
  """One phase, in which every layer has a rate.

  Attributes:
    decay: factor from a layer to the one before it.
    of: modalities whose encoders it is for; all if empty.
  """

  decay: float
  of: tuple[str, ...]

  def phases_of(self, paths):
    """All of training."""
    groups = []
    for layers in encoder_layers.of_encoders(paths, self.of):
      order = (*layers.first, *layers.stages)
      groups += [
        f'{pattern}:{self.decay ** (len(order) - k):g}'
        for k, pattern in enumerate(order)
      ]
    return (protocol.Phase(1.0, tuple(groups)),) if groups else ()


@protocol.METHODS.register(
  'layer_rates', summary='lower rates for the earlier layers of encoders'
)
def layer_rates(
  *, modalities: Sequence[str], decay: float = 0.75, of: tuple[str, ...] = ()
) -> LayerRates:
  """`decay` is from layer to layer; `of` are modalities, all if empty.

  Encoders without stages learn at the full rate.
  """
  if not 0 < decay <= 1:
    raise errors.UserError(
      f'layer_rates(decay={decay:g}): expected a number above 0, at most 1.'
    )
  encoder_layers.check('layer_rates', of, modalities)
  return LayerRates(decay, of)
