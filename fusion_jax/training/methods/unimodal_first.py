"""Trains each encoder alone, with a head of its own, before all are joined.

Encoders of a joint model that start from ones which predict by themselves are
not left behind by the one that learns fastest: the two stages of Hayat et al.
2022, "MedFuse: multi-modal fusion with clinical time-series data and chest
X-ray images", MLHC, section 3.2. In the first `pretrain` of the steps each
modality's features go into a linear layer, trained on the task's own loss over
the studies that have that modality; what joins them waits. The layers are
dropped afterwards.

What differs: both stages are one training with one schedule of the learning
rate, and the same studies are seen in both, where MedFuse has more of them in
the first; no encoder is stopped by validation before all are joined.
"""

import dataclasses

import flax.linen as nn
import jax

from fusion_jax.core import types
from fusion_jax.training import protocol, tasks

NAME = 'unimodal_first'


class Heads(nn.Module):
  """A linear layer on each modality's pooled features.

  Attributes:
    outputs: logits of the task.
  """

  outputs: int

  @nn.compact
  def __call__(self, out, batch=None) -> dict[str, jax.Array]:
    """By modality, (b, s) logits."""
    del batch
    return {
      m: nn.Dense(self.outputs, name=f'head_{m}')(out['features'][m].pooled)
      for m in sorted(out['features'])
    }


@dataclasses.dataclass(frozen=True)
class UnimodalFirst(protocol.Method):
  """The task's loss of each encoder's own head.

  Attributes:
    task: gives the loss.
    modalities: of the model.
    weight: of each loss after the first phase.
    pretrain: share of the steps that this takes.
  """

  task: types.Task
  modalities: tuple[str, ...]
  weight: float
  pretrain: float

  def modules(self):
    """The heads; a single modality needs none."""
    if len(self.modalities) < 2:
      return {}
    return {NAME: Heads(self.task.num_outputs)}

  def phases(self):
    """Apart, then joined."""
    if len(self.modalities) < 2:
      return ()
    return protocol.pretraining(NAME, self.pretrain, self.weight)

  def losses(self, logits, out, batch, collective):
    """By 'unimodal_first/MODALITY', its (sum, weight)."""
    del logits
    if len(self.modalities) < 2:
      return {}
    found = {}
    for m, alone in out['own'][NAME](out).items():
      own = batch.replace(weight=batch.weight * batch.present[m])
      found[f'{NAME}/{m}'] = tasks.loss_sums(self.task, alone, own, collective)
    return found


@protocol.METHODS.register(
  NAME, summary='trains each encoder alone before all (MedFuse, Hayat 2022)'
)
def unimodal_first(
  *,
  task: types.Task,
  modalities: tuple[str, ...],
  pretrain: float = 0.3,
  weight: float = 0.0,
) -> UnimodalFirst:
  """`pretrain` is a share of the steps; `weight` is of the losses after it."""
  protocol.check_pretraining(NAME, pretrain=pretrain, weight=weight)
  return UnimodalFirst(task, modalities, weight, pretrain)
