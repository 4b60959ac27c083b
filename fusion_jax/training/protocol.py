"""What training methods offer, and the registry of those that exist.

A method is a value that is applied around the step: it may change the batch and
the features, add losses with parameters of their own, change gradients, and
hold parameters or losses back for a while. The step knows none by name.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from fusion_jax.core import errors, registry, types
from fusion_jax.training import optimizers, tasks

METHODS = registry.Registry('method', package='fusion_jax.training.methods')


# The name of the task's own loss; those of methods are METHOD/NAME.
LOSS = 'loss'
# The largest share of the steps without the task's loss.
_MOST = 0.9
# What predicts from features, and what passes between encoders before.
_JOINT = '^(combiner|exchanges_)'


@dataclasses.dataclass(frozen=True)
class Phase:
  """A stretch of training in which some parameters or losses count otherwise.

  Attributes:
    until: fraction of all steps at which it ends.
    groups: REGEX:RATE, as in `TrainingConfig.groups`, whose rates it
      multiplies; 0 leaves parameters exactly as they are.
    losses: REGEX:FACTOR, likewise of losses by their names.
    only: a method whose losses alone count, with those of other methods that
      are in such a phase of their own. While LOSS does not count nothing that
      can be validated is learnt: no epoch that ends then is kept as the best,
      nor is patience spent on it.
  """

  until: float
  groups: tuple[str, ...] = ()
  losses: tuple[str, ...] = ()
  only: str = ''


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

  Builders are given `task`, the model's `modalities` and `kinds_give` (see
  `create_methods`) if they ask for them.

  Attributes:
    alone: whether it reads out['alone'], by modality the (b, s) logits that
      the model gives if it sees that one only.
    by_loss: names of losses, or what these start with before a '/', of which
      `gradients` reads out['gradients']: by name, the gradients of its mean
      over the whole batch. Each costs a backward pass.
    watches: whether `after_epoch` reads the validation losses of each
      modality alone.
    first: whether `batch` changes inputs in the phase only in which its own
      losses count (`Phase.only`).
    compares: whether its losses compare the studies of a batch, which can then
      not be passed through the model in parts.
  """

  alone: ClassVar[bool] = False
  by_loss: ClassVar[tuple[str, ...]] = ()
  watches: ClassVar[bool] = False
  first: ClassVar[bool] = False
  compares: ClassVar[bool] = False

  @property
  def subsets(self) -> tuple[tuple[str, ...], ...]:
    """Sets of modalities for which it reads out['subsets'].

    By set, the (b, s) logits that the model gives if it sees these only.
    """
    return ()

  def batch(self, key: jax.Array, batch: types.Batch) -> types.Batch:
    """What the model is given instead of `batch`.

    What is drawn for a study is drawn from `key` and its row, so that it is the
    same in any shard. What the method needs of it later stands in `batch.kept`
    under the method's name.
    """
    del key
    return batch

  def takes(self, present: np.ndarray) -> np.ndarray:
    """How likely `batch` is to take a modality from a study that has it.

    (n, k) probabilities, of (n, k) bool of studies and sorted modalities.
    """
    return np.zeros(present.shape)

  def modules(self) -> Mapping[str, nn.Module]:
    """By name, modules with parameters of the method's own.

    They are trained with the model and are no part of it: nothing is kept of
    them. Called as (out, batch) they create all their parameters, which stand
    beside the model's under `module_name`.
    """
    return {}

  def features(
    self,
    features: dict[str, types.Features],
    batch: types.Batch,
    collective: tasks.Collective,
  ) -> dict[str, types.Features]:
    """What the combiner is given instead of `features`, in training."""
    del batch, collective
    return features

  def task_loss(
    self,
    logits: jax.Array,
    batch: types.Batch,
    collective: tasks.Collective,
  ) -> tuple[jax.Array, jax.Array] | None:
    """The (sum, weight) that stand for those of the task's loss; None if they
    do not. Of several methods the last one's counts.
    """
    del logits, batch, collective
    return None

  def losses(
    self,
    logits: jax.Array,
    out: dict[str, Any],
    batch: types.Batch,
    collective: tasks.Collective,
  ) -> dict[str, tuple[jax.Array, jax.Array]]:
    """By name, the (sum, weight) over this shard of losses that are added.

    Weights must not depend on the model. What is added to the task's loss is
    the mean over all shards. out['own'] holds, by name, functions that apply
    the method's modules as `nn.Module.apply` does without its variables.
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

  @property
  def changes_features(self) -> bool:
    """Whether `features` does anything."""
    return type(self).features is not Method.features


def module_name(name: str) -> str:
  """The name of a method's module in the tree of parameters."""
  return f'methods_{name}'


def without_modules(params: Mapping[str, Any]) -> dict[str, Any]:
  """The parameters of the model alone."""
  own = module_name('')
  return {k: x for k, x in params.items() if not k.startswith(own)}


def pretraining(name: str, share: float, weight: float) -> tuple[Phase, ...]:
  """Phases of a method whose losses come first alone, then beside the task's.

  Args:
    name: of the method, which begins the names of its losses.
    share: of all steps, in which nothing but its losses counts, and what joins
      the modalities waits.
    weight: of its losses after that; 0 for none.
  """
  found = []
  if share:
    found.append(Phase(share, (f'{_JOINT}:0',), only=name))
  return (*found, Phase(1.0, losses=(f'^{name}/:{weight}',)))


def untrained(methods: Sequence[Method]) -> float:
  """Fraction of all steps at whose end the task's loss counts for good."""
  phases = [x for method in methods for x in method.phases()]
  idle = [x for x in phases if x.only or factor_of(LOSS, x.losses) == 0]
  return max((x.until for x in idle), default=0.0)


def is_of(name: str, method: str) -> bool:
  """Whether a loss is one of a method's."""
  return name.startswith(f'{method}/')


def factor_of(name: str, losses: Sequence[str]) -> float:
  """The factor that a phase's REGEX:FACTOR texts give a loss."""
  parsed = optimizers.parse_groups(losses)
  return next((x for p, x in parsed if p.search(name)), 1.0)


def check_numbers(method: str, low: float, high: float, **values) -> None:
  """Checks arguments of a builder.

  Raises:
    UserError: for one that is not from `low` to `high` (or without limit).
  """
  for name, value in values.items():
    if not low <= value <= high:
      legal = f'from {low:g} to {high:g}'
      if high == float('inf'):
        legal = f'of at least {low:g}'
      raise errors.UserError(
        f'{method}({name}={value:g}): expected a number {legal}.'
      )


def check_pretraining(method: str, *, pretrain: float, weight: float) -> None:
  """Checks what `pretraining` is to be given.

  Raises:
    UserError: for an impossible share or weight.
  """
  check_numbers(method, 0, _MOST, pretrain=pretrain)
  check_numbers(method, 0, float('inf'), weight=weight)


def create_methods(
  specs: Sequence[str],
  *,
  task: types.Task,
  modalities: Sequence[str],
  given: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Method, ...]:
  """The methods of `specs`, in order.

  Args:
    specs: of METHODS.
    task: what is predicted.
    modalities: of the model.
    given: by modality, what its kind gives builders of encoders, which builders
      of methods are given as `kinds_give`.

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
    made = METHODS.build(
      part,
      task=task,
      modalities=tuple(modalities),
      kinds_give={m: dict(x) for m, x in (given or {}).items()},
    )
    found.append(made)
  return tuple(found)
