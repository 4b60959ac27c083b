"""Combiners: features of the modalities -> logits."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import registry, types

COMBINERS = registry.Registry('combiner', package='fusion_jax.fusion')


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


class Linear(nn.Module):
  """One linear layer on the concatenation: additive in the logits.

  Each logit is a sum of one term per modality, so the layer cannot express an
  interaction between modalities.
  """

  num_outputs: int

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out)."""
    del train
    x = concatenate(features, present)
    return nn.Dense(self.num_outputs, name='head')(x), {}


class Concat(nn.Module):
  """Concatenation and a hidden layer, which can express interactions.

  Attributes:
    num_outputs: number s of logits.
    hidden: widths of the hidden layers.
    dropout: rate after each hidden layer.
  """

  num_outputs: int
  hidden: tuple[int, ...] = (64,)
  dropout: float = 0.5

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out)."""
    x = concatenate(features, present)
    for width in self.hidden:
      x = nn.relu(nn.Dense(width)(x))
      x = nn.Dropout(self.dropout, deterministic=not train)(x)
    return nn.Dense(self.num_outputs, name='head')(x), {}


@COMBINERS.register(
  'additive',
  summary='concatenation and one linear layer (additive in the logits)',
  interactions=False,
)
def additive(*, num_outputs: int) -> Linear:
  """Also the head of single-modality models."""
  return Linear(num_outputs)


@COMBINERS.register(
  'concat',
  summary='concatenation and an MLP with one hidden layer',
  interactions=True,
)
def concat(*, num_outputs: int) -> Concat:
  """The head of joint fusion."""
  return Concat(num_outputs)


@COMBINERS.register(
  'concat_deep',
  summary='concatenation and an MLP with two hidden layers',
  interactions=True,
)
def concat_deep(*, num_outputs: int) -> Concat:
  """The whole trained model of early fusion, types I and II."""
  return Concat(num_outputs, hidden=(64, 64))
