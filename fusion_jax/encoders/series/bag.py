"""A bag of codes: how often each code occurs, and the mean of its values.

The bag of words of text classification (Harris 1954, "Distributional
structure") with codes for words, as records of diagnoses and drugs are often
summed up before a model. Neither order nor time counts; what differs is that
codes with numbers also give their mean.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import arguments, types
from fusion_jax.encoders import dense, protocol


def bag(inputs, num_codes: int) -> jax.Array:
  """(b, 3 q) log counts of q codes, means of values, whether there is one."""
  mask, dtype = inputs['mask'], inputs['value'].dtype
  code = jax.nn.one_hot(inputs['code'], num_codes, dtype=dtype)
  code *= mask[..., None]  # (b, t, q)
  valued = code * inputs['valued'][..., None]
  value = jnp.where(mask, inputs['value'], 0)[..., None]
  numbers = valued.sum(axis=1)
  mean = (valued * value).sum(axis=1) / jnp.maximum(numbers, 1)
  counts = jnp.log1p(code.sum(axis=1))
  return jnp.concatenate([counts, mean, (numbers > 0).astype(dtype)], axis=-1)


class Bag(nn.Module):
  """Hidden layers over a bag of codes.

  Attributes:
    num_codes: numbers that a code can be.
    width: of the hidden layers and of the pooled features.
    depth: hidden layers, of which all but the first are stages.
    dropout: rate after each of them.
  """

  num_codes: int
  width: int
  depth: int
  dropout: float

  def setup(self):
    self.first = dense.Dense(self.width, self.dropout)
    self.stages = [
      dense.Dense(self.width, self.dropout) for _ in range(self.depth - 1)
    ]

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps rows (b, t) to hidden (b, width)."""
    x = bag(inputs, self.num_codes)
    return self.first(types.Hidden.of_vector(x), train=train)

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose only token is the pooled vector."""
    del train
    return types.Features.of_vector(hidden.x)


@protocol.encoders('series').register(
  'bag', summary='counts of codes and means of their values'
)
def bag_of_codes(
  *, num_codes: int, width: int = 64, depth: int = 2, dropout: float = 0.5
) -> Bag:
  """For diagnoses, drugs and procedures whose order tells little."""
  arguments.at_least_one('bag', width=width, depth=depth)
  arguments.rate('bag', dropout=dropout)
  return Bag(num_codes, width, depth, dropout)
