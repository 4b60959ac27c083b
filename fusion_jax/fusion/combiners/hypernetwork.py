"""Layers whose weights the other modalities make.

Duenias et al. 2025, "HyperFusion: a hypernetwork approach to multimodal
integration of tabular and medical imaging data for predictive modeling",
Medical Image Analysis 102 (arXiv 2403.13319), section 3: weights and biases of
layers of the image network are linear functions of an embedding of the table.

What differs: the layer is one on top of the encoder's features, so that it is
possible for any kind; each modality has one, and all others make its weights.
What several make is added to weights of the layer's own, so that there is a
layer where a study has nothing else. These start as they would without a
hypernetwork, what is made a little smaller.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import checks, protocol


class Hypernetwork(nn.Module):
  """One layer a modality, its weights made of the others' embeddings.

  Attributes:
    num_outputs: number s of logits.
    width: of each layer.
    embedding: size of what weights are made of.
    dropout: rate after the layers.
  """

  num_outputs: int
  width: int = 16
  embedding: int = 8
  dropout: float = 0.5

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out)."""
    names = sorted(features)
    embedded = {}
    for m in names:
      x = nn.relu(
        nn.Dense(self.embedding, name=f'embed_{m}')(features[m].pooled)
      )
      # Not the embedding's bias either, of what is absent.
      embedded[m] = jnp.where(present[m][:, None], x, 0)
    columns = [self._layer(m, features[m].pooled, embedded) for m in names]
    columns = [
      jnp.where(present[m][:, None], x, 0)
      for m, x in zip(names, columns, strict=True)
    ]
    flags = jnp.stack([present[m] for m in names], axis=1)
    x = jnp.concatenate(columns, axis=1)
    x = nn.Dropout(self.dropout, deterministic=not train)(x)
    x = jnp.concatenate([x, flags.astype(x.dtype)], axis=1)
    return nn.Dense(self.num_outputs, name='head')(x), {}

  def _layer(self, m, x, embedded):
    """(b, width) of modality `m`, whose features are `x`."""
    c = x.shape[1]
    # With the shares of the others the layer has the variance of a usual one.
    small = nn.initializers.normal((c * self.embedding) ** -0.5)
    y = nn.Dense(self.width, name=f'own_{m}')(x)
    for other in sorted(embedded):
      if other == m:
        continue
      weights = self.param(
        f'weights_{other}_to_{m}', small, (self.embedding, c, self.width)
      )
      biases = self.param(
        f'biases_{other}_to_{m}', small, (self.embedding, self.width)
      )
      e = embedded[other]
      y += jnp.einsum('bc,be,ecw->bw', x, e, weights) + e @ biases
    return nn.relu(y)


@protocol.COMBINERS.register(
  'hypernetwork',
  summary='layers whose weights the other modalities make (HyperFusion 2025)',
  interactions=True,
)
def hypernetwork(
  *,
  num_outputs: int,
  width: int = 16,
  embedding: int = 8,
  dropout: float = 0.5,
) -> Hypernetwork:
  """For each pair, width x embedding x features weights in both directions."""
  checks.at_least_one('hypernetwork', width=width, embedding=embedding)
  checks.rate('hypernetwork', dropout=dropout)
  return Hypernetwork(num_outputs, width, embedding, dropout)
