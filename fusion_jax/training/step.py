"""One pure training step; it knows no device."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.training import config as training_config
from fusion_jax.training import optimizers, phases, protocol, tasks

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


class Pass(NamedTuple):
  """What a forward and a backward pass of a batch give.

  Attributes:
    sums: by name of a loss, its (sum, weight) over all shards.
    gradients: of the sum of their means, over all shards.
    collections: as the forward pass leaves them, the same in all shards.
    out: what the model gave beside logits, of this shard's studies; None where
      no method reads it.
    by_loss: by name of a loss, the gradients of its mean, over all shards; None
      where no method reads them.
  """

  sums: dict[str, tuple[jax.Array, jax.Array]]
  gradients: Any
  collections: dict[str, Any]
  out: dict[str, Any] | None
  by_loss: dict[str, Any] | None


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
  if own := _modules(methods):
    _, out = model.apply(variables, batch)
    for number, (name, module) in enumerate(own.items()):
      drawn = module.init(_key(key, 2, number), out, batch)
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


def _modules(methods: Sequence[protocol.Method]) -> dict[str, Any]:
  """By name, the modules of all methods.

  Raises:
    UserError: if two have one of the same name.
  """
  found: dict[str, Any] = {}
  for method in methods:
    own = method.modules()
    if twice := found.keys() & own.keys():
      raise errors.UserError(
        f"training.methods: '{min(twice)}' is there twice."
      )
    found |= own
  return found


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
  factor: Callable[[str], Any] | None = None,
) -> Pass:
  """One pass over `batch`: its losses, gradients and changed collections.

  `factor` gives by name of a loss how much its gradient counts, all of it if
  None.

  Raises:
    UserError: for a batch in several parts where a loss compares all of it.
  """
  if config.accumulate > 1:
    comparing = [type(m).__name__ for m in methods if m.compares]
    if task.kind == types.SURVIVAL:
      comparing.append('a survival task')
    if comparing:
      raise errors.UserError(
        f'training.accumulate={config.accumulate}: the loss of {comparing[-1]} '
        'compares all studies of a batch; it needs training.accumulate=1.'
      )

  model = _still(model, params, config.groups)
  alone = any(m.alone for m in methods)
  subsets = tuple(sorted({x for m in methods for x in m.subsets}))
  keeps = any(m.keeps_out for m in methods)
  by_loss = {name for m in methods for name in m.by_loss}
  modules = _modules(methods)

  def changed_features(batch, features):
    for method in methods:
      features = method.features(features, batch, collective)
    return features

  def forward(params, collections, batch, key):
    """Losses by name as (sum, weight), changed collections, and out."""
    change = None
    if any(m.changes_features for m in methods):
      change = functools.partial(changed_features, batch)
    own = {
      # Heads of losses are small: they run in full precision.
      name: functools.partial(
        module.apply,
        {'params': params[protocol.module_name(name)]},
        rngs={'dropout': _key(key, 1)},
      )
      for name, module in modules.items()
    }
    (logits, out), changed = model.apply(
      # Cast here, so that gradients arrive in the parameters' own float32.
      {
        'params': _cast(protocol.without_modules(params), config.dtype),
        **collections,
      },
      batch.replace(
        inputs=_cast(batch.inputs, config.dtype),
        features=_cast(batch.features, config.dtype),
      ),
      train=True,
      alone=alone,
      subsets=subsets,
      change=change,
      rngs={'dropout': key},
      mutable=list(collections),
    )
    logits, out = (_cast(x, 'float32') for x in (logits, out))
    changed = jax.tree.map(
      lambda new, old: new.astype(old.dtype), dict(changed), collections
    )
    sums = {protocol.LOSS: tasks.loss_sums(task, logits, batch, collective)}
    for method in methods:
      instead = method.task_loss(logits, batch, collective)
      if instead is not None:
        sums[protocol.LOSS] = instead
    for method in methods:
      more = method.losses(logits, {**out, 'own': own}, batch, collective)
      if twice := sums.keys() & more.keys():
        raise errors.UserError(
          f"training.methods: two of them add a loss '{min(twice)}'."
        )
      sums |= more
    return sums, changed, out if keeps else None

  def gradients_of(params, collections, batch, key, weights=None):
    def mean_losses(params):
      params = _frozen_cut(params, config.groups)
      sums, *rest = forward(params, collections, batch, key)
      # Each shard, and each part, divides by the weight of the whole batch, so
      # that their gradients add up to its own.
      whole = weights or _weights(sums, collective)
      means = {name: s / whole[name] for name, (s, _) in sums.items()}
      if factor is not None:
        means = {name: factor(name) * x for name, x in means.items()}
      return means, (sums, *rest)

    def mean_loss(params):
      means, rest = mean_losses(params)
      return sum(means.values()), rest

    if not by_loss:
      gradients, rest = jax.grad(mean_loss, has_aux=True)(params)
      return (gradients, None), rest
    means, pull, rest = jax.vjp(mean_losses, params, has_aux=True)

    def of(names):
      return pull({k: jnp.float32(k in names) for k in means})[0]

    asked = [x for x in means if {x, x.partition('/')[0]} & by_loss]
    each = {name: of({name}) for name in asked}
    others = [of(means.keys() - {*asked})] if len(asked) < len(means) else []
    whole = jax.tree.map(lambda *x: sum(x), *each.values(), *others)
    return (whole, each), rest

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
  gradients, each = collective.psum(gradients)
  return Pass(
    collective.psum(sums),
    gradients,
    # Normalisation that knows its axis has made them equal already. One that
    # does not leaves each shard its own: their mean keeps the state one.
    jax.tree.map(collective.mean, changed),
    out,
    each,
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

  first = jax.tree.map(lambda x: x[0], (cut, keys))
  zeros = jax.tree.map(
    lambda x: jnp.zeros(x.shape, x.dtype),
    jax.eval_shape(
      lambda: gradients_of(params, collections, *first, weights)[0]
    ),
  )
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


def _key(key: jax.Array, *numbers: Any) -> jax.Array:
  for number in numbers:
    key = jax.random.fold_in(key, number)
  return key


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
    after = method.batch(_key(key, 3, number), batch)
    batch = clock.batch(batch, after, method)
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
  updates = optimizers.scaled(
    updates, optimizers.rates(state.params, config.groups)
  )
  for method in methods:
    updates = optimizers.in_phase(
      updates,
      state.params,
      method.phases_of(optimizers.paths(state.params)),
      step=state.step,
      total_steps=state.total_steps,
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
