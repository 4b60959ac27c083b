"""Teaches the model with some modalities what it says with all of them.

Shi et al. 2024, "PASSION: towards effective incomplete multi-modal medical
image segmentation with imbalanced missing rates", ACM MM (self-distillation):
in one network and one step, the prediction from all modalities is the teacher
of those from each modality alone, by the Kullback-Leibler divergence of
softened probabilities, sum_m KL(p(z / T), p(z_m / T)). The divergence is
multiplied by T^2, so that its gradients keep their size (Hinton et al. 2015,
"Distilling the knowledge in a neural network", section 2).

What differs: of studies instead of pixels, without PASSION's prototypes and its
regularisation of preferences; no gradient reaches the teacher through its own
probabilities; the students are the model's own combiner with one modality, or
with any combination (`onto=subsets`).
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, scores, subsets


def divergence(
  task: types.Task, teacher: jax.Array, student: jax.Array
) -> jax.Array:
  """(b,) KL(teacher || student) of (b, s) logits, summed over labels."""
  if task.kind == types.MULTICLASS:
    log_p, log_q = jax.nn.log_softmax(teacher), jax.nn.log_softmax(student)
    return (jnp.exp(log_p) * (log_p - log_q)).sum(1)
  total = 0.0
  for sign in (1, -1):
    log_p = jax.nn.log_sigmoid(sign * teacher)
    log_q = jax.nn.log_sigmoid(sign * student)
    total += (jnp.exp(log_p) * (log_p - log_q)).sum(1)
  return total


@dataclasses.dataclass(frozen=True)
class Distillation(protocol.Method):
  """The divergence of what is predicted from less than a study has.

  Attributes:
    task: one of `scores.TASKS`.
    modalities: of the model.
    weight: of each divergence beside the task's loss.
    temperature: by which logits are divided.
    onto: 'alone', or 'subsets' of modalities.
  """

  task: types.Task
  modalities: tuple[str, ...]
  weight: float
  temperature: float
  onto: str

  @property
  def subsets(self):
    """Of the students."""
    found = subsets.proper(self.modalities)
    return tuple(x for x in found if len(x) == 1 or self.onto == 'subsets')

  def losses(self, logits, out, batch, collective):
    """By 'distillation/M+M', its (sum, weight)."""
    del collective
    t, found = self.temperature, {}
    teacher = jax.lax.stop_gradient(logits) / t
    for x in self.subsets:
      weight = batch.weight * subsets.partial(batch, x, self.modalities)
      far = divergence(self.task, teacher, out['subsets'][x] / t)
      total = self.weight * t**2 * (far * weight).sum()
      found[f'distillation/{"+".join(x)}'] = total, weight.sum()
    return found


@protocol.METHODS.register(
  'distillation',
  summary='teaches partial views what all modalities say (PASSION, Shi 2024)',
  tasks=scores.TASKS,
  # Not where many lack one in training: with a teacher that lacks it as well.
  missing=('test', 'training'),
)
def distillation(
  *,
  task: types.Task,
  modalities: tuple[str, ...],
  weight: float = 1.0,
  temperature: float = 4.0,
  onto: Literal['alone', 'subsets'] = 'alone',
) -> Distillation:
  """`onto` says whether students see one modality or any combination."""
  if not weight >= 0:
    raise errors.UserError(
      f'distillation(weight={weight:g}): expected a number of at least 0.'
    )
  if not temperature > 0:
    raise errors.UserError(
      f'distillation(temperature={temperature:g}): expected a number above 0.'
    )
  subsets.check('distillation', modalities)
  return Distillation(task, tuple(modalities), weight, temperature, onto)
