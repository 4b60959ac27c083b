"""One linear layer on the concatenation."""

import flax.linen as nn

from fusion_jax.fusion import protocol


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
    x = protocol.concatenate(features, present)
    return nn.Dense(self.num_outputs, name='head')(x), {}


@protocol.COMBINERS.register(
  'additive',
  summary='concatenation and one linear layer (additive in the logits)',
  interactions=False,
)
def additive(*, num_outputs: int) -> Linear:
  """Also the head of single-modality models."""
  return Linear(num_outputs)
