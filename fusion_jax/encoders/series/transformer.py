"""A transformer over the rows of a series, one token a row.

A row is embedded as the sum of its code, value and time, so that nothing is put
on a grid or filled in; the idea is that of Tipirneni and Reddy 2022
(`strats`). Here each code has a direction of its own for its values, times are
embedded in sines as well, and rows are pooled by their mean.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import attention, protocol

# Periods of the sines of a row's time, from half an hour to about two months.
_PERIODS = tuple(2.0**k / 48 for k in range(12))


def times(time: jax.Array) -> jax.Array:
  """(..., 26) features of times in days before the prediction, negative."""
  age = -time[..., None]
  angle = 2 * jnp.pi * age / jnp.asarray(_PERIODS)
  return jnp.concatenate(
    [jnp.log1p(24 * age), jnp.sqrt(age), jnp.sin(angle), jnp.cos(angle)], -1
  )


class Rows(nn.Module):
  """The sum of a row's code, value and time.

  Attributes:
    num_codes: numbers that a code can be.
    width: of the tokens.
  """

  num_codes: int
  width: int

  @nn.compact
  def __call__(self, inputs) -> jax.Array:
    """Maps time, code, value and valued (b, t) to (b, t, width)."""
    code = nn.Embed(
      self.num_codes, self.width, embedding_init=nn.initializers.normal(0.3)
    )(inputs['code'])
    value, valued = inputs['value'], inputs['valued']
    # What a value means depends on its code.
    scale = nn.Embed(
      self.num_codes, self.width, embedding_init=nn.initializers.normal(0.3)
    )(inputs['code'])
    number = scale * (value * valued)[..., None]
    number += nn.Dense(self.width)(jnp.stack([value * valued, valued], -1))
    return code + number + nn.Dense(self.width)(times(inputs['time']))


class Transformer(nn.Module):
  """Embedded rows, blocks, mean over rows.

  Attributes:
    num_codes: numbers that a code can be.
    width: of the tokens and of the pooled features.
    depth: blocks.
    heads: of each block's attention.
    dropout: rate.
  """

  num_codes: int
  width: int = 64
  depth: int = 2
  heads: int = 4
  dropout: float = 0.1

  def setup(self):
    self.rows = Rows(self.num_codes, self.width)
    self.stages = [
      attention.Block(self.heads, 2, self.dropout) for _ in range(self.depth)
    ]
    self.last = nn.LayerNorm()

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps rows (b, t) to hidden (b, t, width)."""
    del train
    return types.Hidden(self.rows(inputs), inputs['mask'])

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose pooled vector is the mean over a study's rows."""
    del train
    hidden = hidden.replace(x=self.last(hidden.x))
    return types.Features(
      pooled=hidden.pooled(), tokens=hidden.x, token_mask=hidden.mask
    )


@protocol.encoders('series').register(
  'transformer',
  summary='transformer over rows of code, value and time',
  default=True,
)
def transformer(
  *,
  num_codes: int,
  width: int = 64,
  depth: int = 2,
  heads: int = 4,
  dropout: float = 0.1,
) -> Transformer:
  """The default encoder of series; `width` is a multiple of `heads`."""
  arguments.attention('transformer', width=width, heads=heads)
  arguments.at_least_one('transformer', depth=depth)
  arguments.rate('transformer', dropout=dropout)
  return Transformer(num_codes, width, depth, heads, dropout)
