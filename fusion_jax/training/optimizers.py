"""Optimizers, schedules and parameter groups.

Learning rate and weight decay are data, so that trials share one program; what
is named by a spec is part of the program.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from fusion_jax.core import errors, registry

OPTIMIZERS = registry.Registry(
  'optimizer', package='fusion_jax.training.optimizers'
)
SCHEDULES = registry.Registry(
  'schedule', package='fusion_jax.training.optimizers'
)

# Paths of parameters that an error about them shows.
_SHOWN = 12


def _decayed(params):
  """Kernels and embeddings; neither biases nor normalisation."""
  return jax.tree.map(lambda x: x.ndim > 1, params)


@OPTIMIZERS.register('adamw', summary='Adam with decoupled weight decay')
def adamw(
  *,
  learning_rate,
  weight_decay,
  b1: float = 0.9,
  b2: float = 0.999,
  eps: float = 1e-8,
) -> optax.GradientTransformation:
  """Loshchilov and Hutter 2019, "Decoupled weight decay regularization"."""
  return optax.adamw(
    learning_rate,
    b1=b1,
    b2=b2,
    eps=eps,
    weight_decay=weight_decay,
    mask=_decayed,
  )


@OPTIMIZERS.register('sgd', summary='stochastic gradient descent')
def sgd(
  *, learning_rate, weight_decay, momentum: float = 0.9, nesterov: bool = False
) -> optax.GradientTransformation:
  """Gradient descent with momentum; decay is decoupled from it."""
  return optax.chain(
    optax.trace(decay=momentum, nesterov=nesterov)
    if momentum
    else optax.identity(),
    optax.add_decayed_weights(weight_decay, mask=_decayed),
    optax.scale_by_learning_rate(learning_rate),
  )


@OPTIMIZERS.register('lion', summary='sign of the momentum')
def lion(
  *, learning_rate, weight_decay, b1: float = 0.9, b2: float = 0.99
) -> optax.GradientTransformation:
  """Chen et al. 2023, "Symbolic discovery of optimization algorithms"."""
  return optax.lion(
    learning_rate, b1=b1, b2=b2, weight_decay=weight_decay, mask=_decayed
  )


Fall = Callable[[jax.Array], jax.Array]


@SCHEDULES.register('cosine', summary='falls along half a cosine')
def cosine(*, end: float = 0.0) -> Fall:
  """From 1 to `end`, where the argument goes from 0 to 1."""
  return lambda x: end + (1.0 - end) * (0.5 * (1.0 + jnp.cos(jnp.pi * x)))


@SCHEDULES.register('linear', summary='falls along a line')
def linear(*, end: float = 0.0) -> Fall:
  """From 1 to `end`, where the argument goes from 0 to 1."""
  return lambda x: end + (1.0 - end) * (1.0 - x)


@SCHEDULES.register('constant', summary='stays as it is after the warm-up')
def constant() -> Fall:
  """1 everywhere."""
  return jnp.ones_like


def create_optimizer(
  *,
  optimizer: str = 'adamw',
  clip_norm: float = 1.0,
  groups: Sequence[str] = (),
) -> optax.GradientTransformation:
  """The optimizer of a spec, after clipping by the global norm.

  Its state holds `hyperparams` 'learning_rate' and 'weight_decay', which
  `with_hyperparameters` sets; they are 0 before.

  Args:
    optimizer: spec of one of OPTIMIZERS.
    clip_norm: largest norm of all gradients together; 0 for no limit.
    groups: see `rates`. What has rate 0 takes no part: neither in the norm nor
      in the optimizer's memory.

  Raises:
    UserError: for an unknown optimizer, argument or malformed group.
  """
  parsed = parse_groups(groups)
  OPTIMIZERS.check(optimizer)

  def make(learning_rate, weight_decay):
    parts = [optax.clip_by_global_norm(clip_norm)] if clip_norm else []
    parts.append(
      OPTIMIZERS.build(
        optimizer, learning_rate=learning_rate, weight_decay=weight_decay
      )
    )
    made = optax.chain(*parts)
    if any(rate == 0 for _, rate in parsed):
      made = optax.masked(
        made, lambda tree: jax.tree.map(bool, rates(tree, groups))
      )
    return made

  return optax.inject_hyperparams(make)(learning_rate=0.0, weight_decay=0.0)


def with_hyperparameters(opt_state, *, learning_rate, weight_decay):
  """`opt_state` with both hyperparameters replaced."""
  hyperparams = {
    **opt_state.hyperparams,
    'learning_rate': jnp.asarray(learning_rate, jnp.float32),
    'weight_decay': jnp.asarray(weight_decay, jnp.float32),
  }
  return opt_state._replace(hyperparams=hyperparams)


def schedule(step, total, *, warmup: float, spec: str = 'cosine'):
  """Factor on the learning rate: a linear rise, then what `spec` says.

  Args:
    step: () int32, from 0.
    total: () int32 steps.
    warmup: fraction of the steps in which it rises.
    spec: of one of SCHEDULES.
  """
  total = jnp.maximum(total, 1).astype(jnp.float32)
  rise = jnp.maximum(warmup * total, 1.0)
  up = (step + 1.0) / rise
  down = jnp.clip((step - rise) / jnp.maximum(total - rise, 1.0), 0.0, 1.0)
  return jnp.minimum(up, SCHEDULES.build(spec)(down))


def parse_groups(groups: Sequence[str]) -> list[tuple[re.Pattern, float]]:
  """(pattern, rate) of texts REGEX:RATE.

  Raises:
    UserError: naming the one that is malformed.
  """
  found = []
  for group in groups:
    pattern, _, number = group.rpartition(':')
    try:
      rate = float(number)
      compiled = re.compile(pattern)
    except (ValueError, re.error):
      rate = -1.0
    if not pattern or not 0 <= rate < float('inf'):
      raise errors.UserError(
        f"training.groups: '{errors.brief(group)}' is no group such as "
        "'encoders_image/.*:0.1', a regular expression of parameters' paths "
        'and a factor on their learning rate (0 = frozen).'
      )
    found.append((compiled, rate))
  return found


def path_of(keys: Sequence[Any]) -> str:
  """The path of a leaf as rules see it, such as 'combiner/head/kernel'."""
  return '/'.join(str(getattr(k, 'key', getattr(k, 'idx', k))) for k in keys)


def paths(params: Any) -> list[str]:
  """Of all leaves, as rules see them."""
  return [path_of(k) for k, _ in jax.tree_util.tree_leaves_with_path(params)]


def rates(params: Any, groups: Sequence[str]) -> Any:
  """The factor on the learning rate of every parameter, as a tree of floats.

  The first group whose expression is found in a parameter's path counts; a
  parameter in no group has factor 1.

  Raises:
    UserError: for an expression that no parameter matches, naming those there
      are.
  """
  parsed = parse_groups(groups)
  known = paths(params)
  for pattern, _ in parsed:
    # Of the whole tree or, within `optax.masked`, of what is left of it.
    if not any(pattern.search(path) for path in known):
      rest = f', and {len(known) - _SHOWN} more' if len(known) > _SHOWN else ''
      raise errors.UserError(
        f"training.groups: no parameter matches '{pattern.pattern}'. "
        f'Parameters: {", ".join(known[:_SHOWN])}{rest}.'
      )

  def one(keys, _):
    path = path_of(keys)
    return next((r for p, r in parsed if p.search(path)), 1.0)

  return jax.tree_util.tree_map_with_path(one, params)


def scaled(updates: Any, rates: Any) -> Any:
  """Updates times the rates of their groups; exactly 0 where that is 0."""

  def one(update, rate):
    if rate == 0:
      return jnp.zeros_like(update)
    return update if rate == 1 else rate * update

  return jax.tree.map(one, updates, rates)
