"""Losses of a batch and their gradients, of one pass or of several parts."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.training import config as training_config
from fusion_jax.training import optimizers, protocol, tasks

_DEFAULT = training_config.TrainingConfig()


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
  modules = modules_of(methods)

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
        rngs={'dropout': folded(key, 1)},
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


def _cast(tree: Any, dtype: str) -> Any:
  """float32 leaves as `dtype`."""
  if dtype == 'float32':
    return tree
  return jax.tree.map(
    lambda x: x.astype(dtype) if x.dtype == jnp.float32 else x, tree
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


def modules_of(methods: Sequence[protocol.Method]) -> dict[str, Any]:
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


def folded(key: jax.Array, *numbers: Any) -> jax.Array:
  """A key of its own for each sequence of numbers."""
  for number in numbers:
    key = jax.random.fold_in(key, number)
  return key
