"""Multi-time attention: rows read at reference times, then a GRU over these.

Shukla and Marlin 2021, "Multi-time attention networks for irregularly sampled
time series", ICLR, section 3.1 (equations 1 to 3) and the encoder of its
classifiers. With time embeddings phi, each head h and code d reads at time r

  x_hd(r) = sum_i k_h(r, t_i) x_i / sum_i k_h(r, t_i) over the rows i of code d,
  k_h(r, t) = exp(phi_h(r) W_h (phi_h(t) V_h)' / sqrt(size of a key)),

and a linear map of all x_hd is the token of r. As in the authors' code, which
codes were measured at all goes in as well. What differs: reference times lie
evenly between a study's first row and its prediction, since series have no
common length here; frequencies start at periods from half an hour to two
months; rows that note a code without a number tell only that it occurred.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.core import arguments, types
from fusion_jax.encoders import protocol, recurrent

# Days.
_SHORTEST, _LONGEST = 1 / 48, 60.0
# Scores further below a reference time's best row count as this much below: a
# code all of whose rows are far keeps a mean of them instead of 0 / 0.
_LOWEST = -60.0


def _frequencies(key, shape):
  del key
  heads, size = shape
  periods = np.geomspace(_LONGEST, _SHORTEST, size - 1)
  # The first place is linear in time, in units of ten days.
  rates = np.concatenate([[0.1], 2 * np.pi / periods])
  return jnp.asarray(np.tile(rates, (heads, 1)), jnp.float32)


class TimeEmbedding(nn.Module):
  """One linear and many periodic functions of time, of each head its own.

  Attributes:
    heads: of the attention.
    size: of an embedding.
  """

  heads: int
  size: int

  @nn.compact
  def __call__(self, time: jax.Array) -> jax.Array:
    """Maps (b, t) days to (b, t, heads, size)."""
    shape = self.heads, self.size
    rate = self.param('rate', _frequencies, shape)
    phase = self.param('phase', nn.initializers.normal(1.0), shape)
    x = time[..., None, None] * rate + phase
    return jnp.concatenate([x[..., :1], jnp.sin(x[..., 1:])], axis=-1)


class MultiTimeAttention(nn.Module):
  """The values of each code, interpolated at reference times.

  Attributes:
    num_codes: numbers q that a code can be.
    heads: of the attention.
    size: of time embeddings and of keys.
  """

  num_codes: int
  heads: int
  size: int

  @nn.compact
  def __call__(self, reference: jax.Array, inputs) -> jax.Array:
    """Maps k times (b, k) and t rows to (b, k, heads, q); 0 without a row."""
    embed = TimeEmbedding(self.heads, self.size)
    init = nn.initializers.lecun_normal(in_axis=1, out_axis=2, batch_axis=0)
    shape = self.heads, self.size, self.size
    query = jnp.einsum(
      'bkhe,hed->bkhd', embed(reference), self.param('query', init, shape)
    )
    key = jnp.einsum(
      'bthe,hed->bthd', embed(inputs['time']), self.param('key', init, shape)
    )
    scores = jnp.einsum('bkhd,bthd->bkht', query, key) / np.sqrt(self.size)
    here = inputs['mask'] & (inputs['valued'] > 0)  # (b, t)
    scores = jnp.where(here[:, None, None], scores, -jnp.inf)
    best = jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True))
    best = jnp.where(jnp.isfinite(best), best, 0)  # Of a study without rows.
    weight = jnp.exp(jnp.maximum(scores - best, _LOWEST))
    weight = jnp.where(here[:, None, None], weight, 0)
    code = jax.nn.one_hot(inputs['code'], self.num_codes, dtype=weight.dtype)
    value = jnp.where(here, inputs['value'], 0)[..., None]
    total = jnp.einsum('bkht,btq->bkhq', weight, code * value)
    whole = jnp.einsum('bkht,btq->bkhq', weight, code)
    return jnp.where(whole > 0, total / jnp.where(whole > 0, whole, 1), 0)


class MTAND(nn.Module):
  """Tokens of reference times, recurrent layers, the last one's state.

  Attributes:
    num_codes: numbers that a code can be.
    width: of the tokens and of the pooled features.
    depth: recurrent layers, each of them a stage.
    heads: of the attention over time.
    size: of time embeddings.
    points: reference times.
    dropout: rate after each layer.
  """

  num_codes: int
  width: int
  depth: int
  heads: int
  size: int
  points: int
  dropout: float

  def setup(self):
    self.attention = MultiTimeAttention(self.num_codes, self.heads, self.size)
    self.tokens = nn.Dense(self.width)
    self.stages = [
      recurrent.Layer('gru', self.width, self.dropout)
      for _ in range(self.depth)
    ]

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps rows (b, t) to hidden (b, points, width)."""
    del train
    mask = inputs['mask']
    first = jnp.where(mask, inputs['time'], 0).min(axis=1, keepdims=True)
    left = jnp.linspace(1.0, 0.0, self.points, dtype=first.dtype)
    x = self.attention(first * left, inputs)
    b, k = x.shape[:2]
    code = jax.nn.one_hot(inputs['code'], self.num_codes, dtype=x.dtype)
    noted = (code * mask[..., None]).max(axis=1)  # (b, q)
    noted = jnp.broadcast_to(noted[:, None], (b, k, self.num_codes))
    x = jnp.concatenate([x.reshape(b, k, -1), noted], axis=-1)
    there = jnp.broadcast_to(mask.any(axis=1)[:, None], (b, k))
    return types.Hidden(self.tokens(x), there)

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose tokens are the states at the reference times."""
    del train
    return types.Features(
      pooled=recurrent.last(hidden), tokens=hidden.x, token_mask=hidden.mask
    )


@protocol.encoders('series').register(
  'mtand', summary='multi-time attention (Shukla and Marlin 2021)'
)
def mtand(
  *,
  num_codes: int,
  width: int = 64,
  depth: int = 1,
  heads: int = 2,
  size: int = 32,
  points: int = 32,
  dropout: float = 0.1,
) -> MTAND:
  """`points` reference times; `size` of time embeddings."""
  arguments.at_least_one(
    'mtand', width=width, depth=depth, heads=heads, size=size, points=points
  )
  arguments.rate('mtand', dropout=dropout)
  return MTAND(num_codes, width, depth, heads, size, points, dropout)
