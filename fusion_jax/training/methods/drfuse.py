"""Adds the losses of the combiner `drfuse`.

Yao et al. 2024, "DrFuse: learning disentangled representation for clinical
multi-modal fusion with missing modality and modal inconsistency", AAAI. Each
representation alone predicts the labels; those that modalities share come close
by the Jensen-Shannon divergence of sigmoid(h); shared and distinct ones of a
modality become orthogonal by the absolute value of their cosine; and of two
representations the one that predicts a label better is to have more of the
attention (a margin ranking loss with margin 0).

What differs: any number of modalities; the divergence is that of Bernoulli
variables, both of whose outcomes count, summed over channels; the ranking
loss is a mean over all pairs that a study has, where the authors' code divides
by the number of those in the wrong order.
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import optax

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks

TASKS = (types.BINARY, types.MULTILABEL)
_TINY = 1e-6


def divergence(
  shared: jax.Array, together: jax.Array, here: jax.Array
) -> jax.Array:
  """(b,) Jensen-Shannon divergence of Bernoulli variables, summed over c.

  Args:
    shared: (b, m, c) logits.
    together: (b, c) logits of their mean probabilities.
    here: (b, m) which of them count.
  """
  total = 0.0
  for sign in (1, -1):
    log_p = jax.nn.log_sigmoid(sign * shared)
    log_mean = jax.nn.log_sigmoid(sign * together)[:, None]
    total += (jnp.exp(log_p) * (log_p - log_mean)).sum(-1)
  return (total * here).sum(1) / jnp.maximum(here.sum(1), 1)


def cosines(a: jax.Array, b: jax.Array) -> jax.Array:
  """(...) cosines of (..., c) vectors; 0 where one of them is 0."""
  size = jnp.sqrt((a * a).sum(-1) * (b * b).sum(-1) + _TINY**2)
  return (a * b).sum(-1) / size


@dataclasses.dataclass(frozen=True)
class DrFuse(protocol.Method):
  """Losses of representations, by what the combiner held out.

  Attributes:
    task: one of TASKS.
    predictions: weight of each representation's own prediction.
    alike: weight of the shared ones' divergence.
    apart: weight of shared and distinct ones' cosines.
    ranking: weight of the attention's order.
  """

  task: types.Task
  predictions: float
  alike: float
  apart: float
  ranking: float

  def losses(self, logits, out, batch, collective):
    """By 'drfuse/NAME', their (sum, weight).

    Raises:
      UserError: if a model of several modalities has another combiner.
    """
    del logits
    names = sorted(out['features'])
    if len(names) < 2:
      return {}  # A single modality shares nothing.
    if 'together' not in out:
      raise errors.UserError(
        'drfuse adds the losses of the combiner of this name, which a model of '
        f'{", ".join(names)} does not have: give it combiner=drfuse.'
      )
    here = jnp.stack([batch.present[m] for m in names], axis=1)
    there = jnp.concatenate([here, here.any(1, keepdims=True)], axis=1)
    weight = batch.weight[:, None] * here  # (b, m)
    several = batch.weight * (here.sum(1) > 1)
    alike = divergence(out['shared'], out['together'], here)
    apart = abs(cosines(out['shared'], out['distinct']))
    found = {
      'drfuse/alike': (self.alike * (alike * several).sum(), several.sum()),
      'drfuse/apart': (self.apart * (apart * weight).sum(), weight.sum()),
      'drfuse/ranking': self._ranking(out, batch, there),
    }
    for k, m in enumerate([*names, 'together']):
      own = batch.replace(weight=batch.weight * there[:, k])
      total, count = tasks.loss_sums(
        self.task, out['predicted'][:, k], own, collective
      )
      found[f'drfuse/predicted/{m}'] = (self.predictions * total, count)
    return found

  def _ranking(self, out, batch, there):
    """How far attention is from preferring what predicts better."""
    labels = jnp.where(batch.label_mask, batch.labels, 0.0)[:, None]
    losses = jax.lax.stop_gradient(
      optax.sigmoid_binary_cross_entropy(out['predicted'], labels)
    )  # (b, p, s)
    weights = jnp.swapaxes(out['attention'], 1, 2)  # (b, p, s)
    known = batch.weight[:, None] * batch.label_mask
    total = count = 0.0
    for i, j in itertools.combinations(range(there.shape[1]), 2):
      order = jnp.where(losses[:, i] < losses[:, j], 1.0, -1.0)
      wrong = jax.nn.relu(-order * (weights[:, i] - weights[:, j]))
      both = known * (there[:, i] & there[:, j])[:, None]
      total += (wrong * both).sum()
      count += both.sum()
    return self.ranking * total, count


@protocol.METHODS.register(
  'drfuse',
  summary='adds the losses of the combiner drfuse',
  tasks=TASKS,
  combiner='drfuse',
)
def drfuse(
  *,
  task: types.Task,
  predictions: float = 1.0,
  alike: float = 1.0,
  apart: float = 1.0,
  ranking: float = 1.0,
) -> DrFuse:
  """Weights of the losses beside the task's own; for labels, not classes."""
  weights = {
    'predictions': predictions,
    'alike': alike,
    'apart': apart,
    'ranking': ranking,
  }
  for name, value in weights.items():
    if not value >= 0:
      raise errors.UserError(
        f'drfuse({name}={value:g}): expected a number of at least 0.'
      )
  return DrFuse(task, **weights)
