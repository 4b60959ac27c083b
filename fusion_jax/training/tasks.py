"""Losses of the tasks on logits, as sums that add up over shards.

The formulas are those of `core/links.py`, which computes them in NumPy.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from fusion_jax.core import types


def _same(x):
  return x


@dataclasses.dataclass(frozen=True)
class Collective:
  """What a shard of a batch needs of the others.

  Attributes:
    psum: the sum of an array, or of a pytree, over shards.
    gather: (b_local, ...) -> (b, ...) rows of all shards.
    mean: the mean of an array over shards.
    index: number of this shard, so that shards draw dropout apart.
  """

  psum: Callable = _same
  gather: Callable = _same
  mean: Callable = _same
  index: Callable = lambda: 0


LOCAL = Collective()


def over_axis(name: str) -> Collective:
  """The collective of a mapped axis."""
  return Collective(
    psum=lambda x: jax.lax.psum(x, name),
    gather=lambda x: jax.lax.all_gather(x, name, tiled=True),
    mean=lambda x: jax.lax.pmean(x, name),
    index=lambda: jax.lax.axis_index(name),
  )


def loss_sums(
  task: types.Task,
  logits: jax.Array,
  batch: types.Batch,
  collective: Collective = LOCAL,
) -> tuple[jax.Array, jax.Array]:
  """The summed loss and the summed weight of this shard's studies.

  Binary and multilabel: log loss of the known labels; multiclass: cross
  entropy; regression: squared error; survival: negative log partial
  likelihood (Cox 1972, ties after Breslow) per event, whose risk sets are the
  studies of the whole batch.

  Args:
    task: what is predicted.
    logits: (b, s).
    batch: labels, masks and weights of the same studies.
    collective: how to reach the other shards of the batch.

  Returns:
    Two scalars: sum of weighted losses, sum of weights.
  """
  mask = batch.label_mask.astype(jnp.float32)
  weight = batch.weight[:, None] * mask  # (b, l)
  labels = jnp.where(batch.label_mask, batch.labels, 0.0)
  if task.kind in (types.BINARY, types.MULTILABEL):
    losses = optax.sigmoid_binary_cross_entropy(logits, labels)
  elif task.kind == types.MULTICLASS:
    losses = optax.softmax_cross_entropy_with_integer_labels(
      logits, labels[:, 0].astype(jnp.int32)
    )[:, None]
  elif task.kind == types.REGRESSION:
    losses = jnp.square(logits - labels)
  else:
    return _cox_sums(logits[:, 0], labels, weight.min(1), collective)
  return (losses * weight).sum(), weight.sum()


def _cox_sums(risk, labels, weight, collective):
  time, event = labels[:, 0], labels[:, 1]
  everyone = [collective.gather(x) for x in (risk, time, weight)]
  all_risk, all_time, all_weight = everyone
  at_risk = (all_time[None, :] >= time[:, None]) * all_weight[None, :]
  # Rows of weight 0 have an empty risk set; log(0) must not reach gradients.
  counted = (event > 0) & (weight > 0)
  at_risk = jnp.where(counted[:, None], at_risk, 1.0)
  log_sum = jax.nn.logsumexp(all_risk[None, :], b=at_risk, axis=1)
  # Relative to the mean weight, so that scaling all weights changes nothing.
  mean_weight = all_weight.sum() / jnp.maximum((all_weight > 0).sum(), 1)
  log_sum -= jnp.log(jnp.maximum(mean_weight, 1e-6))
  weighted_events = weight * counted
  return (weighted_events * (log_sum - risk)).sum(), weighted_events.sum()
