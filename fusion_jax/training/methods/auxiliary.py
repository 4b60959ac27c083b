"""Adds the loss of what the model predicts from each modality alone.

A joint loss is satisfied once one modality explains the labels, and leaves the
other encoders untrained (Wang et al. 2020, "What makes training multi-modal
classification networks hard?", CVPR, which adds a loss for each modality;
weights are fixed here). The model's own combiner predicts from one modality, as
it does for a study that lacks the others, so nothing is added to the model.
"""

import dataclasses
from typing import ClassVar

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks


@dataclasses.dataclass(frozen=True)
class Auxiliary(protocol.Method):
  """The task's loss of each modality alone, over the studies that have it.

  Attributes:
    task: gives the loss.
    weight: of each loss beside the task's own.
  """

  task: types.Task
  weight: float

  alone: ClassVar[bool] = True

  def losses(self, logits, out, batch, collective):
    """By 'auxiliary/MODALITY', its (sum, weight)."""
    del logits
    found: dict[str, tuple] = {}
    if len(out['alone']) < 2:
      return found  # It would be the task's own loss once more.
    for m, alone in out['alone'].items():
      own = batch.replace(weight=batch.weight * batch.present[m])
      total, weight = tasks.loss_sums(self.task, alone, own, collective)
      found[f'auxiliary/{m}'] = (self.weight * total, weight)
    return found


@protocol.METHODS.register(
  'auxiliary', summary='adds the loss of each modality alone'
)
def auxiliary(*, task: types.Task, weight: float = 1.0) -> Auxiliary:
  """`weight` is of each modality's loss beside the task's own."""
  if not weight >= 0:
    raise errors.UserError(
      f'auxiliary(weight={weight:g}): expected a number of at least 0.'
    )
  return Auxiliary(task, weight)
