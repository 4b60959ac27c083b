"""Attention to the channels of all modalities.

Hu et al. 2018, "Squeeze-and-excitation networks", CVPR, equations 3 and 4: two
layers make of all channels a weight for each, s = sigmoid(W_2 relu(W_1 z)), by
which it is multiplied. Channels of one modality are so weighed by another, as
those of images are by clinical data in Duanmu et al. 2020, "Prediction of
pathological complete response to neoadjuvant chemotherapy in breast cancer
using deep learning with integrative imaging, molecular and demographic data",
MICCAI.

What differs: the channels are those of the modalities' pooled vectors side by
side, which are already squeezed, with flags of which are there; all modalities
weigh all; layers have biases.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import checks, protocol

# A narrower layer could not tell modalities apart.
_NARROWEST = 4


class ChannelAttention(nn.Module):
  """One linear layer on channels that are weighed by all modalities.

  Attributes:
    num_outputs: number s of logits.
    reduction: by how much the layer in between is narrower than the channels.
    dropout: rate on the weighed channels.
  """

  num_outputs: int
  reduction: int = 4
  dropout: float = 0.5

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    out['attention'] by modality (b, c), the weights of its channels.
    """
    names = sorted(features)
    everything = protocol.concatenate(features, present)
    z = jnp.concatenate([features[m].pooled for m in names], axis=1)
    flags = everything[:, z.shape[1] :]
    squeezed = max(z.shape[1] // self.reduction, _NARROWEST)
    s = nn.relu(nn.Dense(squeezed, name='squeeze')(everything))
    s = nn.sigmoid(nn.Dense(z.shape[1], name='excite')(s))
    x = nn.Dropout(self.dropout, deterministic=not train)(s * z)
    x = jnp.concatenate([x, flags], axis=1)
    ends = [features[m].pooled.shape[1] for m in names]
    ends = [sum(ends[: k + 1]) for k in range(len(ends) - 1)]
    weights = dict(zip(names, jnp.split(s, ends, axis=1), strict=True))
    return nn.Dense(self.num_outputs, name='head')(x), {'attention': weights}


@protocol.COMBINERS.register(
  'channel_attention',
  summary='channels weighed by all modalities (squeeze-excitation, Hu 2018)',
  interactions=True,
)
def channel_attention(
  *, num_outputs: int, reduction: int = 4, dropout: float = 0.5
) -> ChannelAttention:
  """A linear layer whose inputs are weighed study by study."""
  checks.at_least_one('channel_attention', reduction=reduction)
  checks.rate('channel_attention', dropout=dropout)
  return ChannelAttention(num_outputs, reduction, dropout)
