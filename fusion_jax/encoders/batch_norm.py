"""Batch normalisation that leaves out what is not there.

Ioffe and Szegedy 2015, "Batch normalization". Mean and variance are those of
the whole batch, over all shards, and of its counted items alone: studies that
lack the modality and rows that only fill a batch up hold zeros, which would
otherwise count, and count differently on every number of devices.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp


class BatchNorm(nn.Module):
  """Normalises channels over all other axes.

  Attributes:
    axis_name: the mapped axis over which the batch is cut, which builders are
      given under this name; None where XLA sees whole batches.
    momentum: of the running averages, which are used outside training.
    epsilon: added to the variance.
  """

  axis_name: str | None
  momentum: float = 0.9
  epsilon: float = 1e-5

  @nn.compact
  def __call__(self, x: jax.Array, mask: jax.Array, *, train: bool):
    """Maps (b, ..., c) to the same shape.

    Args:
      x: what is normalised.
      mask: bool, over the leading axes of `x`: which items count.
      train: whether the batch's own statistics are used, and kept.
    """
    c = x.shape[-1]
    mean = self.variable('batch_stats', 'mean', jnp.zeros, (c,))
    var = self.variable('batch_stats', 'var', jnp.ones, (c,))
    scale = self.param('scale', nn.initializers.ones, (c,))
    bias = self.param('bias', nn.initializers.zeros, (c,))
    mu, sigma = mean.value, var.value
    if train:
      mu, sigma, count = self._statistics(x, mask)
      if not self.is_initializing():
        kept = jnp.where(count > 0, self.momentum, 1.0)
        mean.value = kept * mean.value + (1.0 - kept) * mu
        var.value = kept * var.value + (1.0 - kept) * sigma
    y = (x.astype(jnp.float32) - mu) * jax.lax.rsqrt(sigma + self.epsilon)
    return (y * scale + bias).astype(x.dtype)

  def _statistics(self, x, mask):
    """Mean, variance and number of the counted items of all shards."""
    x = x.astype(jnp.float32)
    mask = mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))
    weight = jnp.broadcast_to(mask, (*x.shape[:-1], 1)).astype(jnp.float32)
    axes = tuple(range(x.ndim - 1))
    count = self._sum(weight.sum())
    # In two passes: the difference of two large squares would lose digits.
    # Not products: what does not count may hold anything.
    total = jnp.where(mask, x, 0.0).sum(axes)
    mu = self._sum(total) / jnp.maximum(count, 1.0)
    gap = jnp.where(mask, x - mu, 0.0)
    var = self._sum((gap * gap).sum(axes)) / jnp.maximum(count, 1.0)
    return mu, var, count

  def _sum(self, x):
    if self.axis_name is None or self.is_initializing():
      return x
    return jax.lax.psum(x, self.axis_name)
