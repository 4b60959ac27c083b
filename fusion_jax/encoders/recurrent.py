"""Recurrent layers that step over what is not there.

A step that the mask leaves out changes no state, wherever it stands: padding
before, between or after the steps of a study is the same nothing.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import types

Cell = Literal['gru', 'lstm']

_CELLS = {'gru': nn.GRUCell, 'lstm': nn.OptimizedLSTMCell}


def scan(step, cell: nn.Module, carry, steps, mask: jax.Array):
  """States after each of t steps, the carry being kept where there is none.

  Args:
    step: (cell, carry, (b, ...) arrays of a step) -> (carry, (b, c) state).
    cell: the module that `step` calls.
    carry: tree of (b, ...) arrays before the first step.
    steps: tree of (b, t, ...) arrays.
    mask: (b, t) bool, which steps are there.

  Returns:
    (b, t, c) states, 0 where there is no step.
  """

  def masked(cell, carry, item):
    values, here = item
    new, state = step(cell, carry, values)
    carry = jax.tree.map(
      lambda a, b: jnp.where(here[:, None], a, b).astype(b.dtype), new, carry
    )
    return carry, jnp.where(here[:, None], state, 0)

  run = nn.scan(
    masked,
    variable_broadcast='params',
    split_rngs={'params': False},
    in_axes=1,
    out_axes=1,
  )
  return run(cell, carry, (steps, mask))[1]


def last(hidden: types.Hidden) -> jax.Array:
  """(b, c) the last of t steps (b, t, c) that is there; 0 if none is."""
  t = hidden.mask.shape[1]
  at = t - 1 - jnp.argmax(hidden.mask[:, ::-1], axis=1)
  x = jnp.take_along_axis(hidden.x, at[:, None, None], axis=1)[:, 0]
  return jnp.where(hidden.mask.any(axis=1)[:, None], x, 0)


class Layer(nn.Module):
  """States of a recurrent cell, with dropout.

  Attributes:
    cell: 'gru' (Cho et al. 2014, "Learning phrase representations using RNN
      encoder-decoder for statistical machine translation") or 'lstm'
      (Hochreiter and Schmidhuber 1997, "Long short-term memory").
    width: of the states.
    dropout: rate on the states that are passed on, not on those carried.
  """

  cell: Cell
  width: int
  dropout: float = 0.0

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (b, t, c) and a (b, t) mask to (b, t, width)."""
    x = hidden.x
    cell = _CELLS[self.cell](self.width)
    # Zeros, whatever the key.
    carry = cell.initialize_carry(jax.random.key(0), x[:, 0].shape)
    carry = jax.tree.map(lambda c: c.astype(x.dtype), carry)
    x = scan(lambda cell, *args: cell(*args), cell, carry, x, hidden.mask)
    x = nn.Dropout(self.dropout, deterministic=not train)(x)
    return hidden.replace(x=x)
