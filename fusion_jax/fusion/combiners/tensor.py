"""The tensor fusion network.

Zadeh et al. 2017, "Tensor fusion network for multimodal sentiment analysis",
EMNLP, section 4.2: the outer product of all [z_m, 1], which holds every
modality, every product of two and of more, goes into a multilayer perceptron.

What differs: each z_m is one layer of `width` numbers, since the encoders stand
before it; that a modality is there is told the perceptron by a flag, and one
that a study lacks has z_m = 0, which leaves the products of the others.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import errors
from fusion_jax.fusion import checks, protocol

# With 64 units behind it, a layer of six million weights.
LARGEST = 100_000


class Tensor(nn.Module):
  """A multilayer perceptron on the outer product of all modalities.

  Attributes:
    num_outputs: number s of logits.
    width: of each modality's vector.
    hidden: widths of the hidden layers.
    dropout: rate on the tensor and after each hidden layer.
  """

  num_outputs: int
  width: int = 8
  hidden: tuple[int, ...] = (64,)
  dropout: float = 0.5

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    Raises:
      UserError: if the tensor has more than LARGEST numbers.
    """
    names = sorted(features)
    self._check_size(len(names))
    drop = nn.Dropout(self.dropout, deterministic=not train)
    x = None
    for m in names:
      z = nn.relu(nn.Dense(self.width, name=f'embed_{m}')(features[m].pooled))
      z = jnp.where(present[m][:, None], z, 0)
      z = jnp.concatenate([z, jnp.ones_like(z[:, :1])], axis=1)
      if x is None:
        x = z
      else:
        x = jnp.einsum('bi,bj->bij', x, z)
        x = x.reshape(x.shape[0], -1)  # (b, product of widths + 1)
    flags = jnp.stack([present[m] for m in names], axis=1).astype(x.dtype)
    x = jnp.concatenate([drop(x), flags], axis=1)
    for width in self.hidden:
      x = drop(nn.relu(nn.Dense(width)(x)))
    return nn.Dense(self.num_outputs, name='head')(x), {}

  def _check_size(self, modalities):
    size = (self.width + 1) ** modalities
    if size > LARGEST:
      raise errors.UserError(
        f'tensor(width={self.width}) of {modalities} modalities makes a tensor '
        f'of {size} numbers, of which {LARGEST} are the most: give a smaller '
        "width, or take 'lmf', which does not make the tensor."
      )


@protocol.COMBINERS.register(
  'tensor',
  summary='outer product of all modalities into an MLP (TFN, Zadeh 2017)',
  interactions=True,
)
def tensor(
  *,
  num_outputs: int,
  width: int = 8,
  hidden: tuple[int, ...] = (64,),
  dropout: float = 0.5,
) -> Tensor:
  """Its size is (width + 1) to the power of the number of modalities."""
  checks.at_least_one('tensor', width=width, hidden=min(hidden, default=1))
  checks.rate('tensor', dropout=dropout)
  return Tensor(num_outputs, width, hidden, dropout)
