"""What combiners and exchanges offer, and the registries of both."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from fusion_jax.core import registry, spec, types

COMBINERS = registry.Registry('combiner', package='fusion_jax.fusion.combiners')
EXCHANGES = registry.Registry('exchange', package='fusion_jax.fusion.exchanges')


class Combiner(Protocol):
  """A linen module that turns features of all modalities into logits."""

  def __call__(
    self,
    features: dict[str, types.Features],
    present: dict[str, jax.Array],
    *,
    train: bool,
  ) -> tuple[jax.Array, dict[str, Any]]:
    """Returns ((b, s) logits, out).

    What an absent modality's features hold is zero.

    Args:
      features: by modality.
      present: by modality, (b,) bool.
      train: whether dropout and the like are on.
    """


def claims_of(combiner: str | spec.Spec) -> Mapping[str, Any]:
  """What a combiner claims.

  Of one that wraps another (`wraps` names the argument), what it has in common
  with that one: it interacts, and supports tasks, no more than what it wraps.
  """
  part = COMBINERS.check(combiner)
  entry = COMBINERS.get(part.name)
  argument = entry.claims.get('wraps')
  if not argument:
    return entry.claims
  inner = part.arguments.get(argument, entry.arguments[argument].default)
  found = claims_of(inner)
  return {
    **entry.claims,
    **{k: found[k] for k in ('interactions', 'tasks') if k in found},
  }


class Exchange(Protocol):
  """A linen module that lets encoders see each other between two stages."""

  def __call__(
    self,
    hidden: dict[str, types.Hidden],
    present: dict[str, jax.Array],
    *,
    train: bool,
  ) -> dict[str, types.Hidden]:
    """Returns hidden states of the same shapes.

    What is exchanged with a modality that a study lacks must have no effect on
    the others, whatever its hidden state holds.

    Args:
      hidden: by modality whose encoder is run.
      present: by modality, (b,) bool.
      train: whether dropout and the like are on.
    """


def concatenate(
  features: dict[str, types.Features], present: dict[str, jax.Array]
) -> jax.Array:
  """(b, sum c + modalities) pooled vectors and presence, in sorted order.

  An absent modality contributes zeros; its presence flag tells it from one
  that is there and happens to be zero.
  """
  columns = [features[m].pooled for m in sorted(features)]
  if len(features) > 1:
    columns += [
      present[m][:, None].astype(jnp.float32) for m in sorted(present)
    ]
  return jnp.concatenate(columns, axis=-1)
