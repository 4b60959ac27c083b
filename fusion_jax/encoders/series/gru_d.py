"""GRU-D: a GRU whose inputs and state decay while nothing is measured.

Che et al. 2018, "Recurrent neural networks for multivariate time series with
missing values", Scientific Reports 8, 6085, section "GRU-D" (equations 3 to 6
of arXiv:1606.01865v2). With d the time since a code was last measured and m
whether it is measured in a step,

  gamma = exp(-max(0, W d + b)), W diagonal for inputs and full for the state,
  x = m x + (1 - m) (gamma_x x_last + (1 - gamma_x) mean), the mean 0 here,
  h = gamma_h h, and then a GRU that is also shown m.

Steps are the times at which anything was measured, so that only the time
between them counts. What differs: rows that note a code without a number, which
the paper's data have not, count in m and d and leave x as it was.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import protocol, recurrent


def steps(inputs, num_codes: int) -> dict[str, jax.Array]:
  """Rows, sorted by time, as up to t steps of all codes.

  Args:
    inputs: the rows of b studies (data/kinds/series.py).
    num_codes: numbers that a code can be, q.

  Returns:
    'x' (b, t, q) values, 0 where none, several of one time being averaged;
    'noted' and 'valued' (b, t, q) bool, whether there is a row and a number;
    'time' (b, t) days; 'mask' (b, t) bool, true for the first steps.
  """
  mask, time = inputs['mask'], inputs['time']
  goes_on = mask[:, 1:] & mask[:, :-1] & (time[:, 1:] == time[:, :-1])
  new = mask & ~jnp.pad(goes_on, ((0, 0), (1, 0)))
  step = jnp.maximum(jnp.cumsum(new, axis=1) - 1, 0)  # (b, t)
  study = jnp.arange(len(mask))[:, None]
  valued = inputs['valued'] * mask

  def by_code(x):
    grid = jnp.zeros((*mask.shape, num_codes), x.dtype)
    return grid.at[study, step, inputs['code']].add(x)

  numbers = by_code(valued)
  count = new.sum(axis=1, keepdims=True)
  return {
    'x': by_code(jnp.where(valued > 0, inputs['value'], 0))
    / jnp.maximum(numbers, 1),
    'noted': by_code(mask.astype(jnp.int32)) > 0,
    'valued': numbers > 0,
    'time': jnp.zeros_like(time).at[study, step].add(time * new),
    'mask': jnp.arange(mask.shape[1]) < count,
  }


def _latest(seen: jax.Array) -> jax.Array:
  """(b, t, q) the last step up to each in which a code was seen, or -1."""
  at = jnp.where(seen, jnp.arange(seen.shape[1])[None, :, None], -1)
  return jax.lax.cummax(at, axis=1)


def held(x: jax.Array, valued: jax.Array) -> jax.Array:
  """(b, t, q) the last value up to each step; 0 before the first."""
  at = _latest(valued)
  return jnp.where(
    at >= 0, jnp.take_along_axis(x, jnp.maximum(at, 0), axis=1), 0
  )


def since(time: jax.Array, noted: jax.Array) -> jax.Array:
  """(b, t, q) time since a code was last seen before each step.

  Of codes not seen yet it is the time since the first step.
  """
  before = jnp.pad(
    _latest(noted)[:, :-1], ((0, 0), (1, 0), (0, 0)), constant_values=-1
  )
  b, t, q = noted.shape
  times = jnp.broadcast_to(time[..., None], (b, t, q))
  return times - jnp.take_along_axis(times, jnp.maximum(before, 0), axis=1)


class InputDecay(nn.Module):
  """exp(-max(0, w d + b)) of each code by itself."""

  @nn.compact
  def __call__(self, since: jax.Array) -> jax.Array:
    """Maps (b, t, q) to (b, t, q) between 0 and 1."""
    q = since.shape[-1]
    rate = self.param('rate', nn.initializers.uniform(1.0), (q,))
    bias = self.param('bias', nn.initializers.zeros, (q,))
    return jnp.exp(-nn.relu(rate * since + bias))


class Cell(nn.Module):
  """A GRU whose state decays before each step.

  Attributes:
    width: of the state.
  """

  width: int

  @nn.compact
  def __call__(self, h: jax.Array, step) -> tuple[jax.Array, jax.Array]:
    """The (b, width) state after a step, twice.

    Args:
      h: the (b, width) state before.
      step: (b, 3 width) what the inputs add to the update gate, the reset gate
        and the candidate; (b, width) decay.
    """
    given, decay = step
    update, reset, candidate = jnp.split(given, 3, axis=-1)
    h = decay * h
    gates = nn.Dense(2 * self.width, use_bias=False, name='gates')(h)
    z, r = jnp.split(gates, 2, axis=-1)
    z, r = nn.sigmoid(z + update), nn.sigmoid(r + reset)
    inner = nn.Dense(self.width, use_bias=False, name='candidate')(r * h)
    h = (1 - z) * h + z * jnp.tanh(inner + candidate)
    return h, h


class GRUD(nn.Module):
  """States after each time of measurement; pooled is the last one.

  Attributes:
    num_codes: numbers that a code can be.
    width: of the state.
    dropout: rate on the states that are read, not on those carried.
  """

  num_codes: int
  width: int
  dropout: float
  stages = ()

  def setup(self):
    self.input_decay = InputDecay()
    self.state_decay = nn.Dense(self.width)
    self.inputs = nn.Dense(3 * self.width)
    self.cell = Cell(self.width)
    self.drop = nn.Dropout(self.dropout)

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps rows (b, t) to the states (b, t, width) after up to t steps."""
    made = steps(inputs, self.num_codes)
    mask, x = made['mask'], made['x']
    noted, valued = (made[k] & mask[..., None] for k in ('noted', 'valued'))
    gap = jnp.where(mask[..., None], since(made['time'], noted), 0)
    x = jnp.where(valued, x, self.input_decay(gap) * held(x, valued))
    decay = jnp.exp(-nn.relu(self.state_decay(gap)))
    given = self.inputs(jnp.concatenate([x, noted.astype(x.dtype)], axis=-1))
    start = jnp.zeros((len(mask), self.width), given.dtype)
    states = recurrent.scan(
      lambda cell, h, step: cell(h, step),
      self.cell,
      start,
      (given, decay),
      mask,
    )
    return types.Hidden(self.drop(states, deterministic=not train), mask)

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose tokens are the states."""
    del train
    return types.Features(
      pooled=recurrent.last(hidden), tokens=hidden.x, token_mask=hidden.mask
    )


@protocol.encoders('series').register(
  'gru_d', summary='GRU with decay between measurements (Che et al. 2018)'
)
def gru_d(*, num_codes: int, width: int = 64, dropout: float = 0.1) -> GRUD:
  """For numbers of many codes at irregular times."""
  arguments.at_least_one('gru_d', width=width)
  arguments.rate('gru_d', dropout=dropout)
  return GRUD(num_codes, width, dropout)
