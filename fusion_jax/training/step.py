"""One pure training step; it knows no device."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import config as training_config
from fusion_jax.training import optimizers, tasks

# Changes a batch at random: (key, batch) -> batch.
BatchChange = Callable[[jax.Array, types.Batch], types.Batch]


@flax.struct.dataclass
class TrainState:
  """What a step changes, and the numbers it is governed by.

  Attributes:
    step: () int32 steps taken.
    params: of the model, which gradients change.
    collections: by name, the model's other variables, which its own forward
      pass changes, such as 'batch_stats'; may be empty.
    average: exponential moving average of all variables, the one that is used.
    opt_state: of the optimizer.
    key: PRNG key, folded with the step.
    total_steps: () int32 length of the schedule.
    learning_rate: () float32 peak rate.
    weight_decay: () float32.
  """

  step: jax.Array
  params: Any
  collections: dict[str, Any]
  average: dict[str, Any]
  opt_state: Any
  key: jax.Array
  total_steps: jax.Array
  learning_rate: jax.Array
  weight_decay: jax.Array


class Pass(NamedTuple):
  """What a forward and a backward pass of a batch give.

  Attributes:
    sums: (sum, weight) of the loss over all shards.
    gradients: of its mean, over all shards.
    collections: as the forward pass leaves them, the same in all shards.
  """

  sums: tuple[jax.Array, jax.Array]
  gradients: Any
  collections: dict[str, Any]


def create_train_state(
  *,
  model: models.FusionModel,
  optimizer: optax.GradientTransformation,
  batch: types.Batch,
  key: jax.Array,
  total_steps: jax.Array,
  learning_rate: jax.Array,
  weight_decay: jax.Array,
) -> TrainState:
  """Initial state of `model`, whose parameters are drawn from `key`."""
  variables = model.init(jax.random.fold_in(key, 0), batch)
  collections = {k: v for k, v in variables.items() if k != 'params'}
  # A model without parameters of its own still has an (empty) tree of them.
  params = variables.get('params', {})
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    collections=collections,
    average={'params': params, **collections},
    opt_state=optimizers.with_hyperparameters(
      optimizer.init(params),
      learning_rate=learning_rate,
      weight_decay=weight_decay,
    ),
    key=jax.random.fold_in(key, 1),
    total_steps=jnp.asarray(total_steps, jnp.int32),
    learning_rate=jnp.asarray(learning_rate, jnp.float32),
    weight_decay=jnp.asarray(weight_decay, jnp.float32),
  )


def loss_and_gradients(
  params: Any,
  batch: types.Batch,
  *,
  model: models.FusionModel,
  task: types.Task,
  key: jax.Array,
  collections: dict[str, Any] | None = None,
  collective: tasks.Collective = tasks.LOCAL,
) -> Pass:
  """One pass over `batch`: its loss, gradients and changed collections."""
  collections = collections or {}

  def mean_loss(params):
    (logits, _), changed = model.apply(
      {'params': params, **collections},
      batch,
      train=True,
      rngs={'dropout': key},
      mutable=list(collections),
    )
    total, weight = tasks.loss_sums(task, logits, batch, collective)
    # Each shard divides by the weight of all, so that shards' gradients add up.
    all_weight = jnp.maximum(collective.psum(weight), 1e-6)
    return total / all_weight, ((total, weight), changed)

  gradients, (sums, changed) = jax.grad(mean_loss, has_aux=True)(params)
  return Pass(
    collective.psum(sums),
    collective.psum(gradients),
    # Normalisation that knows its axis has made them equal already. One that
    # does not leaves each shard its own: their mean keeps the state one.
    jax.tree.map(collective.mean, dict(changed)),
  )


def _averaged(new: Any, old: Any, decay: jax.Array) -> Any:
  """The moving average after one more step.

  Statistics of normalisation are averaged along with the parameters: those of
  the newest parameters would not fit the averaged ones, which lag behind.
  """

  def one(new, old):
    if not jnp.issubdtype(new.dtype, jnp.inexact):
      return new  # Counters have no mean.
    return (1.0 - decay) * new + decay * old

  return jax.tree.map(one, new, old)


def train_step(
  state: TrainState,
  batch: types.Batch,
  *,
  model: models.FusionModel,
  task: types.Task,
  optimizer: optax.GradientTransformation,
  config: training_config.TrainingConfig,
  augment: BatchChange | None = None,
  collective: tasks.Collective = tasks.LOCAL,
) -> tuple[TrainState, dict[str, tuple[jax.Array, jax.Array]]]:
  """One step of the optimizer on `batch`.

  Args:
    state: before the step.
    batch: (b, ...) studies, or this shard's part of them.
    model: what is trained.
    task: gives the loss.
    optimizer: from `optimizers.create_optimizer`.
    config: schedule and moving average.
    augment: changes what the model sees of the batch, at random.
    collective: how to reach the other shards of the batch.

  Returns:
    The next state, and metrics as (sum, weight) pairs over all shards.
  """
  key = jax.random.fold_in(state.key, state.step)
  if augment:
    batch = augment(jax.random.fold_in(key, 1), batch)
  # What is drawn for a study follows from its row and is the same however the
  # batch is cut. Dropout is drawn for the shard as a whole: each needs its own.
  found = loss_and_gradients(
    state.params,
    batch,
    model=model,
    task=task,
    key=jax.random.fold_in(jax.random.fold_in(key, 2), collective.index()),
    collections=state.collections,
    collective=collective,
  )
  factor = optimizers.schedule(
    state.step, state.total_steps, warmup=config.warmup
  )
  # Rates are part of the state, not of the program: members of a fleet and
  # trials that differ in them alone share one compilation.
  opt_state = optimizers.with_hyperparameters(
    state.opt_state,
    learning_rate=state.learning_rate * factor,
    weight_decay=state.weight_decay,
  )
  updates, opt_state = optimizer.update(
    found.gradients, opt_state, state.params
  )
  params = optax.apply_updates(state.params, updates)
  # Shorter at first, so that the random start is soon forgotten.
  decay = jnp.minimum(config.average, (1.0 + state.step) / (10.0 + state.step))
  state = state.replace(
    step=state.step + 1,
    params=params,
    collections=found.collections,
    average=_averaged(
      {'params': params, **found.collections}, state.average, decay
    ),
    opt_state=opt_state,
  )
  return state, {'loss': found.sums}
