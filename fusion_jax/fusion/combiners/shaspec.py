"""Shared and specific features, the shared standing for what is absent.

Wang et al. 2023, "Multi-modal learning with missing modality via
shared-specific feature modelling", CVPR: of each modality an encoder of its own
makes specific features r_m, and one encoder for all makes shared features s_m.
Both are joined around a shortcut, f_m = proj([r_m, s_m]) + s_m; of a modality
that a study lacks, f_m is the mean of the shared features of those it has. All
f_m side by side go into the decoder.

What differs: the shared and the specific encoder are layers on the features of
one encoder for each modality, whose inputs differ in kind, the shared one after
a layer into one space; the decoder is a perceptron with one hidden layer. The
losses that make features shared and specific are added by the training method
of this name.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import checks, protocol


class ShaSpec(nn.Module):
  """Shared and specific features and a perceptron.

  Attributes:
    num_outputs: number s of logits.
    width: of the features.
    dropout: rate after the hidden layer.
  """

  num_outputs: int
  width: int = 64
  dropout: float = 0.5

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    out['shared'], out['specific'] (b, m, width) hold the features of
    modalities in sorted order, 0 of what is absent, and out['domains']
    (b, m, m) the logits by which the specific ones tell which modality they are
    of.
    """
    names = sorted(features)
    here = jnp.stack([present[m] for m in names], axis=1)[..., None]
    specific, inside = (
      jnp.stack(
        [
          nn.Dense(self.width, name=f'{what}_{m}')(features[m].pooled)
          for m in names
        ],
        axis=1,
      )
      for what in ('specific', 'inside')
    )  # (b, m, width)
    specific = jnp.where(here, nn.relu(specific), 0)
    shared = nn.Dense(self.width, name='shared')(nn.relu(inside))
    shared = jnp.where(here, shared, 0)
    joined = jnp.concatenate([specific, shared], axis=-1)
    joined = nn.Dense(self.width, name='project')(joined) + shared
    number = jnp.maximum(here.sum(1, keepdims=True), 1).astype(shared.dtype)
    mean = shared.sum(1, keepdims=True) / number
    x = jnp.where(here, joined, mean)
    x = x.reshape(len(x), -1)  # (b, m width)
    x = nn.relu(nn.Dense(self.width, name='hidden')(x))
    x = nn.Dropout(self.dropout, deterministic=not train)(x)
    return nn.Dense(self.num_outputs, name='head')(x), {
      'shared': shared,
      'specific': specific,
      'domains': nn.Dense(len(names), name='domains')(specific),
    }


@protocol.COMBINERS.register(
  'shaspec',
  summary='shared features stand for what is absent (ShaSpec, Wang 2023)',
  interactions=True,
  missing=True,
)
def shaspec(
  *, num_outputs: int, width: int = 64, dropout: float = 0.5
) -> ShaSpec:
  """Meant with the training method of the same name."""
  checks.at_least_one('shaspec', width=width)
  checks.rate('shaspec', dropout=dropout)
  return ShaSpec(num_outputs, width, dropout)
