"""Mixes the features of two studies, all modalities and the labels alike.

Zhang et al. 2018, "mixup: beyond empirical risk minimization", ICLR, section 2:
a model is trained on l x_i + (1 - l) x_j with the labels mixed likewise, l
being drawn from Beta(alpha, alpha). Codes of a table and rows of a series have
no such mixture, so features are mixed in place of inputs, as in Verma et al.
2019, "Manifold mixup: better representations by interpolating hidden states",
ICML, here of every modality with the same l, where the combiner begins.

What differs: features are mixed in one place only, never inputs or earlier
layers; l is drawn for each study, not for each batch, and is at least 1/2 (of
two studies one is then the other's partner), so that each study keeps a label
that is mostly its own; the loss is l times that of its own labels and 1 - l
times that of its partner's, which for log losses is the loss of mixed labels. A
study is mixed with another that has the very same modalities, drawn among all
of the batch, and stays as it is if there is none: features of what is absent
mean nothing. A token that only one of the two has stays as it is.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.training import protocol, tasks

NAME = 'mixup'
# The partial likelihood compares studies: half a study is in no risk set.
TASKS = (types.BINARY, types.MULTICLASS, types.MULTILABEL, types.REGRESSION)


def partners(
  place: jax.Array, kind: jax.Array, collective: tasks.Collective
) -> tuple[jax.Array, jax.Array]:
  """(b,) number in the whole batch of each study's partner, and if it has one.

  Studies of a kind stand on a circle at places drawn for each; the partner of
  one is the next on it. So it is the same however the batch is ordered or cut.

  Args:
    place: (b,) in [0, 1).
    kind: (b, k) bool; equal rows are of one kind.
    collective: how to reach the other shards of the batch.
  """
  places, kinds = collective.gather(place), collective.gather(kind)
  alike = (kind[:, None] == kinds[None]).all(-1)  # (b, B)
  number = jnp.arange(len(place)) + len(place) * collective.index()
  alike &= number[:, None] != jnp.arange(len(places))[None]
  ahead = jnp.where(alike, (places[None] - place[:, None]) % 1.0, jnp.inf)
  return ahead.argmin(1), alike.any(1)


def mixed(
  own: types.Features, other: types.Features, share: jax.Array
) -> types.Features:
  """`share` (b,) of one's features and the rest of the other's."""
  s = share[:, None]
  both = own.token_mask & other.token_mask
  tokens = s[..., None] * own.tokens + (1 - s[..., None]) * other.tokens
  single = jnp.where(own.token_mask[..., None], own.tokens, other.tokens)
  # A study that is not mixed must not be given tokens of another.
  apart = (share < 1)[:, None]
  return types.Features(
    pooled=s * own.pooled + (1 - s) * other.pooled,
    tokens=jnp.where(
      apart[..., None],
      jnp.where(both[..., None], tokens, single),
      own.tokens,
    ),
    token_mask=own.token_mask | (other.token_mask & apart),
  )


@dataclasses.dataclass(frozen=True)
class Mixup(protocol.Method):
  """Features and losses of pairs of studies.

  Attributes:
    task: one of TASKS.
    modalities: of the model.
    alpha: of the distribution of shares.
  """

  task: types.Task
  modalities: tuple[str, ...]
  alpha: float

  compares: ClassVar[bool] = True

  def batch(self, key: jax.Array, batch: types.Batch) -> types.Batch:
    """The batch with a share and a place for each study."""

    def draw(row):
      first, second = jax.random.split(jax.random.fold_in(key, row))
      share = jax.random.beta(first, self.alpha, self.alpha)
      return jnp.maximum(share, 1 - share), jax.random.uniform(second)

    share, place = jax.vmap(draw)(batch.row)
    own = {'share': share, 'place': place}
    return batch.replace(kept={**batch.kept, NAME: own})

  def _pairs(self, batch, collective):
    """Partners, and the share of a study itself: 1 without a partner."""
    here = [batch.present[m] for m in sorted(self.modalities)]
    # Padding is of another kind than any study.
    kind = jnp.stack([*here, batch.weight > 0], axis=1)
    partner, has = partners(batch.kept[NAME]['place'], kind, collective)
    has &= batch.weight > 0
    return partner, jnp.where(has, batch.kept[NAME]['share'], 1.0)

  def features(self, features, batch, collective):
    """Features of which each study's own have its share."""
    partner, share = self._pairs(batch, collective)
    return {
      m: mixed(
        x,
        jax.tree.map(lambda y: collective.gather(y)[partner], x),
        share,
      )
      for m, x in features.items()
    }

  def task_loss(self, logits, batch, collective):
    """The (sum, weight) over the labels of both, each with its share."""
    partner, share = self._pairs(batch, collective)
    labels, known, weight = (
      jnp.asarray(collective.gather(x))[partner]
      for x in (batch.labels, batch.label_mask, batch.weight)
    )
    # Weights belong to labels, as those of rare classes do.
    other = batch.replace(
      labels=labels, label_mask=known, weight=weight * (1 - share)
    )
    own = batch.replace(weight=batch.weight * share)
    sums = [
      tasks.loss_sums(self.task, logits, x, collective) for x in (own, other)
    ]
    return sums[0][0] + sums[1][0], sums[0][1] + sums[1][1]


@protocol.METHODS.register(
  NAME,
  summary='mixes features and labels of two studies (Verma 2019)',
  tasks=TASKS,
  across_studies=True,
)
def mixup(
  *, task: types.Task, modalities: tuple[str, ...], alpha: float = 0.2
) -> Mixup:
  """`alpha` of the beta distribution: the higher, the more is mixed."""
  protocol.check_numbers(NAME, 0.01, 100, alpha=alpha)
  return Mixup(task, modalities, alpha)
