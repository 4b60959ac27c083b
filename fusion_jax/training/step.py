"""One pure training step; it knows no device."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import augment, optimizers, tasks
from fusion_jax.training import config as training_config


@flax.struct.dataclass
class TrainState:
  """What a step changes, and the numbers it is governed by.

  Attributes:
    step: () int32 steps taken.
    params: of the model.
    average: exponential moving average of `params`, the one that is used.
    opt_state: of the optimizer.
    key: PRNG key, folded with the step.
    total_steps: () int32 length of the schedule.
    learning_rate: () float32 peak rate.
    weight_decay: () float32.
  """

  step: jax.Array
  params: Any
  average: Any
  opt_state: Any
  key: jax.Array
  total_steps: jax.Array
  learning_rate: jax.Array
  weight_decay: jax.Array


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
  params = model.init(jax.random.fold_in(key, 0), batch)['params']
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    average=params,
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
  collective: tasks.Collective = tasks.LOCAL,
) -> tuple[tuple[jax.Array, jax.Array], Any]:
  """The (sum, weight) of the loss over all shards and its mean's gradient."""

  def mean_loss(params):
    logits, out = model.apply(
      {'params': params}, batch, train=True, rngs={'dropout': key}
    )
    total, weight = tasks.loss_sums(task, logits, batch, collective)
    all_weight = jnp.maximum(collective.psum(weight), 1e-6)
    # Auxiliary losses are means over the shard; its share of the weight turns
    # them into means over the batch once gradients are summed.
    extra = sum(out.get('losses', {}).values(), jnp.zeros(()))
    return (total + extra * weight) / all_weight, (total, weight)

  gradients, sums = jax.grad(mean_loss, has_aux=True)(params)
  return collective.psum(sums), collective.psum(gradients)


def train_step(
  state: TrainState,
  batch: types.Batch,
  *,
  model: models.FusionModel,
  task: types.Task,
  optimizer: optax.GradientTransformation,
  config: training_config.TrainingConfig,
  orientation_free: bool = False,
  collective: tasks.Collective = tasks.LOCAL,
) -> tuple[TrainState, dict[str, tuple[jax.Array, jax.Array]]]:
  """One AdamW step on `batch`.

  Args:
    state: before the step.
    batch: (b, ...) studies, or this shard's part of them.
    model: what is trained.
    task: gives the loss.
    optimizer: from `optimizers.create_optimizer`.
    config: schedule and augmentation.
    orientation_free: whether images may be mirrored and turned.
    collective: how to reach the other shards of the batch.

  Returns:
    The next state, and metrics as (sum, weight) pairs over all shards.
  """
  key = jax.random.fold_in(state.key, state.step)
  image = batch.inputs.get(types.IMAGE, {})
  if config.augment and 'pixels' in image:
    pixels = augment.augment(
      jax.random.fold_in(key, 1),
      image['pixels'],
      batch.position,
      config=config,
      orientation_free=orientation_free,
    )
    inputs = {**batch.inputs, types.IMAGE: {**image, 'pixels': pixels}}
    batch = batch.replace(inputs=inputs)
  sums, gradients = loss_and_gradients(
    state.params,
    batch,
    model=model,
    task=task,
    key=jax.random.fold_in(jax.random.fold_in(key, 2), collective.index()),
    collective=collective,
  )
  factor = optimizers.schedule(
    state.step, state.total_steps, warmup=config.warmup
  )
  opt_state = optimizers.with_hyperparameters(
    state.opt_state,
    learning_rate=state.learning_rate * factor,
    weight_decay=state.weight_decay,
  )
  updates, opt_state = optimizer.update(gradients, opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  # Shorter at first, so that the random start is soon forgotten.
  decay = jnp.minimum(config.average, (1.0 + state.step) / (10.0 + state.step))
  state = state.replace(
    step=state.step + 1,
    params=params,
    average=optax.incremental_update(params, state.average, 1.0 - decay),
    opt_state=opt_state,
  )
  return state, {'loss': sums}
