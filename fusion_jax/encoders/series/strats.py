"""STraTS: a transformer over triplets of code, value and time.

Tipirneni and Reddy 2022, "Self-supervised transformer for sparse and
irregularly sampled multivariate clinical time-series", ACM TKDD 16(6), section
3.2. A row of code f, value v and time t is the sum of three embeddings of width
d,

  e = F[f] + U_v tanh(w_v v + b_v) + U_t tanh(w_t t + b_t),

the last two being continuous value embeddings, networks of one hidden layer of
sqrt(d) neurons that all codes share. Blocks of a transformer make contexts c_i
of the rows, and fusion self-attention joins them,

  a = softmax over i of u'tanh(W c_i + b), z = sum_i a_i c_i.

What differs: rows without a number, which the paper's data have not, have no
value embedding; t is log(1 + hours before the prediction) less 2 rather than
time standardised, since series have no common length here; blocks are
normalised before their layers instead of after (encoders/attention.py); and the
forecasting of the paper's pretraining is not here.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import attention, protocol

# About the middle of the logarithms of hours from 0 to 48 and to some weeks.
_MIDDLE = 2.0
# Finite, so that a study without any row has weights of 0 and not NaN.
_ABSENT = -1e9


class Continuous(nn.Module):
  """The continuous value embedding.

  Attributes:
    width: d.
  """

  width: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps (b, t) to (b, t, d)."""
    inner = nn.Dense(math.isqrt(self.width), name='inner')(x[..., None])
    return nn.Dense(self.width, use_bias=False, name='outer')(jnp.tanh(inner))


class Triplets(nn.Module):
  """The sum of the embeddings of code, value and time.

  Attributes:
    num_codes: numbers that a code can be.
    width: d.
  """

  num_codes: int
  width: int

  @nn.compact
  def __call__(self, inputs) -> jax.Array:
    """Maps time, code, value and valued (b, t) to (b, t, d)."""
    code = nn.Embed(self.num_codes, self.width, name='code')(inputs['code'])
    number = Continuous(self.width, name='value')(inputs['value'])
    number = jnp.where(inputs['valued'][..., None] > 0, number, 0)
    hours = -24 * inputs['time']
    time = Continuous(self.width, name='time')(jnp.log1p(hours) - _MIDDLE)
    return code + number + time


class Fusion(nn.Module):
  """Fusion self-attention: one vector of the rows that are there."""

  @nn.compact
  def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
    """Maps (b, t, d) and a (b, t) mask to (b, d); 0 where no row is."""
    x = jnp.where(mask[..., None], x, 0)
    inner = jnp.tanh(nn.Dense(x.shape[-1], name='inner')(x))
    scores = nn.Dense(1, use_bias=False, name='score')(inner)[..., 0]
    weight = jax.nn.softmax(jnp.where(mask, scores, _ABSENT), axis=1)
    return jnp.einsum('bt,btd->bd', jnp.where(mask, weight, 0), x)


class STraTS(nn.Module):
  """Triplets, blocks, fusion self-attention.

  Attributes:
    num_codes: numbers that a code can be.
    width: of the tokens and of the pooled features.
    depth: blocks.
    heads: of each block's attention.
    dropout: rate.
  """

  num_codes: int
  width: int
  depth: int
  heads: int
  dropout: float

  def setup(self):
    self.triplets = Triplets(self.num_codes, self.width)
    self.stages = [
      attention.Block(self.heads, 2, self.dropout) for _ in range(self.depth)
    ]
    self.last = nn.LayerNorm()
    self.fusion = Fusion()

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps rows (b, t) to hidden (b, t, width)."""
    del train
    return types.Hidden(self.triplets(inputs), inputs['mask'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose tokens are the contexts of rows."""
    del train
    x = self.last(hidden.x)
    pooled = self.fusion(x, hidden.mask)
    return types.Features(pooled=pooled, tokens=x, token_mask=hidden.mask)


@protocol.encoders('series').register(
  'strats', summary='transformer over triplets (STraTS, Tipirneni 2022)'
)
def strats(
  *,
  num_codes: int,
  width: int = 64,
  depth: int = 2,
  heads: int = 4,
  dropout: float = 0.2,
) -> STraTS:
  """Two blocks of four heads, as in the paper, whose width is 50.

  `width` is a multiple of `heads`.
  """
  arguments.attention('strats', width=width, heads=heads)
  arguments.at_least_one('strats', depth=depth)
  arguments.rate('strats', dropout=dropout)
  return STraTS(num_codes, width, depth, heads, dropout)
