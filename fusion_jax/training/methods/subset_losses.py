"""Adds the losses of what the model predicts from some of the modalities.

Kawahara et al. 2019, "Seven-point checklist and skin lesion classification
using multitask multimodal neural nets", IEEE JBHI 23(2): the loss is summed
over every combination of modalities, so that one network predicts from
whichever of them a study has.

What differs: the model's own combiner predicts from each combination, as it
does for a study that lacks the others, where the paper has a classifier for
each; all combinations count, where the paper has those that its inputs come in.
A study counts for the combinations of what it has; the one of all of it is the
task's own loss.
"""

import dataclasses

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, subsets, tasks


@dataclasses.dataclass(frozen=True)
class SubsetLosses(protocol.Method):
  """The task's loss of each set of some of the modalities.

  Attributes:
    task: gives the loss.
    modalities: of the model.
    weight: of each loss beside the task's own.
  """

  task: types.Task
  modalities: tuple[str, ...]
  weight: float

  @property
  def subsets(self):
    """All but the one of all modalities."""
    return subsets.proper(self.modalities)

  def losses(self, logits, out, batch, collective):
    """By 'subset_losses/M+M', its (sum, weight)."""
    del logits
    found = {}
    for x in self.subsets:
      here = subsets.partial(batch, x, self.modalities)
      own = batch.replace(weight=batch.weight * here)
      total, weight = tasks.loss_sums(
        self.task, out['subsets'][x], own, collective
      )
      found[f'subset_losses/{"+".join(x)}'] = self.weight * total, weight
    return found


@protocol.METHODS.register(
  'subset_losses',
  summary='adds the loss of each combination of modalities',
  missing=True,
)
def subset_losses(
  *, task: types.Task, modalities: tuple[str, ...], weight: float = 1.0
) -> SubsetLosses:
  """`weight` is of each combination's loss beside the task's own."""
  if not weight >= 0:
    raise errors.UserError(
      f'subset_losses(weight={weight:g}): expected a number of at least 0.'
    )
  subsets.check('subset_losses', modalities)
  return SubsetLosses(task, tuple(modalities), weight)
