"""What training methods offer, and the registry of those that exist.

A method is a value that is applied around the step: it may change the batch,
add losses, change gradients and hold parameters back for a while. The step
knows none by name.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import jax

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


@dataclasses.dataclass(frozen=True)
class Method:
  """Does nothing; methods override what they change.

  Builders are given `task` and the model's `modalities` if they ask for them.

  Attributes:
    alone: whether it reads out['alone'], by modality the (b, s) logits that
      the model gives if it sees that one only.
  """

  alone: ClassVar[bool] = False

  def batch(self, key: jax.Array, batch: types.Batch) -> types.Batch:
    """What the model is given instead of `batch`.

    What is drawn for a study is drawn from `key` and its row, so that it is the
    same in any shard.
    """
    del key
    return batch

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

  def phases_of(self, paths: Sequence[str]) -> Sequence[Phase]:
    """Those of a model whose parameters have these paths."""
    del paths
    return self.phases()

  @property
  def changes_gradients(self) -> bool:
    """Whether `gradients` does anything."""
    return type(self).gradients is not Method.gradients


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
