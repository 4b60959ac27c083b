"""The multimodal bottleneck transformer.

Nagrani et al. 2021, "Attention bottlenecks for multimodal fusion", NeurIPS,
section 3.2: each modality has blocks of its own, over its tokens and a few
tokens that all share; in each layer every modality changes the shared ones, and
their mean goes into the next. The logits are the mean over modalities of one
linear layer on each one's class token.

What differs: tokens are those of the encoders, whose own layers are the ones
before fusion; a modality that a study lacks has no part in either mean.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import errors, types
from fusion_jax.encoders import attention
from fusion_jax.fusion import checks, protocol
from fusion_jax.fusion import tokens as tokens_lib

_SMALL = nn.initializers.normal(0.02)


class Bottleneck(nn.Module):
  """Blocks by modality that see each other through shared tokens only.

  Attributes:
    num_outputs: number s of logits.
    width: of the tokens.
    shared: number of tokens that all modalities share.
    depth: layers.
    heads: of their attention.
    dropout: rate.
  """

  num_outputs: int
  width: int = 64
  shared: int = 4
  depth: int = 2
  heads: int = 4
  dropout: float = 0.1

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    out['logits'] by modality (b, s), of whose mean over the modalities that a
    study has the logits consist; 0 of what is absent.
    """
    tokens, masks = tokens_lib.Tokens(self.width, name='embed')(
      features, present
    )
    names = sorted(tokens)
    here = jnp.stack([present[m] for m in names], axis=1)[..., None]
    count = jnp.maximum(here.sum(1), 1)  # (b, 1)
    b, dtype = here.shape[0], tokens[names[0]].dtype
    shared = self._learnt('shared', (self.shared, self.width), b, dtype)
    for m in names:
      first = self._learnt(f'class_{m}', (1, self.width), b, dtype)
      tokens[m] = jnp.concatenate([first, tokens[m]], axis=1)
      masks[m] = jnp.pad(
        masks[m], [(0, 0), (1, self.shared)], constant_values=True
      )
    for k in range(self.depth):
      seen = []
      for m in names:
        block = attention.Block(
          self.heads, dropout=self.dropout, name=f'block_{m}_{k}'
        )
        x = jnp.concatenate([tokens[m], shared], axis=1)
        x = block(types.Hidden(x, masks[m]), train=train).x
        tokens[m], own = jnp.split(x, [tokens[m].shape[1]], axis=1)
        seen.append(own)
      # (b, m, shared, width)
      seen = jnp.where(here[..., None], jnp.stack(seen, axis=1), 0)
      mean = seen.sum(1) / count[..., None].astype(dtype)
      shared = jnp.where(here.any(1)[..., None], mean, shared)
    first = jnp.stack([tokens[m][:, 0] for m in names], axis=1)  # (b, m, width)
    first = jnp.where(here, nn.LayerNorm(name='norm')(first), 0)
    each = nn.Dense(self.num_outputs, name='head')(first)  # (b, m, s)
    # Without any modality all are the bias, which is then the prediction.
    counted = here | ~here.any(1, keepdims=True)
    logits = jnp.where(counted, each, 0).sum(1) / counted.sum(1).astype(dtype)
    each = jnp.where(here, each, 0)
    return logits, {'logits': {m: each[:, k] for k, m in enumerate(names)}}

  def _learnt(self, name, shape, b, dtype):
    x = self.param(name, _SMALL, shape)
    return jnp.broadcast_to(x, (b, *shape)).astype(dtype)


@protocol.COMBINERS.register(
  'bottleneck',
  summary='transformers that share a few tokens (MBT, Nagrani 2021)',
  interactions=True,
)
def bottleneck(
  *,
  num_outputs: int,
  width: int = 64,
  shared: int = 4,
  depth: int = 2,
  heads: int = 4,
  dropout: float = 0.1,
) -> Bottleneck:
  """`depth` is at least 2: what is shared after one layer is read in the next.

  With one layer each modality would be alone, and the logits additive.
  """
  checks.attention('bottleneck', width=width, heads=heads, dropout=dropout)
  checks.at_least_one('bottleneck', shared=shared)
  if depth < 2:
    raise errors.UserError(
      f'bottleneck(depth={depth}): what modalities share after one layer is '
      'read in the next, so it needs at least 2.'
    )
  return Bottleneck(num_outputs, width, shared, depth, heads, dropout)
