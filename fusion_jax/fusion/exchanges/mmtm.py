"""The multimodal transfer module.

Joze et al. 2020, "MMTM: multimodal transfer module for CNN fusion", CVPR,
section 3.2: a joint vector is made of all modalities' channel means,
Z = W [S_A, S_B] + b, of a quarter of their number; of it each modality has
gates for its own channels, 2 sigmoid(W_A Z + b_A).

What differs: any number of modalities, W being a sum of one layer each, so that
one that a study lacks has no part; a ReLU on Z, as in the authors' code; the
gates' layers start at 0, where gates are 1 and the model is the one without the
exchange. A study with one modality is left as it is.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import checks, protocol


class MMTM(nn.Module):
  """Gates on the channels of each modality, made of all modalities' means.

  Attributes:
    reduction: by how much the joint vector is shorter than all means together.
  """

  reduction: int = 4

  @nn.compact
  def __call__(self, hidden, present, *, train: bool):
    """Returns the hidden states by modality, of the same shapes."""
    del train
    names = sorted(hidden)
    if len(names) < 2:
      return dict(hidden)
    channels = sum(hidden[m].x.shape[-1] for m in names)
    size = max(channels // self.reduction, 1)
    joint = jnp.zeros((1, size), hidden[names[0]].x.dtype)
    joint += self.param('bias', nn.initializers.zeros, (size,))
    for m in names:
      # What an absent modality holds must not even be multiplied by 0.
      mean = jnp.where(present[m][:, None], hidden[m].pooled(), 0)
      joint += nn.Dense(size, use_bias=False, name=f'squeeze_{m}')(mean)
    joint = nn.relu(joint)
    several = sum(present[m].astype(jnp.int32) for m in names) > 1
    changed = {}
    for m in names:
      x = hidden[m].x
      gates = nn.Dense(
        x.shape[-1], kernel_init=nn.initializers.zeros, name=f'excite_{m}'
      )(joint)
      gates = jnp.where(several[:, None], 2 * nn.sigmoid(gates), 1)
      gates = gates.reshape(len(x), *(1,) * (x.ndim - 2), -1)  # (b, 1..., c)
      changed[m] = hidden[m].replace(x=x * gates)
    return changed


@protocol.EXCHANGES.register(
  'mmtm', summary='gates on channels by all modalities (MMTM, Joze 2020)'
)
def mmtm(*, reduction: int = 4) -> MMTM:
  """Gates of squeeze-and-excitation, made of all modalities together."""
  checks.at_least_one('mmtm', reduction=reduction)
  return MMTM(reduction)
