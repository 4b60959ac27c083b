"""Weighs the losses of modalities by how they generalise.

Wang et al. 2020, "What makes training multi-modal classification networks
hard?", CVPR, section 3 (Gradient-Blend, online). The losses of each modality
alone and of all are weighed by G / O^2: G is by how much the validation loss
fell since the last look, O by how much more the training loss fell
(overfitting). The best blend of gradients has these weights (proposition 1),
which add up to 1.

What differs: looks are at the model that is trained, every `every` epochs,
where the paper trains a copy for each modality to look; what a modality
predicts alone is the prediction of the model's own combiner. Training losses
are means over the last epoch; the validation part is the one that stops
training. A loss that does not fall on validation studies has weight 0, and all
are equal where none falls and before the second look.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks

ALL = 'all'
# Of squared losses: what overfits less counts as this much.
_LEAST = 1e-6


def weights(before: Any, now: Any) -> dict[str, jax.Array]:
  """By name, () weights that add up to 1, of (training, validation) losses."""
  raw = {}
  for name, (train, valid) in now.items():
    old_train, old_valid = before[name]
    fallen = jnp.maximum(old_valid - valid, 0)
    overfitted = (valid - train) - (old_valid - old_train)
    raw[name] = fallen / (jnp.square(overfitted) + _LEAST)
  total = sum(raw.values())
  return {
    name: jnp.where(total > 0, x / jnp.maximum(total, 1e-12), 1 / len(raw))
    for name, x in raw.items()
  }


@dataclasses.dataclass(frozen=True)
class GradientBlending(protocol.Method):
  """Losses of each modality alone and of all, weighed anew now and then.

  Attributes:
    task: gives the losses.
    modalities: of the model.
    every: epochs between two looks.
    kept: what it remembers, in a step.
  """

  task: types.Task
  modalities: tuple[str, ...]
  every: int
  kept: Any = None

  alone: ClassVar[bool] = True
  watches: ClassVar[bool] = True

  def memory(self, params):
    """Weights, the epoch's training losses, and losses at the last look."""
    del params
    names = (*self.modalities, ALL)
    return {
      'weights': {x: jnp.float32(1 / len(names)) for x in names},
      'sums': {x: (jnp.float32(0), jnp.float32(0)) for x in names},
      'before': {x: (jnp.float32(0), jnp.float32(0)) for x in names},
    }

  def recalling(self, memory, params):
    """With what it remembers."""
    del params
    return dataclasses.replace(self, kept=memory)

  def _sums(self, out, batch, collective):
    return {
      m: tasks.loss_sums(
        self.task,
        x,
        batch.replace(weight=batch.weight * batch.present[m]),
        collective,
      )
      for m, x in out['alone'].items()
    }

  def losses(self, logits, out, batch, collective):
    """By 'gradient_blending/MODALITY', its (sum, weight).

    And 'gradient_blending/all', what the task's own loss lacks of its weight.
    """
    if len(out['alone']) < 2:
      return {}  # It would be the task's own loss once more.
    share = {
      x: jax.lax.stop_gradient(w) for x, w in self.kept['weights'].items()
    }
    own = self._sums(out, batch, collective)
    found = {
      f'gradient_blending/{m}': (share[m] * total, weight)
      for m, (total, weight) in own.items()
    }
    total, weight = tasks.loss_sums(self.task, logits, batch, collective)
    found[f'gradient_blending/{ALL}'] = (share[ALL] - 1) * total, weight
    return found

  def after_step(self, memory, taken):
    """With the step's training losses."""
    found = taken.collective.psum(
      self._sums(taken.out, taken.batch, taken.collective)
    )
    found[ALL] = taken.sums['loss']
    return {
      **memory,
      'sums': jax.tree.map(jnp.add, memory['sums'], found),
    }

  def after_epoch(self, memory, ended):
    """With other weights, if it is time to look."""
    valid = {**ended.alone, ALL: ended.valid}
    now = {
      x: (total / jnp.maximum(weight, 1e-6), valid[x])
      for x, (total, weight) in memory['sums'].items()
    }
    looks = (ended.epoch - 1) % self.every == 0
    found = {
      'weights': weights(memory['before'], now),
      'before': now,
    }
    # The first look has none before it to compare with.
    changes = {'weights': looks & (ended.epoch > 1), 'before': looks}
    return {
      'sums': jax.tree.map(jnp.zeros_like, memory['sums']),
      **{
        name: jax.tree.map(
          lambda new, old, go=changes[name]: jnp.where(go, new, old),
          tree,
          memory[name],
        )
        for name, tree in found.items()
      },
    }, ended.collections


@protocol.METHODS.register(
  'gradient_blending',
  summary="weighs modalities' losses by how they generalise (G-Blend)",
)
def gradient_blending(
  *, task: types.Task, modalities: tuple[str, ...], every: int = 5
) -> GradientBlending:
  """`every` is the number of epochs between two looks."""
  if every < 1:
    raise errors.UserError(
      f'gradient_blending(every={every}): expected a whole number of at least '
      '1.'
    )
  return GradientBlending(task, tuple(modalities), every)
