"""One pure training step; it knows no device."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import backward, optimizers, phases, protocol, tasks
from fusion_jax.training import config as training_config

# Changes a batch at random: (key, batch) -> batch.
BatchChange = Callable[[jax.Array, types.Batch], types.Batch]

_DEFAULT = training_config.TrainingConfig()
# Before a modality, in metrics that are no losses.
WATCHED = 'gradient/'


@flax.struct.dataclass
class TrainState:
  """What a step changes, and the numbers it is governed by.

  Attributes:
    step: () int32 steps taken.
    params: of the model and of methods' own modules, which gradients change.
    collections: by name, the model's other variables, which its own forward
      pass changes, such as 'batch_stats'; may be empty.
    average: exponential moving average of all variables; None without one.
    opt_state: of the optimizer.
    memory: by method, what it keeps from step to step.
    key: PRNG key, folded with the step.
    total_steps: () int32 length of the schedule.
    learning_rate: () float32 peak rate.
    weight_decay: () float32.
  """

  step: jax.Array
  params: Any
  collections: dict[str, Any]
  average: dict[str, Any] | None
  opt_state: Any
  memory: tuple[Any, ...]
  key: jax.Array
  total_steps: jax.Array
  learning_rate: jax.Array
  weight_decay: jax.Array

  @property
  def used(self) -> dict[str, Any]:
    """The variables that are validated and kept."""
    if self.average is not None:
      return self.average
    return {'params': self.params, **self.collections}

  def starting_from(self, variables: dict[str, Any]) -> 'TrainState':
    """The state with some variables of some modules replaced.

    `variables` are by collection ('params', 'batch_stats'), module and what is
    in it.
    """
    params = with_modules(self.params, variables.get('params', {}))
    collections = {
      name: with_modules(tree, variables.get(name, {}))
      for name, tree in self.collections.items()
    }
    average = self.average and {'params': params, **collections}
    return self.replace(params=params, collections=collections, average=average)


def with_modules(
  tree: dict[str, Any], modules: dict[str, dict[str, Any]]
) -> dict[str, Any]:
  """`tree` by module, with what is in some of them replaced."""
  return {**tree, **{m: {**tree[m], **x} for m, x in modules.items()}}


def create_train_state(
  *,
  model: models.FusionModel,
  optimizer: optax.GradientTransformation,
  batch: types.Batch,
  key: jax.Array,
  total_steps: jax.Array,
  learning_rate: jax.Array,
  weight_decay: jax.Array,
  average: bool = True,
  methods: Sequence[protocol.Method] = (),
) -> TrainState:
  """Initial state of `model`, whose parameters are drawn from `key`.

  Without `average` there is no moving average, nor memory for one. `methods`
  are those of the steps; they may have parameters of their own beside the
  model's, which are the same with them as without.
  """
  variables = model.init(jax.random.fold_in(key, 0), batch)
  collections = {k: v for k, v in variables.items() if k != 'params'}
  # A model without parameters of its own still has an (empty) tree of them.
  params = dict(variables.get('params', {}))
  if own := backward.modules_of(methods):
    _, out = model.apply(variables, batch)
    for number, (name, module) in enumerate(own.items()):
      drawn = module.init(backward.folded(key, 2, number), out, batch)
      params[protocol.module_name(name)] = drawn.get('params', {})
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    collections=collections,
    average={'params': params, **collections} if average else None,
    opt_state=optimizers.with_hyperparameters(
      optimizer.init(params),
      learning_rate=learning_rate,
      weight_decay=weight_decay,
    ),
    memory=tuple(m.memory(params) for m in methods),
    key=jax.random.fold_in(key, 1),
    total_steps=jnp.asarray(total_steps, jnp.int32),
    learning_rate=jnp.asarray(learning_rate, jnp.float32),
    weight_decay=jnp.asarray(weight_decay, jnp.float32),
  )


def _averaged(new: Any, old: Any, decay: jax.Array) -> Any:
  """The moving average after one more step.

  Statistics of normalisation are averaged along with the parameters: those of
  the newest parameters would not fit the averaged ones, which lag behind.
  """

  def one(new, old):
    if not jnp.issubdtype(new.dtype, jnp.inexact):
      return new  # Counters have no mean.
    # What is frozen stays what it is: the sum would be rounded.
    return jnp.where(new == old, old, (1.0 - decay) * new + decay * old)

  return jax.tree.map(one, new, old)


def _norms(model, gradients, config):
  """By WATCHED + modality, (norm, 1) of the gradient of its encoder."""
  if not config.watch:
    return {}
  found = {}
  for m in model.encoders:
    leaves = jax.tree.leaves(gradients.get(models.encoder_name(m), {}))
    square = sum((jnp.square(x).sum() for x in leaves), jnp.float32(0))
    found[f'{WATCHED}{m}'] = jnp.sqrt(square), jnp.float32(1)
  return found


def train_step(
  state: TrainState,
  batch: types.Batch,
  *,
  model: models.FusionModel,
  task: types.Task,
  optimizer: optax.GradientTransformation,
  config: training_config.TrainingConfig,
  methods: Sequence[protocol.Method] = (),
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
    config: schedule, groups, moving average, precision.
    methods: applied in order around the step.
    augment: changes what the model sees of the batch, at random.
    collective: how to reach the other shards of the batch.

  Returns:
    The next state, and metrics as (sum, weight) pairs over all shards: losses
    by name and, where they are watched, norms of gradients (WATCHED).
  """
  key = jax.random.fold_in(state.key, state.step)
  methods = [
    m.recalling(x, state.params)
    for m, x in zip(methods, state.memory, strict=True)
  ]
  clock = phases.Clock(state.step, state.total_steps)
  if augment:
    batch = augment(jax.random.fold_in(key, 1), batch)
  for number, method in enumerate(methods):
    after = method.batch(backward.folded(key, 3, number), batch)
    batch = clock.batch(batch, after, method)
  # What is drawn for a study follows from its row and is the same however the
  # batch is cut. Dropout is drawn for the shard as a whole: each needs its own.
  found = backward.loss_and_gradients(
    state.params,
    batch,
    model=model,
    task=task,
    key=backward.folded(key, 2, collective.index()),
    config=config,
    methods=methods,
    collections=state.collections,
    collective=collective,
    factor=clock.factor(methods),
  )
  gradients = found.gradients  # Summed over shards: methods see the batch's.
  for number, method in enumerate(methods):
    if method.changes_gradients:
      out = (
        {**found.out, 'gradients': found.by_loss}
        if method.by_loss
        else found.out
      )
      gradients = method.gradients(
        gradients,
        out,
        batch,
        key=backward.folded(key, 4, number),
        collective=collective,
      )
  factor = optimizers.schedule(
    state.step,
    state.total_steps,
    warmup=config.warmup,
    spec=config.schedule,
  )
  # Rates are part of the state, not of the program: members of a fleet and
  # trials that differ in them alone share one compilation.
  opt_state = optimizers.with_hyperparameters(
    state.opt_state,
    learning_rate=state.learning_rate * factor,
    weight_decay=state.weight_decay,
  )
  updates, opt_state = optimizer.update(gradients, opt_state, state.params)
  # Decay is part of the update, so that a group's rate scales it too.
  updates = optimizers.scaled(
    updates, optimizers.rates(state.params, config.groups)
  )
  for method in methods:
    updates = clock.updates(
      updates,
      state.params,
      method.phases_of(optimizers.paths(state.params)),
    )
  params = optax.apply_updates(state.params, updates)
  taken = protocol.Taken(
    found.sums, found.gradients, found.out, batch, collective
  )
  average = None
  if state.average is not None:
    # Shorter at first, so that the random start is soon forgotten.
    decay = jnp.minimum(
      config.average, (1.0 + state.step) / (10.0 + state.step)
    )
    average = _averaged(
      {'params': params, **found.collections}, state.average, decay
    )
  state = state.replace(
    step=state.step + 1,
    params=params,
    collections=found.collections,
    average=average,
    opt_state=opt_state,
    memory=tuple(
      m.after_step(x, taken) for m, x in zip(methods, state.memory, strict=True)
    ),
  )
  return state, {**found.sums, **_norms(model, found.gradients, config)}
