"""What every encoder offers, and the registries of those that exist."""

from collections.abc import Callable, Sequence
from typing import Protocol

import jax

from fusion_jax.core import registry, types

# By kind of modality.
ENCODERS = {
  kind: registry.Registry(
    f'{kind} encoder', package=f'fusion_jax.encoders.{kind}'
  )
  for kind in ('image', 'volume', 'table', 'series', 'vector')
}
IMAGE, VOLUME, TABLE, SERIES, VECTOR = ENCODERS.values()


class Encoder(Protocol):
  """A linen module that turns one modality's inputs into features.

  The fusion model runs `stem`, then the stages one by one (so that exchanges
  between modalities can be placed after any of them), then `readout`.

  Attributes:
    stages: (hidden, train) -> hidden, in order; may be empty.
  """

  stages: Sequence[Callable[..., types.Hidden]]

  def stem(self, inputs: dict[str, jax.Array], *, train: bool) -> types.Hidden:
    """First hidden state of a batch of inputs.

    Args:
      inputs: of the modality, zero where a study lacks it, and 'present' (b,)
        bool, which says where. What is computed over studies, as by batch
        normalisation, leaves the others out.
      train: whether dropout and the like are on.
    """

  def readout(self, hidden: types.Hidden, *, train: bool) -> types.Features:
    """Pooled (b, c) vectors and (b, t, c) tokens of the last hidden state."""
