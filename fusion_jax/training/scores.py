"""How much probability predictions give to the labels of their studies."""

import jax
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.training import tasks

# Those whose labels have probabilities.
TASKS = (types.BINARY, types.MULTICLASS, types.MULTILABEL)


def log_of_labels(
  task: types.Task, logits: jax.Array, labels: jax.Array
) -> jax.Array:
  """(b, l) log probability that (b, s) logits give to each of (b, l) labels.

  What it is where a label is unknown means nothing.
  """
  if task.kind == types.MULTICLASS:
    codes = labels[:, :1].astype(jnp.int32)
    return jnp.take_along_axis(jax.nn.log_softmax(logits), codes, axis=1)
  return jax.nn.log_sigmoid(jnp.where(labels > 0, logits, -logits))


def of_labels(
  task: types.Task, logits: jax.Array, labels: jax.Array
) -> jax.Array:
  """(b, l) probabilities, likewise."""
  return jnp.exp(log_of_labels(task, logits, labels))


def sums(
  task: types.Task,
  logits: jax.Array,
  batch: types.Batch,
  present: jax.Array,
  collective: tasks.Collective,
) -> tuple[jax.Array, jax.Array]:
  """Over all shards, the () weighted sum of known labels' probabilities.

  And the sum of the weights; only studies count that are `present`, (b,).
  """
  weight = (batch.weight * present)[:, None] * batch.label_mask
  p = of_labels(task, logits, batch.labels)
  return collective.psum(((weight * p).sum(), weight.sum()))
