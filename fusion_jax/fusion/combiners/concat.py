"""Concatenation and a multilayer perceptron."""

import flax.linen as nn

from fusion_jax.fusion import protocol

NAME = 'concat'


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
    x = protocol.concatenate(features, present)
    for width in self.hidden:
      x = nn.relu(nn.Dense(width)(x))
      x = nn.Dropout(self.dropout, deterministic=not train)(x)
    return nn.Dense(self.num_outputs, name='head')(x), {}


@protocol.COMBINERS.register(
  NAME, summary='concatenation and an MLP', interactions=True
)
def concat(
  *, num_outputs: int, hidden: tuple[int, ...] = (64,), dropout: float = 0.5
) -> Concat:
  """The head of joint fusion; with two layers, the model of early fusion."""
  return Concat(num_outputs, hidden, dropout)
