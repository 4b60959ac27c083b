"""Embeddings of a table's numbers, each column by itself.

Gorishniy, Rubachev and Babenko 2022, "On embeddings for numerical features in
tabular deep learning", NeurIPS, section 3.

  plain      x w + b
  periodic   relu(w [sin(2 pi c x), cos(2 pi c x)] + b), frequencies c learnt
             (equation 2, with the layer and ReLU of "PLR")
  piecewise  w PLE(x) + b, PLE(x) being where x is among the quantiles of the
             training part (equation 1, bins of section 3.2.1)

with w and b of each column. What differs: a number that is missing has a
learnt vector of its own; PLE is held between 0 and 1, since a narrow outer bin
would make an outlier as large as it likes.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

How = Literal['plain', 'periodic', 'piecewise']

# The defaults of the authors' package.
_FREQUENCIES = 48
_SPREAD = 0.01


class Periodic(nn.Module):
  """Sines and cosines of each column at frequencies of its own."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps (b, f) to (b, f, 96)."""
    frequency = self.param(
      'frequency', nn.initializers.normal(_SPREAD), (x.shape[1], _FREQUENCIES)
    )
    angle = 2 * jnp.pi * frequency * x[..., None]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class Numbers(nn.Module):
  """One vector a column.

  Attributes:
    how: see above.
    size: of the vectors.
  """

  how: How
  size: int

  @nn.compact
  def __call__(self, inputs) -> jax.Array:
    """Maps 'numeric', 'observed' (b, f) and 'pieces' (b, f, p) to (b, f, size).

    What a number holds that was not observed does not matter.
    """
    observed = inputs['observed'] > 0
    x = jnp.where(observed, inputs['numeric'], 0)
    b, f = x.shape
    if not f:  # Empty parameters could not be saved.
      return jnp.zeros((b, 0, self.size), x.dtype)
    if self.how == 'periodic':
      parts = Periodic()(x)
    elif self.how == 'piecewise':
      parts = jnp.where(observed[..., None], inputs['pieces'], 0)
    else:
      parts = x[..., None]
    init = nn.initializers.variance_scaling(
      1.0, 'fan_in', 'normal', in_axis=1, out_axis=2, batch_axis=0
    )
    shape = f, self.size
    weight = self.param('weight', init, (f, parts.shape[-1], self.size))
    bias = self.param('bias', nn.initializers.normal(0.3), shape)
    missing = self.param('missing', nn.initializers.normal(0.3), shape)
    found = jnp.einsum('bfp,fps->bfs', parts, weight) + bias
    if self.how == 'periodic':
      found = nn.relu(found)
    return jnp.where(observed[..., None], found, missing)
