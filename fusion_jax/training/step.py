"""One pure training step; it knows no device."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.training import config as training_config
from fusion_jax.training import optimizers, protocol, tasks

# Changes a batch at random: (key, batch) -> batch.
BatchChange = Callable[[jax.Array, types.Batch], types.Batch]

_DEFAULT = training_config.TrainingConfig()


@flax.struct.dataclass
class TrainState:
  """What a step changes, and the numbers it is governed by.

  Attributes:
    step: () int32 steps taken.
    params: of the model, which gradients change.
    collections: by name, the model's other variables, which its own forward
      pass changes, such as 'batch_stats'; may be empty.
    average: exponential moving average of all variables; None without one.
    opt_state: of the optimizer.
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


class Pass(NamedTuple):
  """What a forward and a backward pass of a batch give.

  Attributes:
    sums: by name of a loss, its (sum, weight) over all shards.
    gradients: of the sum of their means, over all shards.
    collections: as the forward pass leaves them, the same in all shards.
    out: what the model gave beside logits, of this shard's studies; None where
      no method reads it.
  """

  sums: dict[str, tuple[jax.Array, jax.Array]]
  gradients: Any
  collections: dict[str, Any]
  out: dict[str, Any] | None


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
) -> TrainState:
  """Initial state of `model`, whose parameters are drawn from `key`.

  Without `average` there is no moving average, nor memory for one.
  """
  variables = model.init(jax.random.fold_in(key, 0), batch)
  collections = {k: v for k, v in variables.items() if k != 'params'}
  # A model without parameters of its own still has an (empty) tree of them.
  params = variables.get('params', {})
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
    key=jax.random.fold_in(key, 1),
    total_steps=jnp.asarray(total_steps, jnp.int32),
    learning_rate=jnp.asarray(learning_rate, jnp.float32),
    weight_decay=jnp.asarray(weight_decay, jnp.float32),
  )


def _cast(tree: Any, dtype: str) -> Any:
  """float32 leaves as `dtype`."""
  if dtype == 'float32':
    return tree
  return jax.tree.map(
    lambda x: x.astype(dtype) if x.dtype == jnp.float32 else x, tree
  )


def _parts(tree: Any, count: int) -> Any:
  """(b, ...) as (count, b / count, ...), study i in part i modulo count.

  Neighbours go to different parts, so that where a batch is cut over devices
  each device holds an equal share of every part.
  """

  def one(x):
    x = x.reshape(-1, count, *x.shape[1:])  # (b / count, count, ...)
    return jnp.swapaxes(x, 0, 1)

  return jax.tree.map(one, tree)


def _joined(tree: Any) -> Any:
  """Undoes `_parts`."""
  return jax.tree.map(
    lambda x: jnp.swapaxes(x, 0, 1).reshape(-1, *x.shape[2:]), tree
  )


def _frozen_cut(params: Any, groups: tuple[str, ...]) -> Any:
  """`params`, no gradient reaching those of rate 0; nor is it computed."""
  if not groups:
    return params
  return jax.tree.map(
    lambda x, rate: x if rate else jax.lax.stop_gradient(x),
    params,
    optimizers.rates(params, groups),
  )


def _still(
  model: models.FusionModel, params: Any, groups: tuple[str, ...]
) -> models.FusionModel:
  """`model`, whose encoders of which every parameter has rate 0 are still.

  What they make of a study in training is then what they make of it outside.
  """
  if not groups:
    return model
  rates = optimizers.rates(params, groups)
  own = {m: rates.get(models.encoder_name(m)) for m in model.encoders}
  still = [m for m, x in own.items() if x and not any(jax.tree.leaves(x))]
  return model.clone(still=tuple(still))


def loss_and_gradients(
  params: Any,
  batch: types.Batch,
  *,
  model: models.FusionModel,
  task: types.Task,
  key: jax.Array,
  config: training_config.TrainingConfig = _DEFAULT,
  methods: Sequence[protocol.Method] = (),
  collections: dict[str, Any] | None = None,
  collective: tasks.Collective = tasks.LOCAL,
) -> Pass:
  """One pass over `batch`: its losses, gradients and changed collections.

  Raises:
    UserError: for a batch of a survival task in several parts.
  """
  if config.accumulate > 1 and task.kind == types.SURVIVAL:
    raise errors.UserError(
      f'training.accumulate={config.accumulate}: the loss of a survival task '
      'compares all studies of a batch; it needs training.accumulate=1.'
    )

  model = _still(model, params, config.groups)
  alone = any(m.alone for m in methods)
  keeps = any(m.changes_gradients for m in methods)

  def forward(params, collections, batch, key):
    """Losses by name as (sum, weight), changed collections, and out."""
    (logits, out), changed = model.apply(
      # Cast here, so that gradients arrive in the parameters' own float32.
      {'params': _cast(params, config.dtype), **collections},
      batch.replace(
        inputs=_cast(batch.inputs, config.dtype),
        features=_cast(batch.features, config.dtype),
      ),
      train=True,
      alone=alone,
      rngs={'dropout': key},
      mutable=list(collections),
    )
    logits, out = (_cast(x, 'float32') for x in (logits, out))
    changed = jax.tree.map(
      lambda new, old: new.astype(old.dtype), dict(changed), collections
    )
    sums = {'loss': tasks.loss_sums(task, logits, batch, collective)}
    for method in methods:
      more = method.losses(logits, out, batch, collective)
      if twice := sums.keys() & more.keys():
        raise errors.UserError(
          f"training.methods: two of them add a loss '{min(twice)}'."
        )
      sums |= more
    return sums, changed, out if keeps else None

  def gradients_of(params, collections, batch, key, weights=None):
    def mean_loss(params):
      params = _frozen_cut(params, config.groups)
      sums, *rest = forward(params, collections, batch, key)
      # Each shard, and each part, divides by the weight of the whole batch, so
      # that their gradients add up to its own.
      whole = weights or _weights(sums, collective)
      total = sum(s / whole[name] for name, (s, _) in sums.items())
      return total, (sums, *rest)

    return jax.grad(mean_loss, has_aux=True)(params)

  collections = collections or {}
  if config.accumulate == 1:
    gradients, (sums, changed, out) = gradients_of(
      params, collections, batch, key
    )
  else:
    gradients, (sums, changed, out) = _accumulated(
      forward,
      gradients_of,
      params,
      collections,
      batch,
      key,
      parts=config.accumulate,
      collective=collective,
    )
  return Pass(
    collective.psum(sums),
    collective.psum(gradients),
    # Normalisation that knows its axis has made them equal already. One that
    # does not leaves each shard its own: their mean keeps the state one.
    jax.tree.map(collective.mean, changed),
    out,
  )


def _weights(sums, collective):
  """By name, the weight of the whole batch, never 0."""
  return {
    name: jnp.maximum(collective.psum(weight), 1e-6)
    for name, (_, weight) in sums.items()
  }


def _accumulated(
  forward, gradients_of, params, collections, batch, key, *, parts, collective
):
  """What `gradients_of` gives for the whole batch, part by part."""
  cut = _parts(batch, parts)
  keys = jax.vmap(lambda k: jax.random.fold_in(key, k))(jnp.arange(parts))

  def weigh(item):
    return forward(params, collections, *item)[0]

  # Weights do not depend on the model: XLA drops its pass from this loop.
  sums = jax.tree.map(lambda x: x.sum(0), jax.lax.map(weigh, (cut, keys)))
  weights = _weights(sums, collective)

  def one(carry, item):
    gradients, collections = carry
    more, (sums, changed, out) = gradients_of(
      params, collections, *item, weights
    )
    return (jax.tree.map(jnp.add, gradients, more), changed), (sums, out)

  zeros = jax.tree.map(jnp.zeros_like, params)
  (gradients, changed), (sums, out) = jax.lax.scan(
    one, (zeros, collections), (cut, keys)
  )
  sums = jax.tree.map(lambda x: x.sum(0), sums)
  return gradients, (sums, changed, _joined(out))


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


def _scaled(updates: Any, rates: Any) -> Any:
  """Updates times the rates of their groups; exactly 0 where that is 0."""

  def one(update, rate):
    if rate == 0:
      return jnp.zeros_like(update)
    return update if rate == 1 else rate * update

  return jax.tree.map(one, updates, rates)


def _in_phase(updates: Any, state: TrainState, phases: Any) -> Any:
  """Updates times the rates of the phase that the step is in, if any.

  Which one is data, so that all phases are one program. The optimizer sees
  gradients of what is held back too: its moments are warm when that is let go,
  and its bias correction, which counts steps from the first, is right.
  """
  begin = jnp.zeros((), jnp.float32)
  for phase in phases:
    end = jnp.float32(phase.until) * state.total_steps
    inside = (state.step >= begin) & (state.step < end)
    begin = end
    scaled = _scaled(updates, optimizers.rates(state.params, phase.groups))
    updates = jax.tree.map(
      lambda new, old, inside=inside: jnp.where(inside, new, old),
      scaled,
      updates,
    )
  return updates


def _key(key: jax.Array, *numbers: Any) -> jax.Array:
  for number in numbers:
    key = jax.random.fold_in(key, number)
  return key


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
    The next state, and metrics as (sum, weight) pairs over all shards.
  """
  key = jax.random.fold_in(state.key, state.step)
  if augment:
    batch = augment(jax.random.fold_in(key, 1), batch)
  for number, method in enumerate(methods):
    batch = method.batch(_key(key, 3, number), batch)
  # What is drawn for a study follows from its row and is the same however the
  # batch is cut. Dropout is drawn for the shard as a whole: each needs its own.
  found = loss_and_gradients(
    state.params,
    batch,
    model=model,
    task=task,
    key=_key(key, 2, collective.index()),
    config=config,
    methods=methods,
    collections=state.collections,
    collective=collective,
  )
  gradients = found.gradients  # Summed over shards: methods see the batch's.
  for number, method in enumerate(methods):
    if method.changes_gradients:
      gradients = method.gradients(
        gradients,
        found.out,
        batch,
        key=_key(key, 4, number),
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
  updates = _scaled(updates, optimizers.rates(state.params, config.groups))
  for method in methods:
    phases = method.phases_of(optimizers.paths(state.params))
    updates = _in_phase(updates, state, phases)
  params = optax.apply_updates(state.params, updates)
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
  )
  return state, found.sums
