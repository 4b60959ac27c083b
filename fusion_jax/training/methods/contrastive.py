"""Adds a contrastive loss between each two modalities of a study.

Hager et al. 2023, "Best of both worlds: multimodal contrastive learning with
tabular and imaging data", CVPR, section 3.1: each encoder's features pass
through a projection head of its own onto the unit sphere, where the two of a
study are to be closer to each other than to those of the batch's other studies,
in both directions (the loss of Radford et al. 2021, "Learning transferable
visual models from natural language supervision", ICML), at temperature 0.1. By
default nothing else is trained in the first `pretrain` of the steps, as in the
paper, whose heads are dropped afterwards as well.

What differs: any number of modalities, each pair with a loss of its own, over
the studies that have both; both directions count alike; the head is one hidden
layer for every modality; what is made of a study twice (crops, columns with
values of other studies) is what augmentation makes of it once; pretraining and
the supervised training after it share one schedule of the learning rate. A
denominator holds the study's own pair, as in the authors' code. Studies without
a label are not seen, and two of one patient repel each other like any others.
"""

import dataclasses
import itertools
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.fusion import checks
from fusion_jax.training import protocol, tasks

NAME = 'contrastive'
_TINY = 1e-6
# Finite, so that no gradient of what does not count is NaN.
_ABSENT = -1e9


class Projections(nn.Module):
  """A head for each modality: a hidden layer, then the unit sphere.

  Attributes:
    hidden: width of the hidden layer.
    width: of the projections.
  """

  hidden: int
  width: int

  @nn.compact
  def __call__(self, out, batch=None) -> dict[str, jax.Array]:
    """By modality, (b, width) vectors of length 1 made of pooled features."""
    del batch
    found = {}
    for m in sorted(out['features']):
      x = out['features'][m].pooled
      x = nn.relu(nn.Dense(self.hidden, name=f'hidden_{m}')(x))
      x = nn.Dense(self.width, name=f'out_{m}')(x)
      size = jnp.sqrt((x * x).sum(-1, keepdims=True) + _TINY**2)
      found[m] = x / size
    return found


def similarities(
  one: jax.Array,
  other: jax.Array,
  here: jax.Array,
  *,
  temperature: float,
  collective: tasks.Collective,
) -> jax.Array:
  """(b, B) cosines of this shard's `one` and the batch's `other`, scaled.

  Those of studies that are not here do not count: they are very small.

  Args:
    one: (b, c) unit vectors.
    other: (b, c) unit vectors.
    here: (b,) bool, which studies have both.
    temperature: by which cosines are divided.
    collective: how to reach the other shards of the batch.
  """
  scores = one @ collective.gather(other).T / temperature
  return jnp.where(collective.gather(here)[None], scores, _ABSENT)


def info_nce(
  one: jax.Array,
  other: jax.Array,
  here: jax.Array,
  *,
  temperature: float,
  collective: tasks.Collective,
) -> jax.Array:
  """(b,) mean loss of both directions; of no meaning where not here.

  Arguments are those of `similarities`.
  """
  own = (one * other).sum(-1) / temperature
  found = 0.0
  for a, b in ((one, other), (other, one)):
    scores = similarities(
      a, b, here, temperature=temperature, collective=collective
    )
    found += 0.5 * (jax.nn.logsumexp(scores, axis=1) - own)
  return jnp.where(here, found, 0.0)


@dataclasses.dataclass(frozen=True)
class Contrastive(protocol.Method):
  """The loss of each pair of modalities, over the studies that have both.

  Attributes:
    modalities: of the model.
    width: of projections.
    hidden: of heads.
    temperature: by which cosines are divided.
    weight: of each loss beside the task's own.
    pretrain: share of the steps in which nothing else counts.
  """

  modalities: tuple[str, ...]
  width: int
  hidden: int
  temperature: float
  weight: float
  pretrain: float

  compares: ClassVar[bool] = True

  def modules(self):
    """The heads, if there are modalities to compare."""
    if len(self.modalities) < 2:
      return {}
    return {NAME: Projections(self.hidden, self.width)}

  def phases(self):
    """Pretraining, if any, and what follows."""
    if len(self.modalities) < 2:
      return ()
    return protocol.pretraining(NAME, self.pretrain, self.weight)

  def losses(self, logits, out, batch, collective):
    """By 'contrastive/ONE-OTHER', its (sum, weight)."""
    del logits
    if len(self.modalities) < 2:
      return {}
    projected = out['own'][NAME](out)
    found = {}
    for a, b in itertools.combinations(sorted(self.modalities), 2):
      # A row of weight 0 is padding.
      here = batch.present[a] & batch.present[b] & (batch.weight > 0)
      loss = info_nce(
        projected[a],
        projected[b],
        here,
        temperature=self.temperature,
        collective=collective,
      )
      weight = batch.weight * here
      found[f'{NAME}/{a}-{b}'] = ((weight * loss).sum(), weight.sum())
    return found


@protocol.METHODS.register(
  NAME, summary='brings modalities of a study together (MMCL, Hager 2023)'
)
def contrastive(
  *,
  modalities: tuple[str, ...],
  width: int = 128,
  hidden: int = 256,
  temperature: float = 0.1,
  weight: float = 0.0,
  pretrain: float = 0.3,
) -> Contrastive:
  """`pretrain` is a share of the steps; `weight` is of the losses after it.

  As losses beside the task's from the first step on: pretrain=0,weight=1.
  """
  checks.at_least_one(NAME, width=width, hidden=hidden)
  protocol.check_numbers(NAME, 0.01, float('inf'), temperature=temperature)
  protocol.check_pretraining(NAME, pretrain=pretrain, weight=weight)
  return Contrastive(modalities, width, hidden, temperature, weight, pretrain)
