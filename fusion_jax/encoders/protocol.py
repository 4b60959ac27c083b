"""What every encoder offers, and the registries of those that exist."""

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import Protocol

import jax

from fusion_jax.core import errors, registry, types


@functools.cache
def encoders(kind: str) -> registry.Registry:
  """The encoders of a kind of modality.

  Those of the library have a folder for each kind. A kind of another package
  may have none there: its encoders register themselves.
  """
  package = f'{__package__}.{kind}'
  known = importlib.util.find_spec(package) is not None
  return registry.Registry(f'{kind} encoder', package=package if known else '')


def default(kind: str) -> str:
  """The encoder of a kind that arms have where none is named.

  Raises:
    UserError: if none is registered as that.
  """
  known = encoders(kind)
  for name in known.names():
    if known.get(name).claims.get('default'):
      return name
  raise errors.UserError(
    f"No encoder of the kind '{kind}' is registered with default=True; known: "
    f'{", ".join(known.names()) or "none"}.'
  )


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
