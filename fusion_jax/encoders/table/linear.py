"""One linear layer over columns, missing indicators and one-hot categories.

Without a hidden layer of its own, a combiner that is linear in the features
(additive) makes it a logistic regression, or a linear or Cox regression, that
is trained with the rest of the model.
"""

import flax.linen as nn
import jax

from fusion_jax.core import arguments, types
from fusion_jax.encoders import protocol
from fusion_jax.encoders.table import mlp


class Linear(nn.Module):
  """An affine map of all columns.

  Attributes:
    levels: codes a categorical column can take.
    width: of the pooled features.
  """

  levels: int
  width: int
  stages = ()

  def setup(self):
    self.first = nn.Dense(self.width)

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps f numbers and categories to hidden (b, width)."""
    del train
    onehot = jax.nn.one_hot(inputs['categorical'], self.levels)
    x = mlp.flatten(inputs, onehot.astype(inputs['numeric'].dtype))
    return types.Hidden.of_vector(self.first(x))

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose only token is the pooled vector."""
    del train
    return types.Features.of_vector(hidden.x)


@protocol.encoders('table').register(
  'linear', summary='one linear layer over all columns'
)
def linear(*, levels: int, width: int = 64) -> Linear:
  """For records of few studies, or to ask what depth adds."""
  arguments.at_least_one('linear', width=width)
  return Linear(levels, width)
