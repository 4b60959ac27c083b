"""A hidden array that attends to one modality after another.

Hemker et al. 2024, "HEALNet: multimodal fusion for heterogeneous biomedical
data", NeurIPS, section 3, after Jaegle et al. 2021, "Perceiver: general
perception with iterative attention", ICML: in each layer learnt latent vectors
attend to the tokens of each modality in turn, then to themselves. A modality
that a study lacks is skipped.

What differs: tokens are those of the encoders, without Fourier features of
their places; softmax at temperature 1, GELU in place of gated SELU and nothing
after the attention's last layer, as in the Perceiver. Each layer has weights of
its own, the default of the authors' code.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.encoders import attention as self_attention
from fusion_jax.fusion import attention, checks, protocol
from fusion_jax.fusion import tokens as tokens_lib


class Perceiver(nn.Module):
  """Latent vectors, layers, their mean and a linear layer.

  Attributes:
    num_outputs: number s of logits.
    width: of tokens and latent vectors.
    latents: number of these.
    depth: layers.
    heads: of their attention.
    dropout: rate.
  """

  num_outputs: int
  width: int = 64
  latents: int = 8
  depth: int = 2
  heads: int = 4
  dropout: float = 0.1

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    out['attention'] by modality holds (b, latents, t), to which tokens the
    latent vectors attend in the last layer, the mean over heads.
    """
    tokens, masks = tokens_lib.Tokens(self.width, name='embed')(
      features, present
    )
    names = sorted(tokens)
    latents = self.param(
      'latents', nn.initializers.normal(1.0), (self.latents, self.width)
    )
    first = tokens[names[0]]
    x = jnp.broadcast_to(latents, (len(first), *latents.shape))
    x = x.astype(first.dtype)
    weights = {}
    for k in range(self.depth):
      for m in names:
        block = attention.CrossBlock(
          self.heads, dropout=self.dropout, name=f'{m}_{k}'
        )
        x, shares = block(x, tokens[m], masks[m], train=train)
        weights[m] = shares.mean(1)
      block = self_attention.Block(
        self.heads, ratio=2, dropout=self.dropout, name=f'latent_{k}'
      )
      x = block(types.Hidden(x, jnp.ones(x.shape[:2], bool)), train=train).x
    x = nn.LayerNorm(name='norm')(x.mean(1))
    return nn.Dense(self.num_outputs, name='head')(x), {'attention': weights}


@protocol.COMBINERS.register(
  'perceiver',
  summary='latent vectors attend to one modality after another (HEALNet 2024)',
  interactions=True,
)
def perceiver(
  *,
  num_outputs: int,
  width: int = 64,
  latents: int = 8,
  depth: int = 2,
  heads: int = 4,
  dropout: float = 0.1,
) -> Perceiver:
  """Its cost grows with the number of tokens, not with its square."""
  checks.attention('perceiver', width=width, heads=heads, dropout=dropout)
  checks.at_least_one('perceiver', latents=latents, depth=depth)
  return Perceiver(num_outputs, width, latents, depth, heads, dropout)
