"""A hidden layer of a multilayer perceptron."""

import flax.linen as nn

from fusion_jax.core import types


class Dense(nn.Module):
  """Affine map, ReLU and dropout."""

  width: int
  dropout: float

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (b, f) to (b, width)."""
    x = nn.relu(nn.Dense(self.width)(hidden.x))
    x = nn.Dropout(self.dropout, deterministic=not train)(x)
    return hidden.replace(x=x)
