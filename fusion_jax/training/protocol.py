"""What training methods offer, and the registry of those that exist.

A method is a value that is applied around the step: it may change the batch,
add losses, change gradients and hold parameters back for a while. The step
knows none by name.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np

from fusion_jax.core import errors, registry, types
from fusion_jax.training import tasks

METHODS = registry.Registry('method', package='fusion_jax.training.methods')


@dataclasses.dataclass(frozen=True)
class Phase:
  """A stretch of training in which some parameters learn at another rate.

  Attributes:
    until: fraction of all steps at which it ends.
    groups: REGEX:RATE, as in `TrainingConfig.groups`, whose rates it
      multiplies; 0 leaves parameters exactly as they are.
  """

  until: float
  groups: tuple[str, ...]


class Taken(NamedTuple):
  """A step that was taken.

  Attributes:
    sums: by name of a loss, its (sum, weight) over the whole batch.
    gradients: of the whole batch, before methods changed them.
    out: what the model gave beside logits, of this shard's studies; None
      where no method reads it.
    batch: this shard's studies.
    collective: how to reach the other shards.
  """

  sums: dict[str, tuple[jax.Array, jax.Array]]
  gradients: Any
  out: dict[str, Any] | None
  batch: types.Batch
  collective: tasks.Collective


class Ended(NamedTuple):
  """An epoch that ended.

  Attributes:
    epoch: () its number, from 1.
    epochs: () the most that there can be.
    params: after it.
    collections: after it.
    valid: () validation loss.
    alone: by modality, the () validation loss of what the model predicts from
      it alone, over the studies that have it; {} where no method watches.
  """

  epoch: jax.Array
  epochs: jax.Array
  params: Any
  collections: dict[str, Any]
  valid: jax.Array
  alone: dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Method:
  """Does nothing; methods override what they change.

  Builders are given `task` and the model's `modalities` if they ask for them.

  Attributes:
    alone: whether it reads out['alone'], by modality the (b, s) logits that
      the model gives if it sees that one only.
    by_loss: names of losses, or what these start with before a '/', of which
      `gradients` reads out['gradients']: by name, the gradients of its mean
      over the whole batch. Each costs a backward pass.
    watches: whether `after_epoch` reads the validation losses of each
      modality alone.
  """

  alone: ClassVar[bool] = False
  by_loss: ClassVar[tuple[str, ...]] = ()
  watches: ClassVar[bool] = False

  @property
  def subsets(self) -> tuple[tuple[str, ...], ...]:
    """Sets of modalities for which it reads out['subsets'].

    By set, the (b, s) logits that the model gives if it sees these only.
    """
    return ()

  def batch(self, key: jax.Array, batch: types.Batch) -> types.Batch:
    """What the model is given instead of `batch`.

    What is drawn for a study is drawn from `key` and its row, so that it is the
    same in any shard.
    """
    del key
    return batch

  def takes(self, present: np.ndarray) -> np.ndarray:
    """How likely `batch` is to take a modality from a study that has it.

    (n, k) probabilities, of (n, k) bool of studies and sorted modalities.
    """
    return np.zeros(present.shape)

  def losses(
    self,
    logits: jax.Array,
    out: dict[str, Any],
    batch: types.Batch,
    collective: tasks.Collective,
  ) -> dict[str, tuple[jax.Array, jax.Array]]:
    """By name, the (sum, weight) over this shard of losses that are added.

    Weights must not depend on the model. What is added to the task's loss is
    the mean over all shards.
    """
    del logits, out, batch, collective
    return {}

  def gradients(
    self,
    gradients: Any,
    out: dict[str, Any],
    batch: types.Batch,
    *,
    key: jax.Array,
    collective: tasks.Collective,
  ) -> Any:
    """What the optimizer is given instead of `gradients`.

    These are of the whole batch, `out` and `batch` of this shard; `key` is the
    same in all.
    """
    del out, batch, key, collective
    return gradients

  def phases(self) -> Sequence[Phase]:
    """Phases in order, from the first step on."""
    return ()

  def memory(self, params: Any) -> Any:
    """What it keeps from step to step, before the first: a pytree of arrays.

    It is part of the training state: saved with it, mapped over members, and
    the same in all shards.
    """
    del params
    return ()

  def recalling(self, memory: Any, params: Any) -> 'Method':
    """The method that does what it does in the light of `memory`.

    And of the parameters before the step.
    """
    del memory, params
    return self

  def after_step(self, memory: Any, taken: 'Taken') -> Any:
    """What it keeps after a step."""
    del taken
    return memory

  def after_epoch(self, memory: Any, ended: 'Ended') -> tuple[Any, Any]:
    """What it keeps after an epoch, and the model's collections."""
    return memory, ended.collections

  @property
  def takes_modalities(self) -> bool:
    """Whether studies lose modalities in training."""
    return type(self).takes is not Method.takes

  @property
  def changes_gradients(self) -> bool:
    """Whether `gradients` does anything."""
    return type(self).gradients is not Method.gradients

  @property
  def keeps_out(self) -> bool:
    """Whether it reads what the model gave once the pass is over."""
    return (
      self.changes_gradients or type(self).after_step is not Method.after_step
    )


def create_methods(
  specs: Sequence[str], *, task: types.Task, modalities: Sequence[str]
) -> tuple[Method, ...]:
  """The methods of `specs`, in order.

  Raises:
    UserError: for an unknown method or argument, or a task that one does not
      claim to support.
  """
  found = []
  for text in specs:
    part = METHODS.check(text)
    tasks_of = METHODS.get(part.name).claims.get('tasks', types.TASK_KINDS)
    if task.kind not in tasks_of:
      raise errors.UserError(
        f"The method '{part.name}' does not support {task.kind} tasks, only "
        f'{", ".join(tasks_of)}.'
      )
    found.append(METHODS.build(part, task=task, modalities=tuple(modalities)))
  return tuple(found)
