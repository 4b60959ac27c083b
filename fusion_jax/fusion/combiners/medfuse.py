"""An LSTM over one token a modality.

Hayat et al. 2022, "MedFuse: multi-modal fusion with clinical time-series data
and chest X-ray images", MLHC, section 3.2: the modalities' vectors are the
steps of a sequence, the record first and the projected image second; where
there is no image the sequence is one step shorter. The last hidden state goes
into a linear layer.

What differs: any number of modalities, each of which is projected, since none
is always there; encoders are not trained before by this part (the training
method `unimodal_first` or `init` can do that).
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import errors
from fusion_jax.fusion import checks, protocol
from fusion_jax.fusion import tokens as tokens_lib


def steps(order: Sequence[str], names: Sequence[str]) -> list[str]:
  """`names` with those of `order` first.

  Raises:
    UserError: for a name in `order` that no modality has, or twice.
  """
  checks.modalities('medfuse(order=...)', order, names)
  if len(set(order)) < len(order):
    raise errors.UserError(
      f'medfuse(order=({",".join(order)})): a modality comes once.'
    )
  return [*order, *(m for m in sorted(names) if m not in order)]


class MedFuse(nn.Module):
  """The last state of an LSTM that reads a study's modalities.

  Attributes:
    num_outputs: number s of logits.
    width: of tokens and states.
    order: modalities that are read first, in order; the others follow.
    dropout: rate on the last state.
  """

  num_outputs: int
  width: int = 64
  order: tuple[str, ...] = ()
  dropout: float = 0.0

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out); out['state'] (b, width), the last one.

    Raises:
      UserError: see `steps`.
    """
    x, here = tokens_lib.Pooled(self.width, name='embed')(features, present)
    names = sorted(features)
    cell = nn.OptimizedLSTMCell(self.width, name='cell')
    carry = (jnp.zeros_like(x[:, 0]),) * 2
    for m in steps(self.order, names):
      k = names.index(m)
      after, _ = cell(carry, x[:, k])
      carry = tuple(
        jnp.where(here[:, k, None], new.astype(old.dtype), old)
        for new, old in zip(after, carry, strict=True)
      )
    state = carry[1]
    y = nn.Dropout(self.dropout, deterministic=not train)(state)
    return nn.Dense(self.num_outputs, name='head')(y), {'state': state}


@protocol.COMBINERS.register(
  'medfuse',
  summary='LSTM over modalities (MedFuse, Hayat 2022)',
  interactions=True,
  missing=True,
)
def medfuse(
  *,
  num_outputs: int,
  width: int = 64,
  order: tuple[str, ...] = (),
  dropout: float = 0.0,
) -> MedFuse:
  """`order` names modalities read first, as `(labs,cxr)`; sorted otherwise."""
  checks.at_least_one('medfuse', width=width)
  checks.rate('medfuse', dropout=dropout)
  return MedFuse(num_outputs, width, order, dropout)
