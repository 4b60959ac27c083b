"""A GRU or LSTM over the rows of a series, one step a row.

Rows are embedded as in transformer.py and told the time since the row before,
as the durations between visits in Choi et al. 2016, "Doctor AI: predicting
clinical events via recurrent neural networks", section 3. What differs: rows
carry values, and steps are rows rather than visits, so that nothing is put on a
grid or filled in.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import protocol, recurrent
from fusion_jax.encoders.series import transformer

_HOURS = 24.0


def gaps(time: jax.Array, mask: jax.Array) -> jax.Array:
  """(b, t) hours since the row before, 0 for a study's first row.

  Args:
    time: (b, t) days.
    mask: (b, t) bool, which rows are there.
  """
  follows = mask[:, 1:] & mask[:, :-1]
  gap = jnp.where(follows, _HOURS * jnp.diff(time, axis=1), 0)
  return jnp.pad(gap, ((0, 0), (1, 0)))


class Recurrent(nn.Module):
  """Embedded rows, recurrent layers, the last row's state.

  Attributes:
    num_codes: numbers that a code can be.
    cell: of the layers.
    width: of the tokens and of the pooled features.
    depth: layers, each of them a stage.
    dropout: rate after each layer.
  """

  num_codes: int
  cell: recurrent.Cell
  width: int
  depth: int
  dropout: float

  def setup(self):
    self.rows = transformer.Rows(self.num_codes, self.width)
    self.gap = nn.Dense(self.width, use_bias=False)
    self.stages = [
      recurrent.Layer(self.cell, self.width, self.dropout)
      for _ in range(self.depth)
    ]

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps rows (b, t) to hidden (b, t, width)."""
    del train
    gap = jnp.log1p(gaps(inputs['time'], inputs['mask']))[..., None]
    return types.Hidden(self.rows(inputs) + self.gap(gap), inputs['mask'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose tokens are the states after each row."""
    del train
    return types.Features(
      pooled=recurrent.last(hidden), tokens=hidden.x, token_mask=hidden.mask
    )


@protocol.encoders('series').register(
  'recurrent', summary='GRU or LSTM over rows, with the time between them'
)
def recurrent_net(
  *,
  num_codes: int,
  cell: recurrent.Cell = 'gru',
  width: int = 64,
  depth: int = 1,
  dropout: float = 0.1,
) -> Recurrent:
  """`cell` is gru or lstm."""
  arguments.at_least_one('recurrent', width=width, depth=depth)
  arguments.rate('recurrent', dropout=dropout)
  return Recurrent(num_codes, cell, width, depth, dropout)
