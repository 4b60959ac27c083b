"""Cross-attention between what encoders hold.

Lu et al. 2019, "ViLBERT: pretraining task-agnostic visiolinguistic
representations for vision-and-language tasks", NeurIPS, section 3.1
(co-attention): between blocks each modality's positions are queries to the
other's, and what they find is added around a shortcut.

What differs: the attention alone, the encoders' own next stage standing for the
MLP after it; positions of any encoder (of an image, steps in time, or a vector
as the only one); of each other modality something of its own is added; the last
layer starts at 0, where the model is the one without the exchange.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import attention, checks, protocol


def _positions(hidden, present):
  """(b, t, c) positions, 0 where nothing was seen, and their (b, t) mask."""
  x = hidden.x
  mask = hidden.mask.reshape(
    hidden.mask.shape + (1,) * (x.ndim - 1 - hidden.mask.ndim)
  )
  mask = jnp.broadcast_to(mask, x.shape[:-1]).reshape(len(x), -1)  # (b, t)
  mask &= present[:, None]
  x = x.reshape(len(x), -1, x.shape[-1])  # (b, t, c)
  return jnp.where(mask[..., None], x, 0), mask


class CrossAttention(nn.Module):
  """Adds to each position what it finds in the other modalities.

  Attributes:
    onto: modalities that are added to; all if empty.
    width: of queries and keys, all heads together.
    heads: of the attention.
    dropout: rate on its weights.
  """

  onto: tuple[str, ...] = ()
  width: int = 32
  heads: int = 2
  dropout: float = 0.0

  @nn.compact
  def __call__(self, hidden, present, *, train: bool):
    """Returns the hidden states by modality, of the same shapes.

    Raises:
      UserError: for a name in `onto` that no modality has.
    """
    checks.modalities('cross_attention(onto=...)', self.onto, present)
    positions = {m: _positions(hidden[m], present[m]) for m in sorted(hidden)}
    normed = {
      m: nn.LayerNorm(name=f'norm_{m}')(x) for m, (x, _) in positions.items()
    }
    changed = dict(hidden)
    for m in self.onto or sorted(hidden):
      if m not in hidden:
        continue  # Its features are given: no encoder is run.
      found = jnp.zeros_like(positions[m][0])
      for other, (_, mask) in positions.items():
        if other != m:
          y, _ = attention.Attention(
            self.heads,
            self.dropout,
            self.width,
            nn.initializers.zeros,
            name=f'{other}_to_{m}',
          )(normed[m], normed[other], mask, train=train)
          found += y.astype(found.dtype)
      found = jnp.where(positions[m][1][..., None], found, 0)
      x = hidden[m].x
      changed[m] = hidden[m].replace(x=x + found.reshape(x.shape))
    return changed


@protocol.EXCHANGES.register(
  'cross_attention',
  summary='adds what is attended to in the others (co-attention, Lu 2019)',
)
def cross_attention(
  *,
  onto: tuple[str, ...] = (),
  width: int = 32,
  heads: int = 2,
  dropout: float = 0.0,
) -> CrossAttention:
  """Memory grows with the product of both modalities' positions.

  After a late stage, where an image has few, it costs little.
  """
  checks.attention('cross_attention', width=width, heads=heads, dropout=dropout)
  return CrossAttention(onto, width, heads, dropout)
