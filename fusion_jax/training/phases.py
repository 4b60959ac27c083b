"""What counts in the phase that a step is in.

Which one is data, so that all phases of a training are one program.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.training import optimizers, protocol


@dataclasses.dataclass(frozen=True)
class Clock:
  """Where in its training a model is.

  Attributes:
    step: () int32 steps taken.
    total: () int32 steps of the whole training.
  """

  step: jax.Array
  total: jax.Array

  def _insides(
    self, phases: Sequence[protocol.Phase]
  ) -> Iterator[tuple[protocol.Phase, jax.Array]]:
    """Each phase, and () bool whether it is now."""
    begin = jnp.zeros((), jnp.float32)
    for phase in phases:
      end = jnp.float32(phase.until) * self.total
      yield phase, (self.step >= begin) & (self.step < end)
      begin = end

  def batch(
    self, before: types.Batch, after: types.Batch, method: protocol.Method
  ) -> types.Batch:
    """What a method made of a batch, or its inputs as they were (`first`)."""
    if not method.first:
      return after
    now = jnp.zeros((), bool)
    for phase, inside in self._insides(method.phases()):
      now |= inside & bool(phase.only)
    inputs = jax.tree.map(
      lambda new, old: jnp.where(now, new, old), after.inputs, before.inputs
    )
    return after.replace(inputs=inputs)

  def updates(
    self, updates: Any, params: Any, phases: Sequence[protocol.Phase]
  ) -> Any:
    """Updates times the rates of the phase that is now, if any.

    The optimizer sees gradients of what is held back too: its moments are warm
    when that is let go, and its bias correction, which counts steps from the
    first, is right.

    Args:
      updates: of all parameters.
      params: whose paths tell their groups.
      phases: of one method.
    """
    for phase, inside in self._insides(phases):
      updates = jax.tree.map(
        lambda new, old, inside=inside: jnp.where(inside, new, old),
        optimizers.scaled(updates, optimizers.rates(params, phase.groups)),
        updates,
      )
    return updates

  def factor(
    self, methods: Sequence[protocol.Method]
  ) -> Callable[[str], jax.Array] | None:
    """By name of a loss, how much of it counts now; None if all of it does."""
    phases = [m.phases() for m in methods]
    if not any(x.losses or x.only for own in phases for x in own):
      return None
    insides = [x for own in phases for x in self._insides(own)]

    def of(name):
      found = jnp.ones((), jnp.float32)
      others = mine = jnp.zeros((), bool)
      for phase, inside in insides:
        share = protocol.factor_of(name, phase.losses)
        if share != 1:
          found = found * jnp.where(inside, share, 1.0)
        if phase.only and protocol.is_of(name, phase.only):
          mine |= inside
        elif phase.only:
          others |= inside
      return jnp.where(others & ~mine, 0.0, found)

    return of
